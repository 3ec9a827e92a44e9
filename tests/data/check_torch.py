"""Checks reference.py against PyTorch in float64: autograd with ReLU, LRN and pooling hooks.

`python3 check_torch.py` (NumPy, PyTorch). Every activation and every projection of the fixtures is
computed again by PyTorch's own operators; prints the worst difference per network, relative to the
largest value, and fails above 1e-12 (the fixtures themselves are float32: they are only read for
weights, input and the list of cases).
"""

import json
import pathlib
import struct
import sys

import numpy as np
import torch
import torch.nn.functional as F
from reference import Reference

HERE = pathlib.Path(__file__).parent


def read(path):
    raw = path.read_bytes()
    n = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + n])
    meta = header.pop("__metadata__")
    tensors = {}
    for key, info in header.items():
        a, b = info["data_offsets"]
        tensors[key] = np.frombuffer(raw[8 + n + a : 8 + n + b], "<f4").reshape(info["shape"])
    return json.loads(meta["spec"]), json.loads(meta["cases"]), tensors


class Rectify(torch.autograd.Function):
    @staticmethod
    def forward(ctx, x, rule):
        ctx.save_for_backward(x)
        ctx.rule = rule
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, s):
        (x,) = ctx.saved_tensors
        if ctx.rule != "deconvnet":
            s = s * (x > 0)
        if ctx.rule != "gradient":
            s = s.clamp(min=0)
        return s, None


class Through(torch.autograd.Function):
    """`value` on the way up; on the way down the signal times `factor`."""

    @staticmethod
    def forward(ctx, x, value, factor):
        ctx.save_for_backward(factor)
        return value.clone()

    @staticmethod
    def backward(ctx, s):
        return s * ctx.saved_tensors[0], None, None


