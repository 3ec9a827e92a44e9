"""The ONNX project's own backend tests, run through `unpool convert` and `unpool run`.

    pip install onnx==1.23.2 && python3 tests/tools/onnx_suite.py [target/release/unpool]

A case is taken when all its operators are among OPERATORS. It passes when the output agrees to rtol 1e-3, atol 1e-5,
is refused when the command line declines it with a sentence that names the node or the input, and is wrong
otherwise: then this exits with 1. A network here has one input, so every further input becomes a constant; and it takes one
picture at a time, so a batch is run picture by picture.
"""

import json
import os
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import onnx
from onnx import numpy_helper

PINNED = "1.23.2"
OPERATORS = set(
    "Conv ConvTranspose MaxPool AveragePool GlobalAveragePool GlobalMaxPool LRN Relu LeakyRelu PRelu Clip Sigmoid Tanh "
    "Softmax LogSoftmax BatchNormalization Gemm MatMul Add Mul Sub Div Sum Concat Flatten Reshape Transpose Dropout Identity "
    "Pad Squeeze Unsqueeze Constant ConstantOfShape ReduceMean ReduceMax Cast Shape Expand DequantizeLinear".split()
)
# Value by value, so that a second operand may be cut into pictures as the first is.
ELEMENTWISE = set("Add Mul Sub Div Sum PRelu Relu LeakyRelu Clip Sigmoid Tanh Identity Dropout Cast".split())


def cases():
    """Name, model, first input, further inputs by name, first output."""
    from onnx.backend.test.case.node import collect_testcases
    from onnx.backend.test.loader import load_model_tests

    def arrays(values):
        return [numpy_helper.to_array(v) if isinstance(v, onnx.TensorProto) else v for v in values]

    for case in collect_testcases():
        ops = {n.op_type for n in case.model.graph.node}
        if ops <= OPERATORS:
            inputs, outputs = case.data_sets[0]
            yield "node", case.name, case.model, arrays(inputs), arrays(outputs)
    for kind in ("simple", "pytorch-converted", "pytorch-operator"):
        for case in load_model_tests(kind=kind):
            model = onnx.load(os.path.join(case.model_dir, "model.onnx"))
            folder = os.path.join(case.model_dir, "test_data_set_0")
            if not {n.op_type for n in model.graph.node} <= OPERATORS or not os.path.isdir(folder):
                continue

            def read(what):
                out, i = [], 0
                while os.path.exists(path := os.path.join(folder, f"{what}_{i}.pb")):
                    with open(path, "rb") as f:
                        out.append(numpy_helper.to_array(onnx.TensorProto.FromString(f.read())))
                    i += 1
                return out

            yield kind, case.name, model, read("input"), read("output")
    light = os.path.join(os.path.dirname(onnx.__file__), "backend", "test", "data", "light")
    for name in sorted(os.listdir(light)):
        if name.endswith(".onnx"):
            with open(os.path.join(light, name.replace(".onnx", "_output_0.pb")), "rb") as f:
                output = numpy_helper.to_array(onnx.TensorProto.FromString(f.read()))
            model = onnx.load(os.path.join(light, name))
            names = {i.name for i in model.graph.initializer}
            [picture] = [i for i in model.graph.input if i.name not in names]
            shape = [d.dim_value for d in picture.type.tensor_type.shape.dim]
            # The backend test of these models feeds this very ramp.
            size = int(np.prod(shape))
            ramp = (np.arange(size, dtype=np.float32).reshape(shape) / np.float32(size)).astype(np.float32)
            yield "light", name[:-5], model, [ramp], [output]


