"""The fixture networks: each covers what its comment names. Weights and inputs are seeded noise."""

import numpy as np


def conv(name, filters, kernel, stride=1, pad=0, **more):
    kernel = [kernel, kernel] if isinstance(kernel, int) else kernel
    stride = [stride, stride] if isinstance(stride, int) else stride
    pad = [pad] * 4 if isinstance(pad, int) else pad
    return {"name": name, "kind": "conv", "filters": filters, "kernel": kernel, "stride": stride, "pad": pad, **more}


def pool(name, kernel, stride, pad=0, kind="max_pool", **more):
    layer = conv(name, 0, kernel, stride, pad, **more)
    del layer["filters"]
    return {**layer, "kind": kind}


def relu(name):
    return {"name": name, "kind": "relu"}


def plain(name, kind, **more):
    return {"name": name, "kind": kind, **more}


def lrn(name, size=5, alpha=0.5, beta=0.75, k=1.0):
    return plain(name, "lrn", size=size, alpha=alpha, beta=beta, k=k)


def dense(name, units):
    return plain(name, "dense", units=units)


# Overlapping 3×3/2 pools whose switches collide; odd, non-square input.
OVERLAP = (3, 19, 17), [
    conv("conv1", 6, 3, 1, 1), relu("relu1"), pool("pool1", 3, 2),
    conv("conv2", 7, 3, 1, 1), relu("relu2"), pool("pool2", 3, 2, ceil=True),
    conv("conv3", 4, 2), relu("relu3"),
]  # fmt: skip

# Exact ties: quantised input pooled at once, a 1×1 convolution with small integers, windows that
# are all zero after ReLU (conv2's biases are very negative).
TIES = (2, 17, 15), [
    pool("pool0", 3, 2), conv("conv1", 5, 1), relu("relu1"), pool("pool1", 2, 2, ceil=True),
    conv("conv2", 6, 3, 1, 1), relu("relu2"), pool("pool2", 3, 1, 1), conv("conv3", 3, 2), relu("relu3"),
]  # fmt: skip

# Caffe's ceil rule with padding: windows clipped at both ends, one dropped; floor beside it.
CEIL = (2, 14, 11), [
    pool("pool0", 3, 2, 1, ceil=True), conv("conv1", 5, 3, 1, 1), relu("relu1"),
    pool("pool1", 2, 2, 1, ceil=True), conv("conv2", 4, 3, 1, 1), relu("relu2"),
    pool("pool2", [3, 2], [2, 2], [1, 0, 1, 1], ceil=True), pool("pool3", 2, 1, 1), conv("conv3", 3, 1), relu("relu3"),
]  # fmt: skip

# Grouped, strided grouped and depthwise convolution.
GROUPED = (4, 15, 14), [
    conv("conv1", 8, 5, 1, 2, groups=2), relu("relu1"), pool("pool1", 3, 2, ceil=True),
    conv("conv2", 12, 3, 2, 1, groups=4), relu("relu2"), conv("conv3", 12, 3, 1, 1, groups=12), relu("relu3"),
    conv("conv4", 5, 1), relu("relu4"),
]  # fmt: skip

# AlexNet's first layer: 11×11/4 pad 2.
STRIDE4 = (3, 47, 39), [
    conv("conv1", 8, 11, 4, 2), relu("relu1"), pool("pool1", 3, 2), conv("conv2", 6, 5, 1, 2), relu("relu2"),
]  # fmt: skip

# ZFNet's first layers: 7×7/2 pad 1, 5×5/2; then 3×3/2; stride 3 with a kernel of 1 (holes).
STRIDE2 = (3, 37, 34), [
    conv("conv1", 5, 7, 2, 1), relu("relu1"), conv("conv2", 6, 5, 2), relu("relu2"),
    conv("conv3", 5, 3, 2, 1), relu("relu3"), conv("conv4", 4, 1, 3), relu("relu4"),
]  # fmt: skip

