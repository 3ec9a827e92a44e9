"""Writes the fixtures beside this file: `python3 make_training.py` (NumPy, float64).

For each small network: its spec, weights, four images with their classes, the mean cross-entropy and its derivative with
respect to every weight, by central differences of the independent forward pass in ../reference.py, in float64, where
a step of 1e-6 leaves an error of about 1e-9. For one network also the weights after five steps of gradient descent under
several settings, by the formulas of the papers.

Everything is JSON: numbers are printed with nine digits.
"""

import json
import pathlib
import sys

import numpy as np

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
from nets import conv, dense, lrn, plain, pool, relu  # noqa: E402
from reference import Reference  # noqa: E402

STEP = 1e-6
CLASSES = 3
TABLE = [[0, 1], [1, 2], [0, 2], [0, 1, 2]]


def end(name="fc"):
    return [dense(name, CLASSES), plain("prob", "softmax")]


NETS = {
    # Overlapping pools, stride, padding, LRN, groups.
    "plain": ((3, 11, 10), [
        conv("conv1", 4, 3, 2, 1), relu("relu1"), pool("pool1", 3, 2, ceil=True), lrn("norm1"),
        conv("conv2", 4, 3, 1, 1, groups=2), relu("relu2"), dense("fc1", 5), relu("relu3"), *end(),
    ]),
    # LeNet's parts: a connection table and trained subsampling; average pools.
    "lenet": ((1, 12, 12), [
        conv("c1", 3, 3), relu("r1"), pool("s2", 2, 2, kind="subsample"), conv("c3", 4, 3, connections=TABLE), relu("r3"),
        pool("a4", 2, 1, kind="avg_pool", pad=1, include_pad=True), *end(),
    ]),
    # Branches that meet: concat, sum, product; a signal that arrives by two ways.
    "branches": ((2, 7, 7), [
        conv("a", 3, 3, 1, 1), relu("ra"), {**conv("b", 3, 1), "inputs": ["ra"]},
        {**plain("sum", "sum"), "inputs": ["ra", "b"]}, {**conv("c", 2, 3, 1, 2, dilation=[2, 2]), "inputs": ["sum"]},
        {**plain("concat", "concat"), "inputs": ["sum", "c"]}, plain("tanh", "tanh"),
        {**plain("product", "product"), "inputs": ["tanh", "concat"]}, plain("pool", "global_avg"), *end(),
    ]),
    # The other kinds.
    "others": ((2, 6, 6), [
        plain("scale", "scale"), conv("conv1", 3, 3, 1, 1), plain("leaky", "leaky", alpha=0.2),
        {**conv("up", 2, 3, 2, 1), "kind": "conv_transpose", "output_pad": [1, 1]}, plain("prelu", "prelu"),
        conv("conv2", 3, 3, 2), plain("sigmoid", "sigmoid"), plain("pad", "pad", pad=[1, 0, 1, 2], mode="edge"),
        plain("clip", "clip", min=0.3, max=0.7), plain("drop", "dropout"), plain("max", "global_max"), dense("fc", CLASSES),
        plain("prob", "log_softmax"),
    ]),
}  # fmt: skip


