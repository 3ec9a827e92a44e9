"""Writes the golden fixtures: `python3 make_fixtures.py` (NumPy), checked by `check_torch.py`.

One safetensors file per network of nets.py: its weights, the input `data`, `activation/LAYER` for
every layer, and projections `p0`, `p1`, … cropped to the box that holds their non-zero values. The
metadata hold `spec` (JSON, as in our model files) and `cases` (JSON: what each projection is).
Everything is computed in float64 from float32 weights and rounded once, to float32.

Near-ties: a seed is drawn again until no pooling window, ReLU or chosen unit is undecided by less
than MARGIN of its layer's largest value (exact ties aside, which stand where nets.py says so), and few projections are blank.
"""

import itertools
import json
import pathlib
import struct
import sys

import numpy as np
from nets import NETS, image, weights
from reference import RULES, Reference, Window

MARGIN = 3e-6
HERE = pathlib.Path(__file__).parent
# Pools whose input holds equal values on purpose (or because it repeats pooled ones).
EXACT = {"ties": {"pool0", "pool1"}, "ceil": {"pool3"}}
# Layers whose seeds, rules and unpool modes are combined in full; else the last spatial layer.
FULL = {"residual": ["sum", "relu3"], "ties": ["relu2", "relu3"], "captum": ["out"]}
# Large inputs: only these layers, with fewer combinations.
LARGE = {
    "alexnet": ["norm1", "conv4", "pool5", "fc8"],
    "zfnet": ["norm1", "conv3", "norm2", "pool5"],
    "squeezenet": ["fire2/concat", "fire3/relu_expand3x3", "fire5/squeeze1x1", "relu_conv10", "pool10"],
    "stride2": ["relu1", "conv2", "relu3", "conv4", "relu4"],
    "stride4": ["conv1", "conv2", "relu2"],
    "lenet": ["c1", "s2", "c3", "relu3", "s4", "relu5", "f6", "output", "prob"],
}


def undecided(name, ref):
    """Whether a float32 engine could fairly decide a ReLU or a switch otherwise."""
    for layer in ref.layers:
        x = ref.values[ref.inputs[layer["name"]][0]]
        scale = np.abs(x).max()
        if layer["kind"] == "relu":
            near = np.abs(x[x != 0]).min(initial=1)
            if near < MARGIN * scale or ((x == 0).any() and name not in ("ties",)):
                return f"{layer['name']}: {near:.1e} of {scale:.1e}"
        # Where the slope changes; a border repeats values, so ties of whole windows are left to the pools above.
        kinks = {"leaky": [0], "prelu": [0], "clip": [layer.get("min"), layer.get("max")]}.get(layer["kind"], [])
        for kink in kinks:
            if kink is not None and (near := np.abs(x - kink).min()) < MARGIN * scale:
                return f"{layer['name']}: {near:.1e} of {scale:.1e} from {kink}"
        if layer["kind"] == "global_max":
            two = np.sort(x.reshape(len(x), -1), 1)[:, -2:]
            if (two[:, 1] - two[:, 0]).min() < MARGIN * scale:
                return f"{layer['name']}: two values alike"
        if layer["kind"] == "max_pool":
            win, maps = Window(layer, *x.shape[1:]), layer.get("maps", 1)
            for c, oy, ox in np.ndindex(ref.values[layer["name"]].shape):
                rows, cols = win.pixels(oy, ox)
                part = np.sort(x[c * maps : (c + 1) * maps, rows.start : rows.stop, cols.start : cols.stop], axis=None)
                if part.size < 2:
                    continue
                gap = part[-1] - part[-2]
                exact = gap == 0 and (part[-1] == 0 or layer["name"] in EXACT.get(name, ()))
                if not exact and gap < MARGIN * scale:
                    return f"{layer['name']}: gap {gap:.1e} of {scale:.1e}"
    return None


def seeds(ref, layer, rng):
    """One unit (the maximum), one position, the strongest, a whole map."""
    v = ref.values[layer]
    order = np.argsort(-v.reshape(len(v), -1).max(1), kind="stable")
    first, second = int(order[0]), int(order[min(1, len(order) - 1)])
    live = np.argwhere(np.abs(v[second]) > 0.05 * np.abs(v[second]).max())
    at = live[rng.integers(len(live))] if len(live) else np.array([0, 0])
    return [
        {"map": first},
        {"map": second, "at": [int(a) for a in at]},
        {"map": first, "strongest": min(3, v[0].size)},
        {"map": second, "whole": True},
    ]


