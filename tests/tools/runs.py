"""Trains the networks of www/training: `./build.sh runs [NAME…]`. Networks and their checkpoints go to www/trained as float16, with
runs.json, which says for each run its epochs, sizes, accuracies and time. What is trained already is not trained again: a run's
state is kept in cache/training and gone on with; remove it there to start anew.
"""

import json
import pathlib
import shutil
import struct
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "www" / "trained"
CACHE = ROOT / "cache" / "training"
UNPOOL = ROOT / "target" / "release" / "unpool"
# Data, and the epochs whose networks are shipped (as far as the run goes).
RUNS = {
    "lenet": ("mnist", [0, 1, 2, 5, 10]),
    "twin-11-4": ("www/pool", [0, 1, 2, 5, 10, 20, 30, 40, 64]),
    "twin-7-2": ("www/pool", [0, 1, 2, 5, 10, 20, 30, 40, 64]),
    "cifar10": ("cifar10", [0, 1, 2, 5, 10]),
    "fashion-mnist": ("fashion-mnist", [0, 1, 2, 5, 10]),
}


def metadata(path):
    with path.open("rb") as file:
        (n,) = struct.unpack("<Q", file.read(8))
        return json.loads(file.read(n))["__metadata__"]


def train(name):
    data, epochs = RUNS[name]
    if data in ("mnist", "cifar10", "fashion-mnist"):
        subprocess.run([sys.executable, ROOT / "tests/tools/data.py", data], check=True)
    CACHE.mkdir(parents=True, exist_ok=True)
    out = CACHE / f"{name}.safetensors"
    command = [UNPOOL, "train", ROOT / "www/training" / f"{name}.json", "--data", ROOT / data if "/" in data else data]
    command += ["--half", "--output", out]
    if epochs:
        command += ["--checkpoints", ",".join(map(str, epochs))]
    if (CACHE / f"{name}-state.safetensors").is_file():
        command.append("--resume")
    print(f"training {name} on {data}")
    subprocess.run(command, check=True, cwd=ROOT)


def index():
    """runs.json and the networks beside it, from what the cache holds; runs that were made elsewhere stay."""
    OUT.mkdir(exist_ok=True)
    listed = OUT / "runs.json"
    runs = json.loads(listed.read_text()) if listed.is_file() else {}
    for name, (data, epochs) in RUNS.items():
        state = CACHE / f"{name}-state.safetensors"
        if not state.is_file():
            continue
        history = json.loads(metadata(state)["state"])["history"]
        files = {epoch: CACHE / f"{name}-epoch-{epoch}.safetensors" for epoch in epochs}
        files = {epoch: path for epoch, path in files.items() if path.is_file() and epoch <= len(history)}
        # A run that was stopped early has its checkpoints and no end.
        last = CACHE / f"{name}.safetensors"
        if last.is_file():
            files[len(history)] = last
        if not files:
            continue
        kept = []
        for epoch, path in files.items():
            to = OUT / path.name
            shutil.copyfile(path, to)
            kept.append({"epoch": epoch, "file": to.name, "bytes": to.stat().st_size})
        short = [
            {
                "epoch": e["epoch"],
                "rate": float(f"{e['rate']:.4g}"),
                "train": {k: round(v, 4) for k, v in e["train"].items()},
                "test": e["test"] and {k: round(v, 4) for k, v in e["test"].items()},
            }
            for e in history
        ]
        runs[name] = {"data": data, "seconds": round(history[-1]["seconds"]), "checkpoints": kept, "epochs": short}
    listed.write_text(json.dumps(runs, indent=1, ensure_ascii=False) + "\n")


names = sys.argv[1:] or list(RUNS)
unknown = [n for n in names if n not in RUNS and n != "--index"]
if unknown:
    print(f"error: no run is called {unknown[0]}; there are {', '.join(RUNS)}", file=sys.stderr)
    raise SystemExit(1)
for name in names:
    if name != "--index":
        train(name)
index()
