"""Our files from Python: `python3 tests/tools/read_back.py M.safetensors` lists layers and weights (pip install safetensors)."""

import json
import sys

from safetensors import safe_open

with safe_open(sys.argv[1], "numpy") as model:
    spec = json.loads(model.metadata()["spec"])
    names = set(model.keys())
    for layer in spec["layers"]:
        parts = sorted(n for n in names if n.rsplit(".", 1)[0] == layer["name"])
        shapes = ", ".join(f"{n.rsplit('.', 1)[1]} {model.get_tensor(n).shape}" for n in parts)
        print(f"{layer['name']:24} {layer['kind']:14} {shapes}")
        names.difference_update(parts)
    assert not names, f"weights of no layer: {names}"
    print(f"{spec['name']}: {len(spec['layers'])} layers, input {spec['input']}")
