"""A slow float64 reference of the engine: forward pass and the three projections, in NumPy.

Written from the papers and from the definitions below, not from the Rust code: everything is a
plain loop over window taps or window positions, so that it can be checked by reading. Arrays are
(channels, rows, columns). A network is the spec's JSON (a dict) and a dict of weight arrays.

Definitions (Zeiler and Fergus 2014, section 2.1, unless another source is named):
- convolution is cross-correlation plus bias; its pull is the transposed filters, no bias;
- max pooling: the switch is the first largest value in scan order (maps, rows, columns), padding
  never wins; unpooling puts each value at its switch and sums where switches meet;
- ReLU on the way down: deconvnet max(s, 0); gradient s where the forward value is positive; guided
  both;
- unpooling to centres: pixel k/2 of the unclipped window, moved into the image; of k maps number k/2;
- softmax: passed unchanged by the deconvnet, the true derivative otherwise;
- LRN (Krizhevsky 2012; Caffe's alpha / n): identity, division by the forward denominators, or the
  true derivative.
"""

import numpy as np
from reference_imported import Imported

RULES = ("deconvnet", "gradient", "guided")


def pair(v):
    return v[0], v[1]


def output_size(size, kernel, stride, before, after, dilation, ceil):
    """Caffe's and PyTorch's size: with `ceil`, a window must start inside image or leading pad."""
    room = size + before + after - ((kernel - 1) * dilation + 1)
    assert room >= 0
    n = (-(-room // stride) if ceil else room // stride) + 1
    while ceil and (n - 1) * stride >= size + before:
        n -= 1
    return n


class Window:
    def __init__(self, layer, h, w):
        self.kernel = pair(layer["kernel"])
        self.stride = pair(layer.get("stride", (1, 1)))
        self.dilation = pair(layer.get("dilation", (1, 1)))
        t, l, b, r = layer.get("pad", (0, 0, 0, 0))
        self.pad = t, l, b, r
        self.h, self.w = h, w
        ceil = layer.get("ceil", False)
        self.oh = output_size(h, self.kernel[0], self.stride[0], t, b, self.dilation[0], ceil)
        self.ow = output_size(w, self.kernel[1], self.stride[1], l, r, self.dilation[1], ceil)

    def taps(self):
        """Every tap (ky, kx) with the output and input slices it connects."""
        for ky in range(self.kernel[0]):
            for kx in range(self.kernel[1]):
                oy, iy = self._line(ky, 0, self.oh, self.h)
                ox, ix = self._line(kx, 1, self.ow, self.w)
                if len(oy) and len(ox):
                    yield ky, kx, np.ix_(oy, ox), np.ix_(iy, ix)

    def _line(self, k, axis, n_out, n_in):
        o = np.arange(n_out)
        i = o * self.stride[axis] + k * self.dilation[axis] - self.pad[axis]
        inside = (i >= 0) & (i < n_in)
        return o[inside], i[inside]

    def pixels(self, oy, ox):
        """Rows and columns of the window inside the image."""
        y = oy * self.stride[0] - self.pad[0]
        x = ox * self.stride[1] - self.pad[1]
        return range(max(y, 0), min(y + self.kernel[0], self.h)), range(max(x, 0), min(x + self.kernel[1], self.w))

    def divisor(self, oy, ox, include_pad):
        y = oy * self.stride[0] - self.pad[0]
        x = ox * self.stride[1] - self.pad[1]
        if include_pad:
            rows = min(y + self.kernel[0], self.h + self.pad[2]) - y
            cols = min(x + self.kernel[1], self.w + self.pad[3]) - x
            return rows * cols
        rows, cols = self.pixels(oy, ox)
        return len(rows) * len(cols)

    def centre(self, oy, ox):
        y = oy * self.stride[0] - self.pad[0] + self.kernel[0] // 2
        x = ox * self.stride[1] - self.pad[1] + self.kernel[1] // 2
        return min(max(y, 0), self.h - 1), min(max(x, 0), self.w - 1)


def lrn_denominator_base(x, layer):
    n = layer["size"]
    below, above = (n - 1) // 2, n // 2  # ONNX's rule for an even n
    channels = x.shape[0]
    sums = np.stack([(x[max(c - below, 0) : c + above + 1] ** 2).sum(0) for c in range(channels)])
    near = np.array([[max(c - below, 0) <= d <= c + above for d in range(channels)] for c in range(channels)])
    return layer["k"] + layer["alpha"] / n * sums, near


class Reference(Imported):
    """One forward pass: `values[name]`, `switches[name]`."""

    def __init__(self, spec, weights, x):
        self.layers = spec["layers"]
        self.weights = {k: np.asarray(v, np.float64) for k, v in weights.items()}
        self.inputs = {}
        self.values = {"data": np.asarray(x, np.float64)}
        self.switches = {}
        before = "data"
        for layer in self.layers:
            name = layer["name"]
            self.inputs[name] = layer.get("inputs") or [before]
            args = [self.values[i] for i in self.inputs[name]]
            self.values[name] = getattr(self, "push_" + layer["kind"])(layer, *args)
            before = name

    # Forward, one method per kind.

    def kernels(self, layer):
        w = self.weights[layer["name"] + ".weight"].copy()
        if layer.get("connections"):
            for o, allowed in enumerate(layer["connections"]):
                for i in range(w.shape[1]):
                    if i not in allowed:
                        w[o, i] = 0
        return w

    def bias(self, name, n):
        b = self.weights.get(name + ".bias")
        return np.zeros(n) if b is None else b

    def push_conv(self, layer, x):
        w, win = self.kernels(layer), Window(layer, *x.shape[1:])
        y = np.zeros((w.shape[0], win.oh, win.ow))
        groups = layer.get("groups", 1)
        per_out, per_in = w.shape[0] // groups, w.shape[1]
        for g in range(groups):
            outs, ins = slice(g * per_out, (g + 1) * per_out), slice(g * per_in, (g + 1) * per_in)
            for ky, kx, o, i in win.taps():
                y[outs][(slice(None), *o)] += np.tensordot(w[outs, :, ky, kx], x[ins][(slice(None), *i)], 1)
        return y + self.bias(layer["name"], w.shape[0])[:, None, None]

    def push_relu(self, layer, x):
        return np.where(x > 0, x, 0.0)

    def push_max_pool(self, layer, x):
        win, maps = Window(layer, *x.shape[1:]), layer.get("maps", 1)
        y = np.zeros((x.shape[0] // maps, win.oh, win.ow))
        switches = np.zeros(y.shape + (3,), int)
        for c in range(y.shape[0]):
            for oy in range(win.oh):
                for ox in range(win.ow):
                    rows, cols = win.pixels(oy, ox)
                    part = x[c * maps : (c + 1) * maps, rows.start : rows.stop, cols.start : cols.stop]
                    m, r, q = np.unravel_index(np.argmax(part), part.shape)  # argmax: the first
                    y[c, oy, ox] = part[m, r, q]
                    switches[c, oy, ox] = c * maps + m, rows.start + r, cols.start + q
        self.switches[layer["name"]] = switches
        return y

    def push_avg_pool(self, layer, x):
        win = Window(layer, *x.shape[1:])
        y = np.zeros((x.shape[0], win.oh, win.ow))
        for oy in range(win.oh):
            for ox in range(win.ow):
                rows, cols = win.pixels(oy, ox)
                n = win.divisor(oy, ox, layer.get("include_pad", False))
                y[:, oy, ox] = x[:, rows.start : rows.stop, cols.start : cols.stop].sum((1, 2)) / n
        return y

    def push_subsample(self, layer, x):
        win = Window(layer, *x.shape[1:])
        y = np.zeros((x.shape[0], win.oh, win.ow))
        for _, _, o, i in win.taps():
            y[(slice(None), *o)] += x[(slice(None), *i)]
        return y * self.weights[layer["name"] + ".weight"][:, None, None] + self.bias(layer["name"], len(x))[:, None, None]

    def push_lrn(self, layer, x):
        return x / lrn_denominator_base(x, layer)[0] ** layer["beta"]

    def norm(self, layer, n):
        name = layer["name"]
        scale = self.weights.get(name + ".weight", np.ones(n)) / np.sqrt(self.weights[name + ".var"] + layer["eps"])
        return scale, self.bias(name, n) - self.weights[name + ".mean"] * scale

    def push_batch_norm(self, layer, x):
        scale, shift = self.norm(layer, len(x))
        return x * scale[:, None, None] + shift[:, None, None]

    def push_concat(self, layer, *xs):
        return np.concatenate(xs)

    def push_sum(self, layer, *xs):
        return sum(xs)

    def push_dense(self, layer, x):
        w = self.weights[layer["name"] + ".weight"]
        return (w @ x.reshape(-1) + self.bias(layer["name"], len(w)))[:, None, None]

    def push_dropout(self, layer, x):
        return x

    def push_global_avg(self, layer, x):
        return x.mean((1, 2), keepdims=True)

    def push_softmax(self, layer, x):
        e = np.exp(x - x.max(0))
        return e / e.sum(0)

    # Downward, one method per kind: the signal at the output in, the signals at the inputs out.

    def pull_conv(self, layer, s, how, x):
        w, win = self.kernels(layer), Window(layer, *x.shape[1:])
        d = np.zeros_like(x)
        groups = layer.get("groups", 1)
        per_out, per_in = w.shape[0] // groups, w.shape[1]
        for g in range(groups):
            outs, ins = slice(g * per_out, (g + 1) * per_out), slice(g * per_in, (g + 1) * per_in)
            for ky, kx, o, i in win.taps():
                d[ins][(slice(None), *i)] += np.tensordot(w[outs, :, ky, kx].T, s[outs][(slice(None), *o)], 1)
        return [d]

    def pull_relu(self, layer, s, how, x):
        if how["rule"] in ("gradient", "guided"):
            s = np.where(x > 0, s, 0.0)
        if how["rule"] in ("deconvnet", "guided"):
            s = np.maximum(s, 0.0)
        return [s]

    def pull_max_pool(self, layer, s, how, x):
        win, d, maps = Window(layer, *x.shape[1:]), np.zeros_like(x), layer.get("maps", 1)
        switches = self.switches[layer["name"]]
        for c, oy, ox in zip(*np.nonzero(s), strict=True):
            m, y, xx = switches[c, oy, ox]
            if how["unpool"] == "centre":
                m, (y, xx) = c * maps + maps // 2, win.centre(oy, ox)
            d[m, y, xx] += s[c, oy, ox]
        return [d]

    def pull_avg_pool(self, layer, s, how, x):
        win, d = Window(layer, *x.shape[1:]), np.zeros_like(x)
        for oy in range(win.oh):
            for ox in range(win.ow):
                rows, cols = win.pixels(oy, ox)
                n = win.divisor(oy, ox, layer.get("include_pad", False))
                d[:, rows.start : rows.stop, cols.start : cols.stop] += s[:, oy, ox, None, None] / n
        return [d]

    def pull_subsample(self, layer, s, how, x):
        win, d = Window(layer, *x.shape[1:]), np.zeros_like(x)
        s = s * self.weights[layer["name"] + ".weight"][:, None, None]
        for _, _, o, i in win.taps():
            d[(slice(None), *i)] += s[(slice(None), *o)]
        return [d]

    def pull_lrn(self, layer, s, how, x):
        lrn = how.get("lrn") or ("identity" if how["rule"] == "deconvnet" else "derivative")
        if lrn == "identity":
            return [s]
        base, near = lrn_denominator_base(x, layer)
        beta = layer["beta"]
        if lrn == "divide":
            return [s / base**beta]
        # y_e = x_e B_e^-β, B_e = κ + α/n Σ_near x_c²  ⇒  ∂y_e/∂x_c = δ B_e^-β − 2αβ/n x_e x_c B_e^(-β-1)
        outer = np.einsum("ec,ehw->chw", near.astype(float), s * x * base ** (-beta - 1))
        return [s * base**-beta - 2 * layer["alpha"] * beta / layer["size"] * x * outer]

    def pull_batch_norm(self, layer, s, how, x):
        return [s * self.norm(layer, len(x))[0][:, None, None]]

    def pull_concat(self, layer, s, how, *xs):
        return np.split(s, np.cumsum([len(x) for x in xs])[:-1])

    def pull_sum(self, layer, s, how, *xs):
        return [s] * len(xs)

    def pull_dense(self, layer, s, how, x):
        return [(self.weights[layer["name"] + ".weight"].T @ s.reshape(-1)).reshape(x.shape)]

    def pull_dropout(self, layer, s, how, x):
        return [s]

    def pull_global_avg(self, layer, s, how, x):
        return [np.broadcast_to(s / (x.shape[1] * x.shape[2]), x.shape)]

    def pull_softmax(self, layer, s, how, x):
        if how["rule"] == "deconvnet":  # the paper starts below it
            return [s]
        p = self.values[layer["name"]]
        return [p * (s - (p * s).sum(0))]

    # Seeds and the walk.

    def seed(self, layer, seed):
        """The seed signal, and position and value of its strongest unit (first in scan order)."""
        values = self.values[layer][seed["map"]]
        flat = values.reshape(-1)
        if "at" in seed:
            chosen = [seed["at"][0] * values.shape[1] + seed["at"][1]]
        elif seed.get("whole"):
            chosen = list(range(flat.size))
        else:
            chosen = list(np.argsort(-flat, kind="stable")[: seed.get("strongest", 1)])
        signal = np.zeros_like(self.values[layer])
        signal[seed["map"]].reshape(-1)[chosen] = flat[chosen]
        best = max(chosen, key=lambda i: (flat[i], -i))
        return signal, [int(best // values.shape[1]), int(best % values.shape[1])], float(flat[best])

    def project(self, layer, seed, how):
        signal, at, value = self.seed(layer, seed)
        return self.walk(layer, signal, how), at, value

    def walk(self, layer, signal, how):
        signals = {layer: signal}
        for below in reversed(self.layers):
            s = signals.pop(below["name"], None)
            if s is None:
                continue
            inputs = self.inputs[below["name"]]
            pulled = getattr(self, "pull_" + below["kind"])(below, s, how, *(self.values[i] for i in inputs))
            for i, d in zip(inputs, pulled):
                signals[i] = signals.get(i, 0) + d
        return signals["data"]
