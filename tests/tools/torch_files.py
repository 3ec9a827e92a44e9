"""PyTorch checkpoints without PyTorch: the pickles that torch.save writes, from stand-ins of the same names.

    python3 tests/tools/torch_files.py                  the small fixtures in tests/data/torch
    python3 tests/tools/torch_files.py NAME FILE.pt     a whole network with seeded weights: alexnet, resnet50, …
                                                        (FILE.safetensors, FILE.npz likewise; .old.pt is the old form)
"""

import io
import os
import pickle
import struct
import sys
import types
import zipfile
from collections import OrderedDict

import numpy as np

HERE = os.path.join(os.path.dirname(__file__), "..", "data", "torch")
torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
sys.modules.update({"torch": torch, "torch._utils": utils})
STORAGES = {"float32": "FloatStorage", "float16": "HalfStorage", "int64": "LongStorage", "float64": "DoubleStorage"}
for _name in STORAGES.values():
    setattr(torch, _name, type(_name, (), {"__module__": "torch"}))


def _rebuild_tensor_v2(*_):
    raise NotImplementedError


_rebuild_tensor_v2.__module__ = "torch._utils"
utils._rebuild_tensor_v2 = _rebuild_tensor_v2


class Tensor:
    """An array, or a view of one."""

    def __init__(self, array):
        self.array = array

    def __reduce__(self):
        a = self.array
        base = a if a.base is None else a.base
        strides = tuple(s // a.itemsize for s in a.strides)
        return _rebuild_tensor_v2, (Storage(base), 0, a.shape, strides, False, OrderedDict())


class Storage:
    def __init__(self, base):
        self.base = base


class Pickler(pickle.Pickler):
    def __init__(self, out, legacy):
        super().__init__(out, protocol=2)
        self.legacy, self.storages = legacy, []

    def persistent_id(self, value):
        if not isinstance(value, Storage):
            return None
        if not any(value.base is s for s in self.storages):
            self.storages.append(value.base)
        key = str([value.base is s for s in self.storages].index(True))
        kind = getattr(torch, STORAGES[value.base.dtype.name])
        return ("storage", kind, key, "cpu", value.base.size) + ((None,) if self.legacy else ())


def save(value, path, legacy=False):
    out = io.BytesIO()
    pickler = Pickler(out, legacy)
    pickler.dump(value)
    if legacy:
        with open(path, "wb") as f:
            for head in (0x1950A86A20F9469CFC6C, 1001, {"protocol_version": 1001, "little_endian": True}):
                pickle.dump(head, f, protocol=2)
            f.write(out.getvalue())
            pickle.dump([str(i) for i in range(len(pickler.storages))], f, protocol=2)
            for s in pickler.storages:
                f.write(struct.pack("<q", s.size) + s.tobytes())
        return
    with zipfile.ZipFile(path, "w") as z:
        def put(name, data):
            z.writestr(zipfile.ZipInfo(f"archive/{name}"), data)

        put("data.pkl", out.getvalue())
        put("byteorder", b"little")
        for i, s in enumerate(pickler.storages):
            put(f"data/{i}", s.tobytes())
        put("version", b"3\n")


class Code:
    def __reduce__(self):
        return os.system, ("echo never",)


def fixtures():
    os.makedirs(HERE, exist_ok=True)
    weight = np.arange(6, dtype=np.float32).reshape(2, 3).copy()
    state = OrderedDict()
    state["a.weight"] = Tensor(weight)
    state["a.half"] = Tensor(np.array([0.5, -1], np.float16))
    state["turned"] = Tensor(weight.T)
    state["count"] = Tensor(np.array(7, np.int64))
    state._metadata = OrderedDict({"": {"version": 1}})
    for name, legacy in (("new.pt", False), ("old.pt", True)):
        save({"state_dict": state, "epoch": 3}, os.path.join(HERE, name), legacy)
    save({"weights": Code()}, os.path.join(HERE, "code.pt"))


def network(name, seed=0):
    """A state dict of torchvision's with weights that keep the signal alive."""
    random = np.random.default_rng(seed)
    out = OrderedDict()

    def weight(key, *shape, bias=True):
        fan = np.prod(shape[1:])
        out[f"{key}.weight"] = (random.standard_normal(shape, np.float32) * np.float32((2 / fan) ** 0.5))
        if bias:
            out[f"{key}.bias"] = random.standard_normal(shape[0], np.float32) * np.float32(0.1)

    def norm(key, n):
        out[f"{key}.weight"] = random.random(n, np.float32) + np.float32(0.5)
        for part in ("bias", "running_mean"):
            out[f"{key}.{part}"] = random.standard_normal(n, np.float32) * np.float32(0.1)
        out[f"{key}.running_var"] = random.random(n, np.float32) + np.float32(0.5)
        out[f"{key}.num_batches_tracked"] = np.array(1, np.int64)

    if name == "alexnet":
        for i, o, c, k in ((0, 64, 3, 11), (3, 192, 64, 5), (6, 384, 192, 3), (8, 256, 384, 3), (10, 256, 256, 3)):
            weight(f"features.{i}", o, c, k, k)
        for i, o, c in ((1, 4096, 9216), (4, 4096, 4096), (6, 1000, 4096)):
            weight(f"classifier.{i}", o, c)
    elif name.startswith("vgg"):
        blocks = {"11": (1, 1, 2, 2, 2), "13": (2,) * 5, "16": (2, 2, 3, 3, 3), "19": (2, 2, 4, 4, 4)}[name[3:5]]
        at, c = 0, 3
        for n, o in zip(blocks, (64, 128, 256, 512, 512)):
            for _ in range(n):
                weight(f"features.{at}", o, c, 3, 3)
                if name.endswith("_bn"):
                    norm(f"features.{at + 1}", o)
                at, c = at + (3 if name.endswith("_bn") else 2), o
            at += 1
        for i, o, c in ((0, 4096, 25088), (3, 4096, 4096), (6, 1000, 4096)):
            weight(f"classifier.{i}", o, c)
    elif name.startswith("squeezenet"):
        small = name.endswith("1_1")
        c = 64 if small else 96
        weight("features.0", c, 3, 3 if small else 7, 3 if small else 7)
        places = (3, 4, 6, 7, 9, 10, 11, 12) if small else (3, 4, 5, 7, 8, 9, 10, 12)
        for at, s in zip(places, (16, 16, 32, 32, 48, 48, 64, 64)):
            weight(f"features.{at}.squeeze", s, c, 1, 1)
            weight(f"features.{at}.expand1x1", 4 * s, s, 1, 1)
            weight(f"features.{at}.expand3x3", 4 * s, s, 3, 3)
            c = 8 * s
        weight("classifier.1", 1000, 512, 1, 1)
    else:
        depth = int(name[6:])
        counts = {18: (2, 2, 2, 2), 34: (3, 4, 6, 3), 50: (3, 4, 6, 3)}[depth]
        weight("conv1", 64, 3, 7, 7, bias=False)
        norm("bn1", 64)
        c = 64
        for stage, n in enumerate(counts):
            m = 64 << stage
            o = 4 * m if depth == 50 else m
            for b in range(n):
                p = f"layer{stage + 1}.{b}"
                steps = ((m, c, 1), (m, m, 3), (o, m, 1)) if depth == 50 else ((m, c, 3), (m, m, 3))
                for i, (f, g, k) in enumerate(steps):
                    weight(f"{p}.conv{i + 1}", f, g, k, k, bias=False)
                    norm(f"{p}.bn{i + 1}", f)
                if b == 0 and (stage > 0 or c != o):
                    weight(f"{p}.downsample.0", o, c, 1, 1, bias=False)
                    norm(f"{p}.downsample.1", o)
                c = o
        weight("fc", 1000, c)
    return out


if __name__ == "__main__":
    if len(sys.argv) == 1:
        fixtures()
    else:
        state, path = network(sys.argv[1]), sys.argv[2]
        if path.endswith(".safetensors"):
            from safetensors.numpy import save_file

            save_file(state, path)
        elif path.endswith(".npz"):
            np.savez(path, **state)
        else:
            save(OrderedDict((k, Tensor(v)) for k, v in state.items()), path, path.endswith(".old.pt"))
