"""A checkpoint as cuda-convnet pickles it, and what it computes, in float64: tests/data/cuda_convnet/.

    python3 tests/tools/cuda_convnet_files.py
"""

import os
import pickle

import numpy as np
from safetensors.numpy import save_file

HERE = os.path.join(os.path.dirname(__file__), "..", "data", "cuda_convnet")
random = np.random.default_rng(3)


def windows(x, size, stride, pad, fill):
    """All windows, the number of them rounded up, as channels × rows × columns × size × size."""
    c, n, _ = x.shape
    count = -(-(n + 2 * pad - size) // stride) + 1
    full = (count - 1) * stride + size
    p = np.full((c, max(full, n + pad), max(full, n + pad)), fill)
    p[:, pad : pad + n, pad : pad + n] = x
    s = [range(i * stride, i * stride + size) for i in range(count)]
    return np.stack([np.stack([p[:, a][:, :, b] for b in s], 1) for a in s], 1)


def main():
    os.makedirs(HERE, exist_ok=True)
    x = random.standard_normal((2, 9, 9))
    w = random.standard_normal((2 * 4 * 4, 3)) * 0.3
    b = random.standard_normal((3, 1))
    got = {"x": x}
    y = np.einsum("crsij,cijf->frs", windows(x, 4, 2, 1, 0.0), w.reshape(2, 4, 4, 3)) + b[:, :, None]
    got["conv1"] = y
    got["relu1"] = y = np.maximum(y, 0)
    got["pool1"] = y = windows(y, 3, 2, 0, -np.inf).max((-1, -2))
    squares = np.stack([(y[max(0, c - 1) : c + 2] ** 2).sum(0) for c in range(3)])
    got["norm1"] = y = y / (1 + 0.1 * squares) ** 0.75
    fw, fb = random.standard_normal((y.size, 4)), random.standard_normal((1, 4))
    got["fc"] = y = y.ravel() @ fw + fb[0]
    got["probs"] = np.exp(y - y.max()) / np.exp(y - y.max()).sum()
    f4 = lambda a: np.asarray(a, np.float32)
    conv, pool = got["conv1"], got["pool1"]
    layers = [
        {"name": "data", "type": "data", "numOutputs": x.size},
        {"name": "labels", "type": "data", "numOutputs": 1},
        {
            "name": "conv1", "type": "conv", "inputs": [0], "filters": 3, "filterSize": [4], "stride": [2], "padding": [1],
            "groups": [1], "channels": [2], "imgSize": [9], "sharedBiases": 1, "outputs": conv.size,
            "weights": [f4(w)], "biases": f4(b),
        },
        {"name": "relu1", "type": "neuron", "inputs": [2], "neuron": {"type": "relu", "params": {}}, "outputs": conv.size},
        {
            "name": "pool1", "type": "pool", "inputs": [3], "pool": "max", "sizeX": 3, "start": 0, "stride": 2,
            "channels": 3, "imgSize": conv.shape[1], "outputsX": pool.shape[1], "outputs": pool.size,
        },
        {"name": "norm1", "type": "cmrnorm", "inputs": [4], "size": 3, "scale": 0.1, "pow": 0.75, "outputs": pool.size},
        {"name": "fc", "type": "fc", "inputs": [5], "outputs": 4, "numInputs": [pool.size], "weights": [f4(fw)], "biases": f4(fb)},
        {"name": "probs", "type": "softmax", "inputs": [6], "outputs": 4},
        {"name": "logprob", "type": "cost.logreg", "inputs": [1, 7]},
    ]
    with open(os.path.join(HERE, "net.pkl"), "wb") as f:
        pickle.dump({"model_state": {"layers": layers, "epoch": 3}, "op": None}, f, protocol=2)
    save_file({k: np.ascontiguousarray(v, np.float32) for k, v in got.items()}, os.path.join(HERE, "net.safetensors"))


if __name__ == "__main__":
    main()