def parameters(shape, layers):
    """Names and shapes, found by walking the graph with random weights."""
    shapes, before, sizes = {"data": shape}, "data", {}
    rng = np.random.default_rng(0)
    done = []
    for layer in layers:
        first = shapes[(layer.get("inputs") or [before])[0]]
        name, kind = layer["name"], layer["kind"]
        if kind == "conv":
            sizes[name] = {"weight": (layer["filters"], first[0] // layer.get("groups", 1), *layer["kernel"]), "bias": (layer["filters"],)}
        elif kind == "conv_transpose":
            sizes[name] = {"weight": (first[0], layer["filters"], *layer["kernel"]), "bias": (layer["filters"],)}
        elif kind == "dense":
            sizes[name] = {"weight": (layer["units"], int(np.prod(first))), "bias": (layer["units"],)}
        elif kind in ("subsample", "scale"):
            sizes[name] = {"weight": (first[0],), "bias": (first[0],)}
        elif kind == "prelu":
            sizes[name] = {"slope": (first[0],)}
        done.append(layer)
        weights = {f"{n}.{p}": rng.normal(0, 0.1, s) for n, parts in sizes.items() for p, s in parts.items()}
        shapes[name] = Reference({"layers": done}, weights, np.zeros(shape)).values[name].shape
        before = name
    return {f"{n}.{p}": s for n, parts in sizes.items() for p, s in parts.items()}


def loss(layers, weights, images, labels):
    total = 0.0
    for image, label in zip(images, labels):
        p = Reference({"layers": layers}, weights, image).values["prob"].ravel()
        total -= p[label] if layers[-1]["kind"] == "log_softmax" else np.log(p[label])
    return total / len(images)


def gradient(layers, weights, images, labels):
    out = {}
    for name, w in weights.items():
        g = np.zeros_like(w)
        for i in np.ndindex(w.shape):
            kept = w[i]
            w[i] = kept + STEP
            above = loss(layers, weights, images, labels)
            w[i] = kept - STEP
            g[i] = (above - loss(layers, weights, images, labels)) / (2 * STEP)
            w[i] = kept
        out[name] = g
    return out


def flat(arrays):
    return {k: [float(f"{v:.9g}") for v in a.ravel()] for k, a in arrays.items()}


def descend(layers, weights, images, labels, momentum, nesterov, l1, l2, rate, clip, steps=5):
    w = {k: v.copy() for k, v in weights.items()}
    v = {k: np.zeros_like(x) for k, x in w.items()}
    for _ in range(steps):
        g = gradient(layers, w, images, labels)
        for k in w:
            decay = k.endswith(".weight") and w[k].ndim > 1
            pull = rate * (g[k] + (l2 * w[k] + l1 * np.sign(w[k]) if decay else 0))
            v[k] = momentum * v[k] - pull
            w[k] = w[k] + (momentum * v[k] - pull if nesterov else v[k])
        for k in w:
            if clip and w[k].ndim == 4:
                rms = np.sqrt((w[k] ** 2).mean((1, 2, 3), keepdims=True))
                w[k] = np.where(rms > clip, w[k] * clip / rms, w[k])
    return w


def main():
    for number, (name, (shape, layers)) in enumerate(NETS.items()):
        rng = np.random.default_rng(70 + number)
        sizes = parameters(shape, layers)
        weights = {}
        for k, s in sizes.items():
            spread = 1 / np.sqrt(np.prod(s[1:])) if len(s) > 1 else 0.3
            weights[k] = rng.normal(1 if k == "scale.weight" else 0, spread, s).astype(np.float32).astype(float)
        for layer in layers:
            for o, reads in enumerate(layer.get("connections") or []):
                w = weights[layer["name"] + ".weight"]
                w[o, [i for i in range(w.shape[1]) if i not in reads]] = 0
        images = rng.integers(0, 256, (4, *shape))
        labels = rng.integers(0, CLASSES, 4)
        inputs = (images - 128.0) / 64.0
        document = {
            "layers": layers, "shape": shape, "weights": flat(weights), "shapes": sizes,
            "images": images.ravel().tolist(), "labels": labels.tolist(),
            "loss": loss(layers, weights, inputs, labels), "gradient": flat(gradient(layers, weights, inputs, labels)),
        }  # fmt: skip
        if name == "lenet":
            document["runs"] = []
            for momentum, nesterov, l1, l2, clip in [(0, False, 0, 0, None), (0.9, False, 0, 0.01, None), (0.9, True, 0.02, 0.01, 0.2)]:
                after = descend(layers, weights, inputs, labels, momentum, nesterov, l1, l2, 0.05, clip)
                settings = {"momentum": momentum, "nesterov": nesterov, "l1": l1, "l2": l2, "rate": 0.05, "rms_clip": clip}
                document["runs"].append({"settings": settings, "weights": flat(after)})
        path = HERE / f"{name}.json"
        path.write_text(json.dumps(document, separators=(",", ":"), allow_nan=False) + "\n")
        print(name, sum(w.size for w in weights.values()), "weights, loss", document["loss"])


main()