def single(model, inputs, item, batch):
    """The model with its first input cut to one picture and all others as constants."""
    one = onnx.ModelProto.FromString(model.SerializeToString())
    known = {i.name for i in one.graph.initializer}
    free = [i for i in one.graph.input if i.name not in known]
    cut = {n.op_type for n in one.graph.node} <= ELEMENTWISE
    for info, value in list(zip(free, inputs))[1:]:
        if value is None:
            continue
        value = np.asarray(value)
        if cut and batch > 1 and value.ndim == inputs[0].ndim and value.shape[0] == batch:
            value = value[item : item + 1]
        one.graph.initializer.append(numpy_helper.from_array(value, info.name))
        one.graph.input.remove(info)
    if batch > 1:
        free[0].type.tensor_type.shape.dim[0].dim_value = 1
    return one


def run(binary, folder, case):
    kind, name, model, inputs, outputs = case
    if not inputs or not isinstance(inputs[0], np.ndarray) or not inputs[0].size:
        return name, kind, "skipped", "the case has no values as its first input"
    x, want = inputs[0], np.asarray(outputs[0])
    batch = x.shape[0] if x.ndim else 1
    got = []
    base = os.path.join(folder, f"{kind}-{name}")
    for item in range(batch):
        paths = {k: f"{base}.{k}" for k in ("onnx", "safetensors", "x.npy", "y.npy")}
        onnx.save(single(model, inputs, item, batch), paths["onnx"])
        done = subprocess.run(
            [binary, "convert", paths["onnx"], "--json", "--output", paths["safetensors"]], capture_output=True, text=True
        )
        if done.returncode == 1:
            return name, kind, "refused", done.stderr.strip()
        if done.returncode:
            return name, kind, "wrong", f"exit {done.returncode}: {done.stderr.strip()}"
        report = json.loads(done.stdout)["report"]
        picture = x[item].astype(np.float32)
        # N,C · N,C,L · N,C,H,W · N,C,D,H,W → channels, rows, columns
        shape = {0: [1, 1, 1], 1: [-1, 1, 1], 2: [len(picture), 1, -1], 3: picture.shape}.get(
            picture.ndim, [*picture.shape[:2], -1] if picture.ndim else None
        )
        np.save(paths["x.npy"], np.ascontiguousarray(picture.reshape(shape)))
        done = subprocess.run(
            [binary, "run", paths["safetensors"], paths["x.npy"], "--layer", report["output"], "--output", paths["y.npy"]],
            capture_output=True, text=True,
        )
        # Some cases feed what float32 cannot hold; the engine says so and computes nothing.
        if done.returncode == 1 and not np.isfinite(picture).all():
            return name, kind, "refused", done.stderr.strip()
        if done.returncode:
            return name, kind, "wrong", f"run, exit {done.returncode}: {done.stderr.strip()}"
        got.append(np.load(paths["y.npy"]).ravel())
        for path in paths.values():
            os.unlink(path)
    got = np.concatenate(got)
    if got.size != want.size:
        return name, kind, "wrong", f"{got.size} values, {want.shape} are wanted"
    if not np.allclose(got, want.ravel().astype(np.float32), rtol=1e-3, atol=1e-5, equal_nan=True):
        off = np.abs(got - want.ravel()).max()
        return name, kind, "wrong", f"off by {off:.2e} of {np.abs(want).max():.2e}"
    return name, kind, "passed", ""


def main():
    binary = sys.argv[1] if len(sys.argv) > 1 else "target/release/unpool"
    if onnx.__version__ != PINNED:
        sys.exit(f"onnx {PINNED} is wanted, here is {onnx.__version__}")
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(2) as pool:
        results = list(pool.map(lambda c: run(binary, folder, c), cases()))
    for what in ("refused", "wrong"):
        for name, kind, state, text in results:
            if state == what:
                print(f"{what:8} {kind:18} {name}: {text}")
    count = {s: sum(r[2] == s for r in results) for s in ("passed", "refused", "wrong", "skipped")}
    print(
        f"{len(results)} cases: {count['passed']} passed, {count['refused']} refused by name, {count['wrong']} wrong, "
        f"{count['skipped']} without an input"
    )
    sys.exit(count["wrong"] > 0)


if __name__ == "__main__":
    main()