class Centre(torch.autograd.Function):
    """Pooled values up; down, every value to the middle of its window."""

    @staticmethod
    def forward(ctx, x, pooled, layer):
        ctx.shape, ctx.layer = x.shape, layer
        return pooled.clone()

    @staticmethod
    def backward(ctx, s):
        maps, (t, l, _, _) = ctx.layer.get("maps", 1), ctx.layer["pad"]
        _, c, h, w = ctx.shape
        (kh, kw), (sh, sw) = ctx.layer["kernel"], ctx.layer["stride"]
        oy, ox = torch.arange(s.shape[2]), torch.arange(s.shape[3])
        y = (oy * sh - t + kh // 2).clamp(0, h - 1)[:, None]
        x = (ox * sw - l + kw // 2).clamp(0, w - 1)[None]
        m = torch.arange(s.shape[1])[:, None, None] * maps + maps // 2
        flat = ((m * h + y) * w + x).reshape(-1)
        out = torch.zeros(c * h * w, dtype=s.dtype).index_add(0, flat, s.reshape(-1))
        return out.reshape(ctx.shape), None, None


def max_pool(x, layer, how):
    t, l, b, r = layer["pad"]
    maps, kernel, stride = layer.get("maps", 1), tuple(layer["kernel"]), tuple(layer["stride"])
    # PyTorch pads alike on both sides: what is missing is padded by hand with values that never win.
    extra = (0, r - min(l, r), 0, b - min(t, b))
    padded = F.pad(x, (l - min(l, r), extra[1], t - min(t, b), extra[3]), value=float("-inf"))
    pad = (min(t, b), min(l, r))
    pooled = F.max_pool3d(padded[:, None], (maps, *kernel), (maps, *stride), (0, *pad), ceil_mode=layer.get("ceil", False))[:, 0]
    # What was padded by hand counts as image: drop the windows that start beyond the real one (Caffe's rule).
    rows, cols = (-(-(size + lead) // s) for size, lead, s in zip(x.shape[2:], (t, l), stride, strict=True))
    pooled = pooled[:, :, :rows, :cols]
    return Centre.apply(x, pooled, layer) if how["unpool"] == "centre" else pooled


def avg_pool(x, layer):
    t, l, b, r = layer["pad"]
    assert t == b and l == r
    return F.avg_pool2d(x, layer["kernel"], layer["stride"], (t, l), layer.get("ceil", False), layer.get("include_pad", False))


def lrn(x, layer, how):
    value = F.local_response_norm(x, layer["size"], layer["alpha"], layer["beta"], layer["k"])
    rule = how.get("lrn") or ("identity" if how["rule"] == "deconvnet" else "derivative")
    if rule == "derivative":
        return value
    # With ones put through: 1 / denominator wherever x is not zero; by hand where it is.
    square = F.avg_pool3d(F.pad(x[:, None] ** 2, (0, 0, 0, 0, layer["size"] // 2, layer["size"] // 2)), (layer["size"], 1, 1), 1)
    factor = (layer["k"] + layer["alpha"] * square[:, 0]) ** -layer["beta"]
    return Through.apply(x, value.detach(), torch.ones_like(x) if rule == "identity" else factor.detach())


def apply(layer, weights, how, x, *more):
    kind, name = layer["kind"], layer["name"]
    w, b = weights.get(f"{name}.weight"), weights.get(f"{name}.bias")
    if kind == "conv":
        t, l, bo, r = layer["pad"]
        if layer.get("connections"):
            table = torch.zeros(w.shape[:2], dtype=w.dtype)
            for o, ins in enumerate(layer["connections"]):
                table[o, ins] = 1
            w = w * table[:, :, None, None]
        return F.conv2d(F.pad(x, (l, r, t, bo)), w, b, layer["stride"], 0, layer.get("dilation", 1), layer.get("groups", 1))
    if kind == "relu":
        return Rectify.apply(x, how["rule"])
    if kind == "max_pool":
        return max_pool(x, layer, how)
    if kind == "avg_pool":
        return avg_pool(x, layer)
    if kind == "subsample":
        kh, kw = layer["kernel"]
        return F.avg_pool2d(x, (kh, kw), layer["stride"]) * kh * kw * w[:, None, None] + b[:, None, None]
    if kind == "lrn":
        return lrn(x, layer, how)
    if kind == "batch_norm":
        return F.batch_norm(x, weights[f"{name}.mean"], weights[f"{name}.var"], w, b, eps=layer["eps"])
    if kind == "concat":
        return torch.cat([x, *more], 1)
    if kind == "sum":
        return torch.stack([x, *more]).sum(0)
    if kind == "dense":
        return F.linear(x.flatten(1), w, b)[:, :, None, None]
    if kind == "dropout":
        return F.dropout(x, training=False)
    if kind == "global_avg":
        return F.adaptive_avg_pool2d(x, 1)
    value = F.softmax(x, 1)
    return Through.apply(x, value.detach(), torch.ones_like(x)) if how["rule"] == "deconvnet" else value


def run(spec, weights, x, how):
    values, before = {"data": x}, "data"
    for layer in spec["layers"]:
        values[layer["name"]] = apply(layer, weights, how, *(values[i] for i in layer.get("inputs") or [before]))
        before = layer["name"]
    return values


def difference(a, b):
    scale = np.abs(b).max(initial=0)
    return np.abs(a - b).max(initial=0) / scale if scale else np.abs(a).max(initial=0)


def main():
    worst = 0.0
    # Of the kinds of imported networks only the reference speaks; the engine's own property tests check their pulls.
    for path in sorted(p for p in HERE.glob("*.safetensors") if p.stem != "imported"):
        spec, cases, tensors = read(path)
        weights = {k: v for k, v in tensors.items() if "." in k}
        ref = Reference(spec, weights, tensors["data"])
        tw = {k: torch.tensor(v, dtype=torch.float64) for k, v in weights.items()}
        up = down = 0.0
        for case in cases:
            x = torch.tensor(tensors["data"], dtype=torch.float64)[None].requires_grad_()
            values = run(spec, tw, x, case)
            for layer in spec["layers"]:
                up = max(up, difference(values[layer["name"]].detach().numpy()[0], ref.values[layer["name"]]))
            signal, _, _ = ref.seed(case["layer"], case)
            (g,) = torch.autograd.grad(values[case["layer"]], x, torch.tensor(signal)[None])
            down = max(down, difference(g.numpy()[0], ref.walk(case["layer"], signal, case)))
        print(f"{path.stem}: {len(cases)} projections, worst difference {up:.1e} up, {down:.1e} down")
        worst = max(worst, up, down)
    return 0 if worst < 1e-12 else 1


if __name__ == "__main__":
    sys.exit(main())
