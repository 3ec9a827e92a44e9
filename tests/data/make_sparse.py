"""Small sparse coding problems and their solutions: tests/data/sparse/*.json (python3 make_sparse.py; needs NumPy).

Independent of the Rust code: the linear map is a dense float64 matrix made by loops over taps, and the solver is cyclic
coordinate descent, run until the duality gap is below 1e-12 of the objective. Numbers are rounded to float32 first, so that
both solve the same problem. Objective (semantics, section 8): lambda/2 |Fz - y|^2 + |z|_1.
"""

import json
from pathlib import Path

import numpy as np


def matrix(weights, shape, stride, pad, groups):
    """Cross-correlation of an input of `shape` (channels, rows, columns) as a matrix; and its output's shape."""
    outputs, per_group, kh, kw = weights.shape
    channels, h, w = shape
    oh, ow = (h + 2 * pad - kh) // stride + 1, (w + 2 * pad - kw) // stride + 1
    f = np.zeros((outputs, oh, ow, channels, h, w))
    for o in range(outputs):
        first = o // (outputs // groups) * per_group
        for c in range(per_group):
            for y in range(oh):
                for x in range(ow):
                    for ky in range(kh):
                        for kx in range(kw):
                            iy, ix = y * stride - pad + ky, x * stride - pad + kx
                            if 0 <= iy < h and 0 <= ix < w:
                                f[o, y, x, first + c, iy, ix] += weights[o, c, ky, kx]
    return f.reshape(outputs * oh * ow, channels * h * w), (outputs, oh, ow)


def lasso(f, y, lam):
    """Coordinate descent; the solution, its objective, the relative duality gap."""
    z, r, squares = np.zeros(f.shape[1]), -y.copy(), (f**2).sum(0)
    for sweep in range(100000):
        for i in range(len(z)):
            if squares[i] == 0:
                continue
            v = z[i] - f[:, i] @ r / squares[i]
            new = np.sign(v) * max(abs(v) - 1 / (lam * squares[i]), 0)
            if new != z[i]:
                r += f[:, i] * (new - z[i])
                z[i] = new
        if sweep % 20 == 0:
            objective = lam / 2 * (r @ r) + abs(z).sum()
            # A dual point: the residual, scaled until no value of its transpose is above 1.
            u = -lam * r
            u = u * min(1, 1 / max(abs(f.T @ u).max(), 1e-300))
            gap = objective - (u @ y - (u @ u) / (2 * lam))
            if gap < 1e-12 * objective:
                return z, objective, gap / objective
    raise SystemExit("coordinate descent did not converge")


def single(a):
    return np.asarray(a, dtype=np.float32).astype(np.float64)


def problem(name, seed, shape, filters, kernel, stride, pad, groups, down, share):
    random = np.random.default_rng(seed)
    weights = single(random.standard_normal((filters, shape[0] // groups, kernel, kernel)))
    f, maps = matrix(weights, shape, stride, pad, groups)
    if down:
        f, domain, image = f.T, maps, shape
    else:
        domain, image = shape, maps
    truth = random.standard_normal(f.shape[1]) * (random.random(f.shape[1]) < 0.1)
    y = single(f @ truth + 0.05 * random.standard_normal(f.shape[0]))
    lam = float(single(share / abs(f.T @ y).max()))
    z, objective, gap = lasso(f, y, lam)
    norm2 = np.linalg.norm(f, 2) ** 2
    print(f"{name}: {f.shape}, lambda {lam:.4g}, objective {objective:.8g}, gap {gap:.1e}, support {np.mean(z != 0):.3f}")
    numbers = lambda a: [float(np.float32(v)) for v in np.ravel(a)]
    text = json.dumps(
        dict(name=name, below=shape, filters=filters, kernel=kernel, stride=stride, pad=pad, groups=groups, down=down,
             domain=domain, range=image, weights=numbers(weights), y=numbers(y), **{"lambda": lam}, norm2=norm2,
             objective=objective, z=numbers(z))
    )  # fmt: skip
    (Path(__file__).parent / "sparse" / f"{name}.json").write_text(text + "\n")


problem("strided", 1, (3, 12, 11), 8, 5, 2, 2, 1, False, 60)
problem("grouped", 2, (4, 9, 8), 6, 3, 1, 1, 2, False, 40)
problem("dictionary", 3, (1, 14, 13), 4, 5, 1, 4, 1, True, 40)
problem("colour", 4, (3, 10, 10), 6, 3, 1, 2, 1, True, 60)
