"""Makes tests/data/gallery/reference.safetensors: the nine strongest of 20 small photos for every map, by the float64 reference.

Written from the definition (Zeiler and Fergus 2014, Fig. 2: one maximum per image and map, the largest nine), not from the Rust
code. The network's weights are those of squeezenet.safetensors beside it; the photos have the size of its input, so that nothing
is resampled. Run again only to change it:

    python3 tests/data/make_gallery.py      needs NumPy
"""

import json
import pathlib
import struct

import numpy as np
from reference import Reference

HERE = pathlib.Path(__file__).parent
PHOTOS, TOP = 20, 9
# Nearer than this, float32 may order two photos or positions otherwise; the seed below leaves none.
NEAREST = 2e-6


def read(path):
    data = path.read_bytes()
    size = struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8 : 8 + size])
    body = data[8 + size :]
    arrays = {
        name: np.frombuffer(body[slice(*e["data_offsets"])], "<f4").reshape(e["shape"])
        for name, e in header.items()
        if name != "__metadata__"
    }
    return header["__metadata__"], arrays


def write(path, metadata, arrays):
    kinds = {"float32": "F32", "int32": "I32", "uint8": "U8"}
    header, body = {"__metadata__": metadata}, b""
    for name, array in sorted(arrays.items(), key=lambda a: (-a[1].itemsize, a[0])):
        data = np.ascontiguousarray(array).tobytes()
        offsets = [len(body), len(body) + len(data)]
        header[name] = {"dtype": kinds[str(array.dtype)], "shape": list(array.shape), "data_offsets": offsets}
        body += data
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def photo(rng, h, w):
    """Blobs of colour with some noise, 8 bits."""
    y, x = np.mgrid[:h, :w]
    out = rng.normal(0, 12, (h, w, 3)) + rng.uniform(60, 190, 3)
    for _ in range(6):
        cy, cx, r = rng.uniform(0, h), rng.uniform(0, w), rng.uniform(2, h / 2)
        out += rng.normal(0, 70, 3) * np.exp(-((y - cy) ** 2 + (x - cx) ** 2) / r**2)[..., None]
    return np.clip(out, 0, 255).astype(np.uint8)


def top(values):
    """Photos × units of one map: the strongest photos, their positions and values; the smallest gap that decides."""
    best, at = values.max(1), values.argmax(1)  # argmax: the first
    order = np.argsort(-best, kind="stable")  # of equals the first photo
    scale = max(abs(best).max(), 1e-12)
    gaps = -np.diff(best[order[: TOP + 1]])
    second = np.sort(values, 1)[:, -2] if values.shape[1] > 1 else best - scale
    gaps = np.concatenate([gaps, (best - second)[order[:TOP]]])
    gaps = gaps[gaps > 0] / scale  # exact ties (zeros behind a ReLU) are decided by order, in any precision
    return order[:TOP], at[order[:TOP]], best[order[:TOP]], gaps.min(initial=1)


def main():
    metadata, weights = read(HERE / "squeezenet.safetensors")
    spec = json.loads(metadata["spec"])
    c, h, w = spec["input"]["shape"]
    spec["input"] |= {"mean": [110.0, 120.0, 130.0][:c], "std": [64.0] * c, "order": "bgr"}
    weights = {name: a for name, a in weights.items() if "." in name}
    for seed in range(100):
        rng = np.random.default_rng(seed)
        photos = np.stack([photo(rng, h, w) for _ in range(PHOTOS)])
        mean, std = (np.array(spec["input"][k])[:, None, None] for k in ("mean", "std"))
        runs = [Reference(spec, weights, (p.transpose(2, 0, 1)[::-1] - mean) / std).values for p in photos]
        arrays, nearest = {"photos": photos}, 1
        for layer in (one["name"] for one in spec["layers"] if one["kind"] in ("conv", "relu", "concat", "dense")):
            stack = np.stack([run[layer] for run in runs])
            n, maps, rows, cols = stack.shape
            found = [top(stack[:, m].reshape(n, -1)) for m in range(maps)]
            nearest = min(nearest, *(f[3] for f in found))
            arrays[f"{layer}/photo"] = np.array([f[0] for f in found], np.int32)
            arrays[f"{layer}/at"] = np.array([[divmod(i, cols) for i in f[1]] for f in found], np.int32)
            arrays[f"{layer}/value"] = np.array([f[2] for f in found], np.float32)
        print(f"seed {seed}: nearest {nearest:.1e}")
        if nearest > NEAREST:
            write(HERE / "gallery" / "reference.safetensors", {"spec": json.dumps(spec)}, arrays)
            return
    raise SystemExit("no seed without near ties")


main()
