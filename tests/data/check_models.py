"""The shipped networks against the float64 reference: every layer's values, and projections by every rule.

`python3 check_models.py [NAME…]` after `./build.sh models` (NumPy; minutes for VGG16). Input: pixels of a
seeded random texture at several scales, which excites every layer. Fails above 1e-4 of the largest value.

A projection depends on decisions: which value of a pooling window is the largest, whether a value is above zero. Where
float64 finds a tie to within rounding, float32 may decide otherwise, and the signal goes another way. So a projection
that deviates is computed once more in float64 with the decisions of float32, which must be ties to within 1e-4.
"""

import copy
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from reference import Reference

ROOT = Path(__file__).resolve().parents[2]
TOLERANCE = 1e-4
DTYPES = {"F32": np.float32, "F16": np.float16}


def load(path):
    """The spec and the weights of a model file."""
    data = path.read_bytes()
    n = int.from_bytes(data[:8], "little")
    header = json.loads(data[8 : 8 + n])
    spec = json.loads(header.pop("__metadata__")["spec"])
    tensors = {
        name: np.frombuffer(data[8 + n :][slice(*t["data_offsets"])], DTYPES[t["dtype"]]).reshape(t["shape"])
        for name, t in header.items()
    }
    return spec, tensors


def texture(shape):
    """Noise of every scale, in the units of a mean-free photo."""
    rng, out = np.random.default_rng(3), np.zeros(shape)
    for scale in (1, 2, 4, 8, 16, 32, 64):
        small = rng.standard_normal((shape[0], -(-shape[1] // scale), -(-shape[2] // scale)))
        out += np.kron(small, np.ones((1, scale, scale)))[:, : shape[1], : shape[2]]
    return out


def check(name):
    spec, weights = load(ROOT / "models" / f"{name}.safetensors")
    shape = spec["input"]["shape"]
    scale = np.mean(spec["input"].get("std") or [1.0])
    x = (texture(shape) * 25 / scale).astype(np.float32)
    reference = Reference(spec, weights, x)
    worst, ours = (0, ""), {"data": x.astype(np.float64)}
    with tempfile.TemporaryDirectory() as folder:
        source, output = Path(folder) / "x.npy", Path(folder) / "y.npy"
        np.save(source, x)
        for layer in spec["layers"]:
            command = [ROOT / "target/release/unpool", "run", name, source, "--layer", layer["name"], "--output", output]
            subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
            expected = reference.values[layer["name"]]
            error = np.abs(np.load(output).reshape(expected.shape) - expected).max() / np.abs(expected).max()
            print(f"{name:12} {layer['name']:20} {error:.1e}")
            worst = max(worst, (error, layer["name"]))
            ours[layer["name"]] = np.load(output).reshape(expected.shape).astype(np.float64)
        print(f"{name}: at most {worst[0]:.1e}, in {worst[1]}")
        return max(worst[0], projections(name, source, Path(folder) / "p.npy", reference, ours))


def projections(name, source, output, reference, ours):
    """The largest error of the projections of whole maps of the highest rectified layer."""
    decided = copy.copy(reference)
    decided.values, decided.switches = ours, {}
    undecided = 0
    for layer in reference.layers:
        below = reference.inputs[layer["name"]][0]
        if layer["kind"] == "max_pool":
            decided.push_max_pool(layer, ours[below])
            a, b = (r.switches[layer["name"]] for r in (decided, reference))
            differ = (a != b).any(-1)
            values = reference.values[below]
            gaps = np.abs(values[tuple(np.moveaxis(a, -1, 0))] - values[tuple(np.moveaxis(b, -1, 0))])[differ]
        elif layer["kind"] == "relu":
            exact, float32 = reference.values[layer["name"]], ours[layer["name"]]
            differ = (exact > 0) != (float32 > 0)
            gaps = (exact + float32)[differ]
        else:
            continue
        undecided += differ.sum()
        if gaps.size and gaps.max() > TOLERANCE * np.abs(reference.values[below]).max():
            raise SystemExit(f"{name} {layer['name']}: decided otherwise where there is no tie: {gaps.max():.1e}")
    print(f"{name}: {undecided} ties to within rounding that float32 decides otherwise")
    top = [layer["name"] for layer in reference.layers if layer["kind"] == "relu"][-1]
    worst = 0
    for which in np.argsort(-reference.values[top].max((1, 2)))[:3]:
        for rule in ("deconvnet", "guided", "gradient"):
            seed, how = {"map": which, "whole": True}, {"rule": rule, "unpool": "switches"}
            command = [ROOT / "target/release/unpool", "project", name, source, "--layer", top, "--map", str(which)]
            command += ["--whole-map", "--rule", rule, "--output", output]
            subprocess.run(command, check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
            got = np.load(output).reshape(reference.values["data"].shape)
            exact, same = (r.project(top, seed, how)[0] for r in (reference, decided))
            errors = [np.abs(got - e).max() / np.abs(e).max() for e in (exact, same)]
            print(f"{name:12} {top} {which:4} {rule:10} {errors[0]:.1e}, with float32's decisions {errors[1]:.1e}")
            worst = max(worst, min(errors))
    return worst


if __name__ == "__main__":
    if any(check(name) > TOLERANCE for name in sys.argv[1:] or ("squeezenet", "alexnet", "vgg16")):
        sys.exit(1)
