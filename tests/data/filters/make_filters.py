"""Writes filters.json beside this file: `python3 make_filters.py` (NumPy, float64).

Seeded filters with their numbers, computed with NumPy's FFT and plain definitions, not from the
Rust code: RMS, share of the squared weights, and of the power spectrum (of all inputs, on a plane of
64x64) the mean frequency, the direction of the second moments and the shares in 20 rings, each
sample shared out among the rings that its width of 1/64 lies in.
Two projections with the 64-band spectra along rows and columns, whose samples are shared out alike; at 0 and at half a
cycle per pixel the axis folds back on itself.
"""

import json
import pathlib

import numpy as np

rng = np.random.default_rng(9)


def frequencies(n):
    f = np.fft.fftfreq(n)
    return f[:, None], f[None, :]


def spectrum(picture, n):
    return sum(np.abs(np.fft.fft2(channel, (n, n))) ** 2 for channel in picture)


def describe(f, energy):
    n = 64
    p = spectrum(f, n)
    fy, fx = frequencies(n)
    r = np.hypot(fy, fx)
    low, high = np.maximum(r - 0.5 / n, 0), r + 0.5 / n
    edges = np.arange(21) / 40
    shares = [np.clip(np.minimum(high, b) - np.maximum(low, a), 0, None) / (high - low) for a, b in zip(edges, edges[1:])]
    xx, yy, xy = (p * fx * fx).sum(), (p * fy * fy).sum(), -(p * fx * fy)[(fx > -0.5) & (fy > -0.5)].sum()
    values, vectors = np.linalg.eigh(np.array([[xx, xy], [xy, yy]]))
    angle = np.degrees(np.arctan2(vectors[1, 1], vectors[0, 1])) % 180
    return {
        "rms": float(np.sqrt((f**2).mean())),
        "share": float((f**2).sum() / energy),
        "frequency": float((p * r).sum() / p.sum()),
        "orientation": float(angle),
        "oriented": float((values[1] - values[0]) / values.sum()),
        "spectrum": [float((p * share).sum() / p.sum()) for share in shares],
    }


def bands(picture):
    h, w = picture.shape[1:]
    n = max(128, 1 << int(np.ceil(np.log2(2 * max(h, w)))))
    fade = [np.sin(np.pi * (np.arange(k) + 0.5) / k) ** 2 for k in (h, w)]
    still = (picture - picture.mean((1, 2), keepdims=True)) * fade[0][:, None] * fade[1][None, :]
    p = spectrum(still, n)
    f = np.abs(np.fft.fftfreq(n))
    low, high = np.maximum(f - 0.5 / n, 0), np.minimum(f + 0.5 / n, 0.5)
    edges = np.arange(65) / 128
    along = p.sum(1) + p.sum(0)
    shares = [np.clip(np.minimum(high, b) - np.maximum(low, a), 0, None) / (high - low) for a, b in zip(edges, edges[1:])]
    out = np.array([(along * share).sum() for share in shares])
    return out / out.sum()


y, x = np.mgrid[0:7, 0:7] - 3
shapes = [
    np.cos(2 * np.pi * (fx * x + fy * y)) * np.exp(-(x**2 + y**2) / 8)
    for fx, fy in [(0.1, 0), (0, 0.3), (0.2, -0.2), (0.15, 0.25), (0, 0)]
]
filters = np.stack([[s * a for a in rng.normal(1, 0.3, 3)] for s in shapes] + list(rng.normal(0, 0.2, (3, 3, 7, 7))))
filters = filters.astype(np.float32)
energy = float((filters.astype(float) ** 2).sum())
pictures = rng.normal(0, 1, (2, 3, 27, 30)).astype(np.float32)
pictures[1, :, ::4] += 1
document = {
    "shape": list(filters.shape),
    "weights": [float(v) for v in filters.ravel()],
    "filters": [describe(f.astype(float), energy) for f in filters],
    "pictures": {"shape": list(pictures.shape), "values": [float(v) for v in pictures.ravel()]},
    "bands": [bands(p.astype(float)).tolist() for p in pictures],
}
path = pathlib.Path(__file__).with_name("filters.json")
path.write_text(json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n")
