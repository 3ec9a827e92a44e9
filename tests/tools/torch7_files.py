"""Torch7 `.t7` files without Torch7, and what the network in them computes, by an independent reference.

    pip install onnx==1.23.2 safetensors torchfile==0.1.0 && python3 tests/tools/torch7_files.py

Writes tests/data/torch7/: net.t7 (every kind of join, old and new dropout, a view), net.safetensors (its values), odd.t7
(a module that nobody knows). Each is read back with `torchfile`, an independent reader.
"""

import os
import struct
import sys

import numpy as np

HERE = os.path.join(os.path.dirname(__file__), "..", "data")
sys.path.insert(0, HERE)


class Module:
    def __init__(self, name, **fields):
        self.name, self.fields = name, fields


class Writer:
    def __init__(self):
        self.out, self.index = bytearray(), 0

    def int(self, v):
        self.out += struct.pack("<i", v)

    def text(self, s):
        self.int(len(s))
        self.out += s.encode()

    def head(self, name):
        self.index += 1
        self.int(4)
        self.int(self.index)
        self.text("V 1")
        self.text(name)

    def write(self, v):
        if v is None:
            self.int(0)
        elif isinstance(v, bool):
            self.int(5)
            self.int(int(v))
        elif isinstance(v, (int, float)):
            self.int(1)
            self.out += struct.pack("<d", v)
        elif isinstance(v, str):
            self.int(2)
            self.text(v)
        elif isinstance(v, np.ndarray) and v.dtype == np.int64:
            # A LongStorage, as a View's size is.
            self.head("torch.LongStorage")
            self.out += struct.pack("<q", v.size) + v.tobytes()
        elif isinstance(v, np.ndarray):
            self.head("torch.FloatTensor")
            self.int(v.ndim)
            self.out += struct.pack(f"<{v.ndim}q", *v.shape)
            self.out += struct.pack(f"<{v.ndim}q", *(s // 4 for s in v.strides))
            self.out += struct.pack("<q", 1)
            self.head("torch.FloatStorage")
            self.out += struct.pack("<q", v.size) + v.tobytes()
        elif isinstance(v, Module):
            self.head(v.name)
            self.write(v.fields)
        else:
            items = list(v.items()) if isinstance(v, dict) else [(i + 1, x) for i, x in enumerate(v)]
            self.index += 1
            self.int(3)
            self.int(self.index)
            self.int(len(items))
            for key, value in items:
                self.write(key)
                self.write(value)

    def save(self, v, path):
        self.write(v)
        with open(path, "wb") as f:
            f.write(self.out)
        import torchfile

        torchfile.load(path)


def nn(name, *modules, **fields):
    """A module of torch's nn with its children and fields."""
    if modules:
        fields["modules"] = list(modules)
    return Module(f"nn.{name}", train=False, **fields)


def main():
    os.makedirs(os.path.join(HERE, "torch7"), exist_ok=True)
    from make_onnx import Net

    n = Net(5)

    def weight(*shape):
        name = n.weight(*shape)
        from onnx import numpy_helper

        return name, numpy_helper.to_array(n.constants[-1])

    def conv(key, x, c, o, k, stride=1, pad=0, flat=False):
        (wn, w), (bn, b) = weight(o, c, k, k), weight(o)
        y = n.add("Conv", key, x, wn, bn, strides=[stride] * 2, pads=[pad] * 4)
        kind = "SpatialConvolutionMM" if flat else "SpatialConvolution"
        w = w.reshape(o, -1).copy() if flat else w
        return y, nn(kind, nInputPlane=c, nOutputPlane=o, kW=k, kH=k, dW=stride, dH=stride, padW=pad, padH=pad, weight=w, bias=b)

    y, c1 = conv("conv1", "x", 3, 4, 3, flat=True)
    y = n.add("Relu", "relu1", y)
    y = n.add("MaxPool", "pool1", y, kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)
    y = n.add("LRN", "norm1", y, size=3, alpha=0.2, beta=0.75, bias=1.0)
    a, ca = conv("conv2", y, 4, 2, 1)
    z, cb = conv("conv3", y, 4, 3, 3, pad=1)
    z = n.add("Tanh", "tanh1", z)
    y = n.add("Concat", "concat1", a, z, axis=1)
    (gn, g), (bn, b), (mn, m) = weight(5), weight(5), weight(5)
    vn = n.weight(5, scale=0.1, offset=1.0)
    from onnx import numpy_helper

    v = numpy_helper.to_array(n.constants[-1])
    y = n.add("BatchNormalization", "bn1", y, gn, bn, mn, vn)
    s, cs = conv("conv4", y, 5, 5, 3, pad=1)
    y = n.add("Add", "sum1", s, y)
    y = n.add("AveragePool", "pool2", y, kernel_shape=[2, 2], strides=[2, 2], pads=[1, 1, 1, 1], count_include_pad=1)
    y = n.add("Mul", "drop1", y, n.constant(np.float32(0.5)))
    y = n.add("Flatten", "flat", y)
    (wn, w), (bn2, b2) = weight(6, 5 * 7 * 7), weight(6)
    y = n.add("Gemm", "fc1", y, wn, bn2, transB=1)
    n.add("Softmax", "prob1", y, axis=1)
    x = n.random.standard_normal((1, 3, 28, 28)).astype(np.float32)
    values = n.values("t7", 17, [1, 3, 28, 28], x)
    from safetensors.numpy import save_file

    keep = {k: values[k] for k in ("x", "concat1", "sum1", "fc1", "prob1")}
    save_file(keep, os.path.join(HERE, "torch7", "net.safetensors"))
    net = nn(
        "Sequential",
        c1,
        nn("Threshold", threshold=1e-6, val=0, inplace=True),
        nn("SpatialMaxPooling", kW=3, kH=3, dW=2, dH=2, padW=0, padH=0, ceil_mode=True),
        nn("SpatialCrossMapLRN", size=3, alpha=0.2, beta=0.75, k=1),
        nn("DepthConcat", nn("Sequential", ca), nn("Sequential", cb, nn("Tanh")), dimension=2),
        nn("SpatialBatchNormalization", running_mean=m, running_var=v, weight=g, bias=b, eps=1e-5, affine=True),
        nn("ConcatTable", cs, nn("Identity")),
        nn("CAddTable", inplace=False),
        nn("SpatialAveragePooling", kW=2, kH=2, dW=2, dH=2, padW=1, padH=1, count_include_pad=True, divide=True),
        nn("Dropout", p=0.5),
        nn("View", size=np.array([5 * 7 * 7], np.int64), numElements=5 * 7 * 7),
        nn("Linear", weight=w, bias=b2),
        nn("Dropout", p=0.5, v2=True),
        nn("LogSoftMax"),
    )
    Writer().save(net, os.path.join(HERE, "torch7", "net.t7"))
    odd = nn("Sequential", nn("ReLU", inplace=False), nn("SpatialFractionalMaxPooling", ratio=0.7))
    Writer().save(odd, os.path.join(HERE, "torch7", "odd.t7"))


if __name__ == "__main__":
    main()