def clear(ref, layer, seed):
    """Whether the seeded units are the strongest by more than rounding (or tie exactly)."""
    if "at" in seed or seed.get("whole"):
        return True
    flat = np.sort(ref.values[layer][seed["map"]], axis=None)[::-1]
    k = seed.get("strongest", 1)
    gaps = flat[: k - 1] - flat[1:k], flat[k - 1 : k] - flat[k : k + 1]
    gaps = np.concatenate([np.atleast_1d(g) for g in gaps if np.size(g)] or [np.ones(1)])
    return all(g == 0 or g > MARGIN * np.abs(ref.values[layer]).max() for g in gaps)


def plan(name, ref, rng):
    """What to project: (layer, seed, options)."""
    normed = {ref.inputs[la["name"]][0] for la in ref.layers if la["kind"] == "batch_norm"}
    names = [la["name"] for la in ref.layers if la["name"] not in normed]  # those are folded away
    spatial = [n for n in names if ref.values[n][0].size > 1]
    full = [] if name in LARGE else FULL.get(name, spatial[-1:])
    turn = itertools.count()
    lrns = [None, "identity", "divide", "derivative"] if any(la["kind"] == "lrn" for la in ref.layers) else [None]
    for layer in LARGE.get(name, names):
        options = seeds(ref, layer, rng)
        if layer in full:
            combos = list(itertools.product(options, RULES, ("switches", "centre"), [None]))
            if len(lrns) > 1:
                combos += itertools.product(options[1:2], RULES, ("switches",), lrns[1:])
        else:
            i = next(turn)
            rules = (0, 1 + i % 2) if ref.values["data"].size > 6000 else range(3)
            modes = "switches", "switches", "centre"
            combos = [(options[(i + r) % 4], RULES[r], modes[(i + r) % 3], lrns[(i + r) % len(lrns)]) for r in rules]
        for seed, rule, unpool, lrn in combos:
            yield layer, seed, {"rule": rule, "unpool": unpool, **({"lrn": lrn} if lrn else {})}


def crop(pixels):
    """The box of the non-zero values and its content."""
    at = np.argwhere(pixels.any(0))
    if not len(at):
        return [0, 0, 0, 0], np.zeros((len(pixels), 0, 0))
    (y0, x0), (y1, x1) = at.min(0), at.max(0) + 1
    return [int(v) for v in (y0, x0, y1, x1)], pixels[:, y0:y1, x0:x1]


def build(name):
    shape, layers = NETS[name]
    spec = {"name": name, "input": {"shape": list(shape)}, "layers": layers}
    for draw in itertools.count():
        rng = np.random.default_rng([sum(map(ord, name)), draw])
        w, x = weights(name, rng), image(name, rng)
        ref = Reference(spec, w, x)
        why = undecided(name, ref)
        cases = [] if why else list(plan(name, ref, rng))
        bad = [c[:2] for c in cases if not clear(ref, *c[:2])]
        if not why and not bad:
            results = [ref.project(*case) for case in cases]
            blank = sum(not pixels.any() for pixels, _, _ in results)
            if blank <= len(cases) // 8:
                return spec, w, x, ref, cases, results
            why = f"{blank} of {len(cases)} projections are blank"
        print(f"  {name}: draw {draw} refused ({why or bad[0]})", file=sys.stderr)


def write(path, tensors, metadata):
    header, at = {"__metadata__": metadata}, 0
    for key, value in tensors.items():
        header[key] = {"dtype": "F32", "shape": list(value.shape), "data_offsets": [at, at + value.size * 4]}
        at += value.size * 4
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    body = b"".join(np.ascontiguousarray(v, "<f4").tobytes() for v in tensors.values())
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def main():
    total = 0
    for name in sys.argv[1:] or NETS:
        spec, w, x, ref, cases, results = build(name)
        tensors = {**w, "data": x}
        for layer in spec["layers"]:
            tensors[f"activation/{layer['name']}"] = ref.values[layer["name"]]
        listed = []
        for i, ((layer, seed, how), (pixels, at, value)) in enumerate(zip(cases, results, strict=True)):
            rect, tensors[f"p{i}"] = crop(pixels)
            listed.append({"layer": layer, **seed, **how, "strongest_at": at, "value": value, "rect": rect})
        path = HERE / f"{name}.safetensors"
        write(path, tensors, {"spec": json.dumps(spec), "cases": json.dumps(listed)})
        total += path.stat().st_size
        print(f"{name}: {len(cases)} projections, {path.stat().st_size / 1024:.0f} KiB")
    print(f"total {total / 2**20:.2f} MiB")


if __name__ == "__main__":
    main()