# Dilation, non-square kernels and strides, padding that differs on every side.
DILATED = (2, 23, 20), [
    conv("conv1", 5, 3, 1, 2, dilation=[2, 2]), relu("relu1"),
    conv("conv2", 6, [3, 5], [2, 1], [2, 1, 0, 3], dilation=[1, 2]), relu("relu2"),
    conv("conv3", 4, [2, 3], [3, 2], [1, 0, 2, 1], dilation=[3, 1]), relu("relu3"),
]  # fmt: skip

# LRN before and after pooling, strong enough to matter; an odd number of channels.
LRN = (3, 15, 13), [
    conv("conv1", 7, 3, 1, 1), relu("relu1"), lrn("norm1"), pool("pool1", 3, 2),
    conv("conv2", 6, 3, 1, 1), relu("relu2"), pool("pool2", 2, 2), lrn("norm2", 3, 1.5, 0.5, 2.0),
    conv("conv3", 4, 2), relu("relu3"),
]  # fmt: skip

# One fire module on an odd input, with a branch that reads the input too.
FIRE = (3, 13, 11), [
    conv("squeeze1x1", 4, 1), relu("relu_squeeze1x1"),
    conv("expand1x1", 5, 1), relu("relu_expand1x1"),
    {**conv("expand3x3", 6, 3, 1, 1), "inputs": ["relu_squeeze1x1"]}, relu("relu_expand3x3"),
    {**conv("skip", 2, 3, 1, 1), "inputs": ["data"]},
    plain("concat", "concat", inputs=["relu_expand1x1", "relu_expand3x3", "skip"]),
    conv("conv2", 4, 3), relu("relu2"),
]  # fmt: skip

# Residual sums (three terms, one of them used twice), batch norm after every convolution and after a dense layer.
RESIDUAL = (3, 16, 13), [
    conv("conv1", 6, 3, 2, 1), plain("bn1", "batch_norm", eps=1e-5), relu("relu1"),
    conv("conv2a", 6, 3, 1, 1), plain("bn2a", "batch_norm", eps=1e-3), relu("relu2a"),
    conv("conv2b", 6, 3, 1, 1), plain("bn2b", "batch_norm", eps=1e-5),
    {**conv("short", 6, 1), "inputs": ["relu1"]}, plain("bnshort", "batch_norm", eps=1e-5),
    plain("sum", "sum", inputs=["bn2b", "bnshort", "relu1"]), relu("relu2"),
    pool("avg", 2, 2, kind="avg_pool"), dense("fc1", 9), plain("bnfc", "batch_norm", eps=1e-5), relu("relu3"), dense("fc2", 4),
]  # fmt: skip

# Average pooling: padding counted and not, floor and ceil, overlapping, non-square.
AVERAGE = (2, 15, 12), [
    pool("avg1", 3, 2, 1, kind="avg_pool", include_pad=True), conv("conv1", 5, 3, 1, 1), relu("relu1"),
    pool("avg2", 3, 2, 1, kind="avg_pool", include_pad=False, ceil=True), conv("conv2", 4, 1), relu("relu2"),
    pool("avg3", [2, 3], [2, 2], [1, 1, 1, 1], kind="avg_pool", include_pad=True, ceil=True), conv("conv3", 3, 1), relu("relu3"),
]  # fmt: skip

