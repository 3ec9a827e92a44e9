"""Writes large/*.safetensors: the published networks at full width, as samples of a float64 run.

`python3 make_large.py` (NumPy, some minutes). Weights and input are not stored: both sides draw
them from the same generator, SplitMix64 seeded with the FNV-1a hash of the tensor's name, value
(z >> 40) / 2^23 - 1, times sqrt(6 / fan) in float32 for weights and 0.1 for biases.

Per layer: `activation/LAYER` holds pairs (flat index, value) of some units, the largest first;
`norms` the sum of magnitudes. Per projection: pairs of some pixels, and the sum of magnitudes. Only
units are projected whose result survives a small disturbance (semantics: near-ties).
"""

import json
import sys

import numpy as np
from make_fixtures import HERE, write
from nets import conv, fire, lrn, plain, pool, relu
from reference import RULES, Reference


def vgg_block(n, filters, count):
    convs = [layer for i in range(1, count + 1) for layer in (conv(f"conv{n}_{i}", filters, 3, 1, 1), relu(f"relu{n}_{i}"))]
    return [*convs, pool(f"pool{n}", 2, 2)]


def ak_lrn(name):
    return lrn(name, 5, 5e-4, 0.75, 2.0)


NETS = {
    "alexnet2012": ((3, 227, 227), [
        conv("conv1", 96, 11, 4), relu("relu1"), pool("pool1", 3, 2), ak_lrn("norm1"),
        conv("conv2", 256, 5, 1, 2, groups=2), relu("relu2"), pool("pool2", 3, 2), ak_lrn("norm2"),
        conv("conv3", 384, 3, 1, 1), relu("relu3"), conv("conv4", 384, 3, 1, 1, groups=2), relu("relu4"),
        conv("conv5", 256, 3, 1, 1, groups=2), relu("relu5"), pool("pool5", 3, 2),
    ], ["conv1", "norm1", "relu2", "conv4", "relu5"]),
    "zfnet": ((3, 224, 224), [
        conv("conv1", 96, 7, 2, 1), relu("relu1"), pool("pool1", 3, 2, ceil=True), ak_lrn("norm1"),
        conv("conv2", 256, 5, 2), relu("relu2"), pool("pool2", 3, 2, ceil=True), ak_lrn("norm2"),
        conv("conv3", 384, 3, 1, 1), relu("relu3"), conv("conv4", 384, 3, 1, 1), relu("relu4"),
        conv("conv5", 256, 3, 1, 1), relu("relu5"), pool("pool5", 3, 2, ceil=True),
    ], ["relu1", "relu2", "relu3", "relu4"]),
    "squeezenet": ((3, 227, 227), [
        conv("conv1", 64, 3, 2), relu("relu_conv1"), pool("pool1", 3, 2, ceil=True),
        *fire(2, "pool1", 16, 64), *fire(3, "fire2/concat", 16, 64), pool("pool3", 3, 2, ceil=True),
        *fire(4, "pool3", 32, 128), *fire(5, "fire4/concat", 32, 128), pool("pool5", 3, 2, ceil=True),
        *fire(6, "pool5", 48, 192), *fire(7, "fire6/concat", 48, 192), *fire(8, "fire7/concat", 64, 256),
        *fire(9, "fire8/concat", 64, 256), plain("drop9", "dropout"),
        conv("conv10", 1000, 1), relu("relu_conv10"), plain("pool10", "global_avg"), plain("prob", "softmax"),
    ], ["relu_conv1", "fire3/concat", "fire5/squeeze1x1", "fire6/relu_expand3x3"]),
    "vgg16": ((3, 48, 48), [
        *vgg_block(1, 64, 2), *vgg_block(2, 128, 2), *vgg_block(3, 256, 3), *vgg_block(4, 512, 3), *vgg_block(5, 512, 3),
    ], ["relu1_2", "pool2", "relu3_3", "relu4_1"]),
}  # fmt: skip


