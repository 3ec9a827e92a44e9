"""Small ONNX networks with the value of every node, by the ONNX project's own reference evaluator.

    pip install onnx==1.23.2 safetensors && python3 tests/data/make_onnx.py

Writes tests/data/onnx/NAME.onnx and NAME.safetensors (`x`, and every node's output under the node's name).
"""

import os

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator
from onnx.reference.op_run import OpRun
from safetensors.numpy import save_file

HERE = os.path.join(os.path.dirname(__file__), "onnx")


class LRN(OpRun):
    """The definition; the evaluator's own (1.23.2) sums over as many channels as there are pictures."""

    op_domain = ""

    def _run(self, x, alpha=None, beta=None, bias=None, size=None):
        lo, hi = (size - 1) // 2, size - 1 - (size - 1) // 2
        squares = [(x[:, max(0, c - lo) : c + hi + 1] ** 2).sum(1) for c in range(x.shape[1])]
        return ((x / (bias + alpha / size * np.stack(squares, 1)) ** beta).astype(x.dtype),)


class Net:
    def __init__(self, seed):
        self.random = np.random.default_rng(seed)
        self.nodes, self.constants = [], []

    def weight(self, *shape, scale=0.4, dtype=np.float32, offset=0.0):
        return self.constant((self.random.standard_normal(shape) * scale + offset).astype(dtype))

    def constant(self, value):
        name = f"c{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(value), name))
        return name

    def add(self, operator, name, *inputs, **attributes):
        self.nodes.append(helper.make_node(operator, list(inputs), [f"{name}:0"], name=name, **attributes))
        return f"{name}:0"

    def model(self, name, opset, shape, ir=8):
        out = self.nodes[-1].output[0]
        graph = helper.make_graph(
            self.nodes,
            name,
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, shape)],
            [helper.make_tensor_value_info(out, TensorProto.FLOAT, None)],
            self.constants,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir)
        model.producer_name = "make_onnx.py"
        return model

    def values(self, name, opset, shape, x):
        """The value of every node, and of the input: all of them as outputs."""
        names = [n.output[0] for n in self.nodes]
        probe = self.model(name, opset, shape)
        del probe.graph.output[:]
        probe.graph.output.extend(onnx.ValueInfoProto(name=n) for n in names)
        found = ReferenceEvaluator(probe, new_ops=[LRN]).run(None, {"x": x})
        return {"x": x, **{n.name: np.ascontiguousarray(v, np.float32) for n, v in zip(self.nodes, found)}}

    def save(self, name, opset, shape, x):
        onnx.save(self.model(name, opset, shape), os.path.join(HERE, f"{name}.onnx"))
        save_file(self.values(name, opset, shape, x), os.path.join(HERE, f"{name}.safetensors"))


def residual():
    n = Net(1)
    y = n.add("Conv", "conv1", "x", n.weight(6, 3, 3, 3), pads=[1, 1, 1, 1])
    y = n.add("BatchNormalization", "bn1", y, n.weight(6), n.weight(6), n.weight(6), n.weight(6, scale=0.1, offset=1.0))
    y = n.add("Relu", "relu1", y)
    skip = n.add("MaxPool", "pool1", y, kernel_shape=[3, 3], strides=[2, 2], pads=[1, 1, 1, 1])
    y = n.add("Conv", "conv2", skip, n.weight(6, 3, 3, 3), n.weight(6), group=2, auto_pad="SAME_UPPER")
    y = n.add("Add", "add", y, skip)
    y = n.add("Clip", "relu6", y, n.constant(np.float32(0)), n.constant(np.float32(6)))
    y = n.add("AveragePool", "pool2", y, kernel_shape=[2, 2], strides=[2, 2], ceil_mode=1)
    y = n.add("GlobalAveragePool", "mean", y)
    y = n.add("Flatten", "flat", y)
    n.add("Gemm", "fc", y, n.weight(5, 6), n.weight(5), transB=1, alpha=0.5)
    n.save("residual", 17, ["batch", 3, 11, 9], n.random.standard_normal((1, 3, 11, 9)).astype(np.float32))


def keras():
    """As tf2onnx writes: pictures as rows, columns, channels, and shapes that are computed; float16 weights."""
    n = Net(2)
    y = n.add("Transpose", "to_chw", "x", perm=[0, 3, 1, 2])
    half = n.add("Cast", "single", n.weight(4, 3, 5, 5, dtype=np.float16), to=TensorProto.FLOAT)
    y = n.add("Conv", "conv", y, half, n.weight(4), strides=[2, 2], auto_pad="SAME_UPPER")
    y = n.add("LeakyRelu", "leaky", y, alpha=0.2)
    y = n.add("Transpose", "to_hwc", y, perm=[0, 2, 3, 1])
    shape = n.add("Shape", "shape", y)
    batch = n.add("Gather", "batch", shape, n.constant(np.int64(0)), axis=0)
    batch = n.add("Unsqueeze", "batches", batch, n.constant(np.array([0], np.int64)))
    target = n.add("Concat", "target", batch, n.constant(np.array([-1], np.int64)), axis=0)
    y = n.add("Reshape", "flat", y, target)
    y = n.add("MatMul", "dense", y, n.weight(4 * 4 * 5, 6))
    y = n.add("Add", "bias", y, n.weight(6))
    n.add("Softmax", "prob", y)
    n.save("keras", 13, [1, 7, 9, 3], n.random.standard_normal((1, 7, 9, 3)).astype(np.float32))


def decoder():
    n = Net(3)
    scale = n.constant(np.array([0.02, 0.03, 0.01, 0.02], np.float32))
    zero = n.constant(np.array([1, 0, -2, 0], np.int8))
    stored = n.constant(n.random.integers(-127, 127, (4, 3, 3, 3)).astype(np.int8))
    w = n.add("DequantizeLinear", "int8", stored, scale, zero, axis=0)
    y = n.add("Sub", "centre", "x", n.constant(np.array([[[0.1]], [[0.2]], [[0.3]]], np.float32)))
    y = n.add("Div", "scale", y, n.constant(np.float32(0.5)))
    y = n.add("Pad", "pad", y, n.constant(np.array([0, 0, 1, 2, 0, 0, 2, 1], np.int64)), mode="reflect")
    y = n.add("Conv", "conv", y, w)
    y = n.add("PRelu", "prelu", y, n.weight(4, 1, 1))
    y = n.add("LRN", "lrn", y, size=3, alpha=0.3, bias=1.5)
    gate = n.add("Sigmoid", "gate", n.add("Conv", "gates", y, n.weight(4, 4, 1, 1)))
    y = n.add("Mul", "gated", y, gate)
    up = n.add(
        "ConvTranspose", "up", y, n.weight(4, 2, 3, 3), n.weight(2), strides=[2, 2], pads=[1, 0, 1, 1],
        output_padding=[1, 0],
    )
    up = n.add("Tanh", "tanh", up)
    up = n.add("Concat", "both", up, up, axis=1)
    y = n.add("GlobalMaxPool", "peak", up)
    y = n.add("Squeeze", "squeeze", y, n.constant(np.array([2, 3], np.int64)))
    n.add("LogSoftmax", "log", y)
    n.save("decoder", 19, [1, 3, 6, 7], n.random.standard_normal((1, 3, 6, 7)).astype(np.float32))


if __name__ == "__main__":
    os.makedirs(HERE, exist_ok=True)
    residual()
    keras()
    decoder()