# LeNet-5 (LeCun 1998) with ReLU for its squashing function: trainable subsampling, the C3 table.
C3 = [
    [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [0, 4, 5], [0, 1, 5],
    [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [0, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 5],
    [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 2, 3, 4, 5],
]  # fmt: skip
LENET = (1, 32, 32), [
    conv("c1", 6, 5), relu("relu1"), pool("s2", 2, 2, kind="subsample"),
    conv("c3", 16, 5, connections=C3), relu("relu3"), pool("s4", 2, 2, kind="subsample"),
    conv("c5", 20, 5), relu("relu5"), dense("f6", 14), relu("relu6"), dense("output", 10), plain("prob", "softmax"),
]  # fmt: skip

# 3-D max pooling over pairs and over triples of maps.
POOL3D = (2, 16, 13), [
    conv("conv1", 8, 3, 1, 1), relu("relu1"), pool("pool1", 2, 2, maps=2),
    conv("conv2", 6, 3, 1, 1), relu("relu2"), pool("pool2", 3, 2, ceil=True, maps=3), conv("conv3", 3, 2), relu("relu3"),
]  # fmt: skip

# Captum's one-convolution case, with the numbers published in its tests (semantics, reference values).
CAPTUM = (1, 4, 4), [conv("conv", 2, 3), relu("relu"), dense("fc", 4), relu("out")]

# AlexNet of 2012 (Krizhevsky), channels divided by 16: groups, LRN after pooling, three dense layers.
# ZFNet's first layers: 7×7/2 pad 1, 5×5/2; then 3×3/2; stride 3 with a kernel of 1 (holes).
STRIDE2 = (3, 37, 34), [
    conv("conv1", 5, 7, 2, 1), relu("relu1"), conv("conv2", 6, 5, 2), relu("relu2"),
    conv("conv3", 5, 3, 2, 1), relu("relu3"), conv("conv4", 4, 1, 3), relu("relu4"),
]  # fmt: skip

# Dilation, non-square kernels and strides, padding that differs on every side.
DILATED = (2, 23, 20), [
    conv("conv1", 5, 3, 1, 2, dilation=[2, 2]), relu("relu1"),
    conv("conv2", 6, [3, 5], [2, 1], [2, 1, 0, 3], dilation=[1, 2]), relu("relu2"),
    conv("conv3", 4, [2, 3], [3, 2], [1, 0, 2, 1], dilation=[3, 1]), relu("relu3"),
]  # fmt: skip

# LRN before and after pooling, strong enough to matter; an odd number of channels.
LRN = (3, 15, 13), [
    conv("conv1", 7, 3, 1, 1), relu("relu1"), lrn("norm1"), pool("pool1", 3, 2),
    conv("conv2", 6, 3, 1, 1), relu("relu2"), pool("pool2", 2, 2), lrn("norm2", 3, 1.5, 0.5, 2.0),
    conv("conv3", 4, 2), relu("relu3"),
]  # fmt: skip

# One fire module on an odd input, with a branch that reads the input too.
FIRE = (3, 13, 11), [
    conv("squeeze1x1", 4, 1), relu("relu_squeeze1x1"),
    conv("expand1x1", 5, 1), relu("relu_expand1x1"),
    {**conv("expand3x3", 6, 3, 1, 1), "inputs": ["relu_squeeze1x1"]}, relu("relu_expand3x3"),
    {**conv("skip", 2, 3, 1, 1), "inputs": ["data"]},
    plain("concat", "concat", inputs=["relu_expand1x1", "relu_expand3x3", "skip"]),
    conv("conv2", 4, 3), relu("relu2"),
]  # fmt: skip

# Residual sums (three terms, one of them used twice), batch norm after every convolution and after a dense layer.
RESIDUAL = (3, 16, 13), [
    conv("conv1", 6, 3, 2, 1), plain("bn1", "batch_norm", eps=1e-5), relu("relu1"),
    conv("conv2a", 6, 3, 1, 1), plain("bn2a", "batch_norm", eps=1e-3), relu("relu2a"),
    conv("conv2b", 6, 3, 1, 1), plain("bn2b", "batch_norm", eps=1e-5),
    {**conv("short", 6, 1), "inputs": ["relu1"]}, plain("bnshort", "batch_norm", eps=1e-5),
    plain("sum", "sum", inputs=["bn2b", "bnshort", "relu1"]), relu("relu2"),
    pool("avg", 2, 2, kind="avg_pool"), dense("fc1", 9), plain("bnfc", "batch_norm", eps=1e-5), relu("relu3"), dense("fc2", 4),
]  # fmt: skip

# Average pooling: padding counted and not, floor and ceil, overlapping, non-square.
AVERAGE = (2, 15, 12), [
    pool("avg1", 3, 2, 1, kind="avg_pool", include_pad=True), conv("conv1", 5, 3, 1, 1), relu("relu1"),
    pool("avg2", 3, 2, 1, kind="avg_pool", include_pad=False, ceil=True), conv("conv2", 4, 1), relu("relu2"),
    pool("avg3", [2, 3], [2, 2], [1, 1, 1, 1], kind="avg_pool", include_pad=True, ceil=True), conv("conv3", 3, 1), relu("relu3"),
]  # fmt: skip

# LeNet-5 (LeCun 1998) with ReLU for its squashing function: trainable subsampling, the C3 table.
C3 = [
    [0, 1, 2], [1, 2, 3], [2, 3, 4], [3, 4, 5], [0, 4, 5], [0, 1, 5],
    [0, 1, 2, 3], [1, 2, 3, 4], [2, 3, 4, 5], [0, 3, 4, 5], [0, 1, 4, 5], [0, 1, 2, 5],
    [0, 1, 3, 4], [1, 2, 4, 5], [0, 2, 3, 5], [0, 1, 2, 3, 4, 5],
]  # fmt: skip
LENET = (1, 32, 32), [
    conv("c1", 6, 5), relu("relu1"), pool("s2", 2, 2, kind="subsample"),
    conv("c3", 16, 5, connections=C3), relu("relu3"), pool("s4", 2, 2, kind="subsample"),
    conv("c5", 20, 5), relu("relu5"), dense("f6", 14), relu("relu6"), dense("output", 10), plain("prob", "softmax"),
]  # fmt: skip

# 3-D max pooling over pairs and over triples of maps.
POOL3D = (2, 16, 13), [
    conv("conv1", 8, 3, 1, 1), relu("relu1"), pool("pool1", 2, 2, maps=2),
    conv("conv2", 6, 3, 1, 1), relu("relu2"), pool("pool2", 3, 2, ceil=True, maps=3), conv("conv3", 3, 2), relu("relu3"),
]  # fmt: skip

# Captum's one-convolution case, with the numbers published in its tests (semantics, reference values).
CAPTUM = (1, 4, 4), [conv("conv", 2, 3), relu("relu"), dense("fc", 4), relu("out")]

# AlexNet of 2012 (Krizhevsky), channels divided by 16: groups, LRN after pooling, three dense layers.
ALEXNET = (3, 67, 71), [
    conv("conv1", 12, 11, 4), relu("relu1"), pool("pool1", 3, 2), lrn("norm1", 5, 1e-1),
    conv("conv2", 32, 5, 1, 2, groups=2), relu("relu2"), pool("pool2", 3, 2), lrn("norm2", 5, 1e-1),
    conv("conv3", 48, 3, 1, 1), relu("relu3"), conv("conv4", 48, 3, 1, 1, groups=2), relu("relu4"),
    conv("conv5", 32, 3, 1, 1, groups=2), relu("relu5"), pool("pool5", 3, 2),
    dense("fc6", 24), relu("relu6"), plain("drop6", "dropout"), dense("fc7", 20), relu("relu7"),
    plain("drop7", "dropout"), dense("fc8", 10), plain("prob", "softmax"),
]  # fmt: skip

# ZFNet (Zeiler and Fergus 2014), channels divided by 16: ceil pools, no groups.
ZFNET = (3, 64, 68), [
    conv("conv1", 6, 7, 2, 1), relu("relu1"), pool("pool1", 3, 2, ceil=True), lrn("norm1", 5, 1e-1),
    conv("conv2", 16, 5, 2), relu("relu2"), pool("pool2", 3, 2, ceil=True), lrn("norm2", 5, 1e-1),
    conv("conv3", 24, 3, 1, 1), relu("relu3"), conv("conv4", 24, 3, 1, 1), relu("relu4"),
    conv("conv5", 16, 3, 1, 1), relu("relu5"), pool("pool5", 3, 2), dense("fc6", 12), relu("relu6"),
]  # fmt: skip


def fire(n, before, squeeze, expand):
    name = f"fire{n}"
    return [
        {**conv(f"{name}/squeeze1x1", squeeze, 1), "inputs": [before]}, relu(f"{name}/relu_squeeze1x1"),
        conv(f"{name}/expand1x1", expand, 1), relu(f"{name}/relu_expand1x1"),
        {**conv(f"{name}/expand3x3", expand, 3, 1, 1), "inputs": [f"{name}/relu_squeeze1x1"]}, relu(f"{name}/relu_expand3x3"),
        plain(f"{name}/concat", "concat", inputs=[f"{name}/relu_expand1x1", f"{name}/relu_expand3x3"]),
    ]  # fmt: skip


# SqueezeNet 1.1 with four fire modules, channels divided by 8 and less.
SQUEEZENET = (3, 55, 49), [
    conv("conv1", 8, 3, 2), relu("relu_conv1"), pool("pool1", 3, 2, ceil=True),
    *fire(2, "pool1", 4, 8), *fire(3, "fire2/concat", 4, 8), pool("pool3", 3, 2, ceil=True),
    *fire(4, "pool3", 5, 12), pool("pool5", 3, 2, ceil=True), *fire(5, "pool5", 6, 12), plain("drop9", "dropout"),
    conv("conv10", 10, 1), relu("relu_conv10"), plain("pool10", "global_avg"), plain("prob", "softmax"),
]  # fmt: skip

# What imported networks bring and the papers never met, each function under each rule.
IMPORTED = (3, 9, 10), [
    plain("pad1", "pad", pad=[1, 2, 2, 1], mode="reflect"),
    conv("conv1", 6, 3), plain("leaky1", "leaky", alpha=0.2), pool("pool1", 2, 2),
    plain("scale1", "scale"), plain("prelu1", "prelu"),
    plain("pad2", "pad", pad=[1, 0, 0, 1], mode="edge"), conv("conv2", 4, 3, 1, 1), plain("clip2", "clip", min=0, max=0.9),
    {**conv("gates", 4, 1), "inputs": ["clip2"]}, plain("sigmoid", "sigmoid"),
    plain("gated", "product", inputs=["clip2", "sigmoid"]),
    {**conv("up", 4, 3, 2, [1, 0, 0, 1]), "kind": "conv_transpose", "groups": 2, "output_pad": [1, 0]},
    plain("tanh", "tanh"), plain("turned", "transpose", order=[1, 0, 2]), plain("back", "transpose", order=[1, 0, 2]),
    plain("border", "pad", pad=[1, 1, 0, 0], value=0.3), plain("clip3", "clip", min=-0.4),
    plain("each", "scale"), plain("peak", "global_max"), plain("pairs", "reshape", shape=[2, 2, 1]),
    dense("fc", 5), plain("log", "log_softmax"),
]  # fmt: skip

NETS = {
    "overlap": OVERLAP, "ties": TIES, "ceil": CEIL, "grouped": GROUPED, "stride4": STRIDE4, "stride2": STRIDE2,
    "dilated": DILATED, "lrn": LRN, "fire": FIRE, "residual": RESIDUAL, "average": AVERAGE, "lenet": LENET,
    "pool3d": POOL3D, "captum": CAPTUM, "alexnet": ALEXNET, "zfnet": ZFNET, "squeezenet": SQUEEZENET,
    "imported": IMPORTED,
}  # fmt: skip


def weights(name, rng):
    """Weights by layer name, float32-representable; needs the shapes, so it walks the layers."""
    shape, layers = NETS[name]
    from reference import Reference

    out, sizes, before = {}, {"data": shape}, "data"
    for layer in layers:
        inputs = layer.get("inputs") or [before]
        ins = [sizes[i] for i in inputs]
        n, kind, c = layer["name"], layer["kind"], ins[0][0]
        if kind == "conv":
            fan = c // layer.get("groups", 1), *layer["kernel"]
            out[f"{n}.weight"] = rng.normal(0, (2 / np.prod(fan)) ** 0.5, (layer["filters"], *fan))
            out[f"{n}.bias"] = rng.normal(0, 0.1, layer["filters"])
        elif kind == "dense":
            fan = int(np.prod(ins[0]))
            out[f"{n}.weight"] = rng.normal(0, (2 / fan) ** 0.5, (layer["units"], fan))
            out[f"{n}.bias"] = rng.normal(0, 0.1, layer["units"])
        elif kind == "batch_norm":
            out[f"{n}.mean"], out[f"{n}.var"] = rng.normal(0, 0.3, c), rng.uniform(0.3, 2, c)
            out[f"{n}.weight"], out[f"{n}.bias"] = rng.uniform(-0.3, 1.5, c), rng.normal(0, 0.2, c)
        elif kind == "subsample":
            out[f"{n}.weight"], out[f"{n}.bias"] = rng.uniform(0.1, 0.4, c), rng.normal(0, 0.1, c)
        elif kind == "conv_transpose":
            fan = layer["filters"] // layer["groups"], *layer["kernel"]
            out[f"{n}.weight"] = rng.normal(0, (2 / np.prod(fan)) ** 0.5, (c, *fan))
            out[f"{n}.bias"] = rng.normal(0, 0.1, layer["filters"])
        elif kind == "prelu":
            out[f"{n}.slope"] = rng.uniform(-0.2, 0.5, c)
        elif kind == "scale":
            # One number per map; the second of a network one per value.
            shape = (c,) if n.endswith("1") else ins[0]
            out[f"{n}.weight"], out[f"{n}.bias"] = rng.uniform(-1.5, 1.5, shape), rng.normal(0, 0.2, c)
        special(name, n, out, rng)
        zeros = [np.zeros(s) for s in ins]
        one = Reference({"layers": []}, out, zeros[0])
        sizes[n] = getattr(one, "push_" + kind)(layer, *zeros).shape
        before = n
    return {k: v.astype(np.float32) for k, v in out.items()}


def special(net, layer, out, rng):
    if net == "ties" and layer == "conv1":
        out["conv1.weight"] = rng.integers(-2, 3, out["conv1.weight"].shape).astype(float)
        out["conv1.bias"] = rng.integers(-1, 2, 5).astype(float)
    if net == "ties" and layer == "conv2":
        out["conv2.bias"] -= np.array([0, 1, 2, 3, 5, 30.0])
    if net == "captum" and layer == "conv":
        out["conv.weight"], out["conv.bias"] = np.ones((2, 1, 3, 3)), np.array([-50.0, -75])
    if net == "captum" and layer == "fc":
        out["fc.weight"] = np.tile([1.0] * 5 + [-1.0] * 3, (4, 1))
        del out["fc.bias"]
    if net == "stride4" and layer == "conv1":
        del out["conv1.bias"]
    if net == "residual" and layer == "bn2a":
        del out["bn2a.weight"], out["bn2a.bias"]


def image(name, rng):
    shape, _ = NETS[name]
    if name == "captum":
        return np.arange(16, dtype=np.float32).reshape(shape)
    if name == "ties":
        return rng.integers(0, 4, shape).astype(np.float32) - 1
    # Smooth shapes under noise, as photos are: neighbours differ a little, never by nothing.
    c, h, w = shape
    y, x = np.mgrid[0:h, 0:w]
    smooth = [np.sin(y / rng.uniform(2, 9) + rng.uniform(0, 6)) * np.cos(x / rng.uniform(2, 9)) for _ in range(c)]
    return (np.stack(smooth) + rng.normal(0, 0.5, shape)).astype(np.float32)