def draw(name, shape):
    seed = 0xCBF29CE484222325
    for byte in name.encode():
        seed = (seed ^ byte) * 0x100000001B3 % 2**64
    n = int(np.prod(shape))
    with np.errstate(over="ignore"):
        z = np.uint64(seed) + np.arange(1, n + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z ^= z >> np.uint64(31)
    value = (z >> np.uint64(40)).astype(np.float32) / np.float32(2**23) - np.float32(1)
    return value.reshape(shape)


def weights(layers, channels):
    maps, out, before = {"data": channels}, {}, "data"
    for layer in layers:
        name, ins = layer["name"], [maps[i] for i in layer.get("inputs") or [before]]
        maps[name] = sum(ins)
        if layer["kind"] == "conv":
            shape = layer["filters"], ins[0] // layer.get("groups", 1), *layer["kernel"]
            scale = np.sqrt(np.float32(6) / np.float32(np.prod(shape[1:])))
            out[f"{name}.weight"] = draw(f"{name}.weight", shape) * scale
            out[f"{name}.bias"] = draw(f"{name}.bias", shape[:1]) * np.float32(0.1)
            maps[name] = layer["filters"]
        before = name
    return out


def pairs(values, indices):
    return np.stack([indices, values.reshape(-1)[indices]], 1)


def sample(values, rng, strong=24, others=40):
    flat = np.abs(values.reshape(-1))
    live = np.flatnonzero(flat)
    first = np.argsort(-flat, kind="stable")[:strong]
    return pairs(values, np.concatenate([first, rng.choice(live, min(others, len(live)), replace=False)]))


def build(name):
    shape, layers, projected = NETS[name]
    spec = {"name": name, "input": {"shape": list(shape)}, "layers": layers}
    rng = np.random.default_rng(1)
    w, x = weights(layers, shape[0]), draw("data", shape)
    ref = Reference(spec, w, x)
    # Every weight moved by 5e-6 of itself moves an activation by about what float32 rounding does.
    others = [Reference(spec, {k: v * (1 + 5e-6 * rng.standard_normal(v.shape)) for k, v in w.items()}, x) for _ in range(2)]
    tensors = {f"activation/{la['name']}": sample(ref.values[la["name"]], rng) for la in layers}
    tensors["norms"] = np.array([np.abs(ref.values[la["name"]]).sum() for la in layers])
    cases = []
    for i, layer in enumerate(projected):
        v = ref.values[layer]
        maps = np.argsort(-v.reshape(len(v), -1).max(1), kind="stable")
        for rule in RULES:
            how = {"rule": rule, "unpool": "centre" if i == 1 and rule == "guided" else "switches"}
            for m in maps[RULES.index(rule) :]:
                pixels, at, value = ref.project(layer, {"map": int(m)}, how)
                again = [other.project(layer, {"map": int(m)}, how) for other in others]
                if all(a == at and np.abs(p - pixels).max() < 5e-5 * np.abs(pixels).max() for p, a, _ in again):
                    break
                print(f"  {name}: map {m} of {layer} does not survive a disturbance", file=sys.stderr)
            tensors[f"p{len(cases)}"] = sample(pixels, rng, 100, 200)
            box = np.argwhere(pixels.any(0))
            rect = [int(t) for t in (*box.min(0), *(box.max(0) + 1))]
            total = float(np.abs(pixels).sum())
            cases.append({"layer": layer, "map": int(m), **how, "strongest_at": at, "value": value, "rect": rect, "norm": total})
    (HERE / "large").mkdir(exist_ok=True)
    path = HERE / "large" / f"{name}.safetensors"
    write(path, tensors, {"spec": json.dumps(spec), "cases": json.dumps(cases)})
    print(f"{name}: {len(cases)} projections, {path.stat().st_size / 1024:.0f} KiB")


if __name__ == "__main__":
    for net in sys.argv[1:] or NETS:
        build(net)
