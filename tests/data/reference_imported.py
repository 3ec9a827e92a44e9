"""The kinds of layers that imported networks bring, for reference.py; the same rules of writing.

On the way down: what only moves or scales values does so under every rule. Of activation functions, gradient and guided
multiply by the derivative; deconvnet and guided then rectify as the function itself does: leaky and PReLU scale what is
negative, a clip whose lower bound is not negative cuts it, sigmoid, tanh and other clips leave it. A product multiplies
by its other inputs.
"""

import numpy as np


def spread(x):
    """One number per map, or the array itself."""
    return x[:, None, None] if x.ndim == 1 else x


class Imported:
    # Activation functions: f, f′ and what rectifies a signal.

    def functions(self, layer):
        kind, name = layer["kind"], layer["name"]
        if kind in ("leaky", "prelu"):
            a = layer["alpha"] if kind == "leaky" else self.weights[f"{name}.slope"][:, None, None]
            f = lambda x: np.where(x > 0, x, a * x)
            return f, lambda x: np.where(x > 0, 1.0, a * np.ones_like(x)), f
        if kind == "clip":
            lo, hi = layer.get("min", -np.inf), layer.get("max", np.inf)
            rectify = (lambda s: np.maximum(s, 0)) if lo >= 0 else (lambda s: s)
            return lambda x: np.clip(x, lo, hi), lambda x: ((x > lo) & (x < hi)).astype(float), rectify
        if kind == "sigmoid":
            f = lambda x: 1 / (1 + np.exp(-x))
            return f, lambda x: f(x) * (1 - f(x)), lambda s: s
        return np.tanh, lambda x: 1 - np.tanh(x) ** 2, lambda s: s

    def push_leaky(self, layer, x):
        return self.functions(layer)[0](x)

    def pull_leaky(self, layer, s, how, x):
        _, slope, rectify = self.functions(layer)
        s = s if how["rule"] == "deconvnet" else s * slope(x)
        return [s if how["rule"] == "gradient" else rectify(s)]

    push_prelu = push_clip = push_sigmoid = push_tanh = push_leaky
    pull_prelu = pull_clip = pull_sigmoid = pull_tanh = pull_leaky

    # Transposed convolution: y[o, i·stride + k·dilation − pad] += x[c, i] w[c, o, k].

    def taps_up(self, layer, x):
        (kh, kw), (sy, sx) = layer["kernel"], layer.get("stride", (1, 1))
        t, l, b, r = layer.get("pad", (0, 0, 0, 0))
        dy, dx = layer.get("dilation", (1, 1))
        oy, ox = layer.get("output_pad", (0, 0))
        h = (x.shape[1] - 1) * sy + (kh - 1) * dy + 1 + oy - t - b
        w = (x.shape[2] - 1) * sx + (kw - 1) * dx + 1 + ox - l - r
        groups = layer.get("groups", 1)
        per_in, per_out = x.shape[0] // groups, layer["filters"] // groups
        for c in range(x.shape[0]):
            for k in range(per_out):
                for y, z, ky, kx in np.ndindex(x.shape[1], x.shape[2], kh, kw):
                    at = y * sy + ky * dy - t, z * sx + kx * dx - l
                    if 0 <= at[0] < h and 0 <= at[1] < w:
                        yield (c, k, ky, kx), (c, y, z), (c // per_in * per_out + k, *at), (layer["filters"], h, w)

    def push_conv_transpose(self, layer, x):
        weight, out = self.weights[layer["name"] + ".weight"], None
        for k, i, o, shape in self.taps_up(layer, x):
            out = np.zeros(shape) if out is None else out
            out[o] += weight[k] * x[i]
        return out + self.bias(layer["name"], len(out))[:, None, None]

    def pull_conv_transpose(self, layer, s, how, x):
        weight, d = self.weights[layer["name"] + ".weight"], np.zeros_like(x)
        for k, i, o, _ in self.taps_up(layer, x):
            d[i] += weight[k] * s[o]
        return [d]

    # Borders, shapes, axes: which input value each output shows, as numbers of an array of numbers.

    def sources(self, layer, x):
        at = np.arange(x.size).reshape(x.shape)
        if layer["kind"] == "reshape":
            return at.reshape(layer["shape"])
        if layer["kind"] == "transpose":
            return at.transpose(layer["order"])
        t, l, b, r = layer["pad"]
        mode, sides = layer.get("mode", "constant"), ((0, 0), (t, b), (l, r))
        return np.pad(at, sides, **({"constant_values": -1} if mode == "constant" else {}), mode=mode)

    def push_pad(self, layer, x):
        at = self.sources(layer, x)
        return np.ascontiguousarray(np.where(at < 0, layer.get("value", 0.0), x.reshape(-1)[at]))

    def pull_pad(self, layer, s, how, x):
        at, d = self.sources(layer, x), np.zeros(x.size)
        np.add.at(d, at[at >= 0], s[at >= 0])
        return [d.reshape(x.shape)]

    push_reshape = push_transpose = push_pad
    pull_reshape = pull_transpose = pull_pad

    # The rest.

    def push_scale(self, layer, x):
        w = self.weights.get(layer["name"] + ".weight", np.ones(len(x)))
        return x * spread(w) + spread(self.bias(layer["name"], len(x)))

    def pull_scale(self, layer, s, how, x):
        return [s * spread(self.weights.get(layer["name"] + ".weight", np.ones(len(x))))]

    def push_product(self, layer, *xs):
        return np.prod(xs, 0)

    def pull_product(self, layer, s, how, *xs):
        return [s * np.prod([x for k, x in enumerate(xs) if k != i], 0) for i in range(len(xs))]

    def push_global_max(self, layer, x):
        return x.max((1, 2), keepdims=True)

    def pull_global_max(self, layer, s, how, x):
        d = np.zeros_like(x)
        for c, (_, h, w) in zip(range(len(x)), [x.shape] * len(x)):
            at = divmod(int(np.argmax(x[c])), w) if how["unpool"] == "switches" else (h // 2, w // 2)
            d[c][at] = s[c, 0, 0]
        return [d]

    def push_log_softmax(self, layer, x):
        return x - x.max(0) - np.log(np.exp(x - x.max(0)).sum(0))

    def pull_log_softmax(self, layer, s, how, x):
        if how["rule"] == "deconvnet":
            return [s]
        return [s - np.exp(self.values[layer["name"]]) * s.sum(0)]
