#!/usr/bin/env python3
"""Writes tests/data/pickle: one structure pickled by every protocol, and as NumPy 1 named its modules.

Needs numpy. What the files hold is said in src/format/pickle/tests.rs.
"""
import pathlib
import pickle

import numpy as np

out = pathlib.Path(__file__).resolve().parent.parent / "data" / "pickle"
out.mkdir(parents=True, exist_ok=True)
net = {"w": np.arange(6, dtype="<f4").reshape(2, 3), "b": np.array([0.5, -1], ">f8")}
value = {
    "net": [net, "text", 7, 1.5, None, True],
    "f": np.asfortranarray(np.array([[1, 2], [3, 4]], "<i2")),
    "s": np.float32(2.5),
}
for protocol in range(6):
    (out / f"protocol{protocol}.pkl").write_bytes(pickle.dumps(value, protocol=protocol))
# Protocol 3 names modules in plain lines, so the older name can be put in their place.
old = pickle.dumps(value, protocol=3).replace(b"numpy._core.", b"numpy.core.")
(out / "numpy1.pkl").write_bytes(old)
