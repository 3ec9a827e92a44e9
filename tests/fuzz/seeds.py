"""Seeds for tests/fuzz/run.sh whose files are not among the fixtures: python3 seeds.py TARGET FOLDER."""

import json
import pathlib
import struct
import sys


def npy(descr, shape, data, fortran=False):
    header = f"{{'descr': '{descr}', 'fortran_order': {fortran}, 'shape': {shape}, }}"
    header = header.ljust(117) + "\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(header)) + header.encode() + data


def idx(kind, axes, data):
    return struct.pack(">HBB", 0, kind, len(axes)) + struct.pack(f">{len(axes)}I", *axes) + data


def tensor(dims, kind, values):
    """A TensorProto: dims, data_type, raw_data."""
    raw = struct.pack(f"<{len(values)}f", *values) if kind == 1 else struct.pack(f"<{len(values)}q", *values)
    return b"".join(b"\x08" + bytes([d]) for d in dims) + b"\x10" + bytes([kind]) + b"\x4a" + bytes([len(raw)]) + raw


def safetensors(metadata, tensors):
    header, data = {"__metadata__": metadata}, b""
    for name, (dtype, shape, values) in tensors.items():
        header[name] = {"dtype": dtype, "shape": shape, "data_offsets": [len(data), len(data) + len(values)]}
        data += values
    text = json.dumps(header).encode()
    return struct.pack("<Q", len(text)) + text + data


LAYER = {"lambda": 1.0, "pool_side": 2, "pool_maps": 1}
ABOUT = {"side": 16, "sigma": 3.0, "channels": 1, "layers": [LAYER]}
SEEDS = {
    "npy": [npy("<f4", (2, 3), bytes(24)), npy(">f8", (2,), bytes(16), True), npy("|u1", (), b"1"), npy("<f2", (1, 1, 2, 2), bytes(8))],
    "idx": [idx(8, [2, 2, 2], bytes(8)), idx(8, [3], bytes(3))],
    "test_data": [tensor([1, 2, 1, 1], 1, [1.0, 2.0]), tensor([2, 3], 1, [0.0] * 6), tensor([2], 7, [1, 2])],
    "dictionary": [
        safetensors({"dictionary": json.dumps(ABOUT)}, {"layer1.weight": ("F32", [2, 1, 2, 2], struct.pack("<8f", *[0.5] * 8))})
    ],
}
target, folder = sys.argv[1:]
for i, seed in enumerate(SEEDS[target]):
    pathlib.Path(folder, f"seed{i}").write_bytes(seed)
