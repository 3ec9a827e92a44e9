"""Networks that PyTorch itself wrote, imported and compared with PyTorch: values, outputs and projections.

    python3 tests/tools/torch_check.py [NAME…] [--forms pth,legacy,safetensors,npz,script,onnx,dynamo,opsets] [--folder DIR]

Needs torch, torchvision, onnx, onnxscript, safetensors (PyPI) and target/release/unpool. Each network has seeded weights and
seeded statistics of its batch normalisations; nothing is downloaded. PyTorch runs in float64: each of our layers must equal a
value that some operation of PyTorch made, and projections must equal autograd's with the rule put into ReLU and LRN. Above
1e-4 of the largest value it fails. A development tool: files reach 575 MB and are removed again.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import warnings
from pathlib import Path

import numpy as np
import torch
import torchvision
from safetensors.torch import save_file
from torch import nn
from torch.overrides import TorchFunctionMode

ROOT = Path(__file__).resolve().parents[2]
UNPOOL = ROOT / "target/release/unpool"
TOLERANCE = 1e-4
STATE_DICTS = [
    "alexnet", "squeezenet1_0", "squeezenet1_1", "resnet18", "resnet34", "resnet50",
    *(f"vgg{d}{bn}" for d in (11, 13, 16, 19) for bn in ("", "_bn")),
]  # fmt: skip
FORMS = ("pth", "legacy", "safetensors", "npz", "onnx", "dynamo", "script")


def zfnet():
    """Zeiler and Fergus 2014 with 512, 1024, 512 maps, and LRN."""
    conv = lambda i, o, k, s=1, p=0: [nn.Conv2d(i, o, k, s, p), nn.ReLU()]
    lrn = nn.LocalResponseNorm(5, alpha=5e-4, beta=0.75, k=2.0)
    return nn.Sequential(
        *conv(3, 96, 7, 2, 1), nn.MaxPool2d(3, 2, 1), lrn, *conv(96, 256, 5, 2), nn.MaxPool2d(3, 2, 1), lrn,
        *conv(256, 512, 3, 1, 1), *conv(512, 1024, 3, 1, 1), *conv(1024, 512, 3, 1, 1), nn.MaxPool2d(3, 2),
        nn.Flatten(), nn.Linear(512 * 36, 256), nn.ReLU(), nn.Dropout(), nn.Linear(256, 100), nn.Softmax(1),
    )  # fmt: skip


def alexnet_lrn():
    """Krizhevsky et al. 2012: LRN and two groups; fewer , which changes nothing but the size."""
    conv = lambda *a, **k: [nn.Conv2d(*a, **k), nn.ReLU()]
    lrn = lambda: nn.LocalResponseNorm(5, alpha=1e-4, beta=0.75, k=1.0)
    return nn.Sequential(
        *conv(3, 96, 11, 4), lrn(), nn.MaxPool2d(3, 2), *conv(96, 256, 5, padding=2, groups=2), lrn(), nn.MaxPool2d(3, 2),
        *conv(256, 384, 3, padding=1), *conv(384, 384, 3, padding=1, groups=2), *conv(384, 256, 3, padding=1, groups=2),
        nn.MaxPool2d(3, 2), nn.Flatten(), nn.Linear(256 * 36, 512), nn.ReLU(), nn.Dropout(), nn.Linear(512, 100),
    )  # fmt: skip


class Mixed(nn.Module):
    """The operators that the others lack, as people write them."""

    def __init__(self):
        super().__init__()
        self.a, self.up = nn.Conv2d(3, 8, 3, 2, 1), nn.ConvTranspose2d(8, 6, 4, 2, 1)
        self.bn, self.prelu = nn.BatchNorm2d(6), nn.PReLU(6)
        self.b, self.c = nn.Conv2d(6, 8, 3, padding=1, bias=False), nn.Conv2d(6, 8, 1)
        self.head = nn.Linear(16, 10)

    def forward(self, x):
        x = nn.functional.leaky_relu(self.a(x), 0.1)
        x = self.prelu(self.bn(self.up(x)))
        x = nn.functional.avg_pool2d(nn.functional.pad(x, (1, 1, 1, 1)), 3, 2)
        gate = torch.sigmoid(self.c(x))
        x = torch.cat([nn.functional.relu6(self.b(x)) * gate, torch.tanh(self.c(x)) - 0.5 * gate], 1)
        x = torch.clamp(x, -0.7, 0.9) / 2 + 0.1
        x = torch.amax(x, (2, 3), keepdim=True) + nn.functional.adaptive_avg_pool2d(x, 1)
        return nn.functional.log_softmax(self.head(x.view(x.size(0), -1)), 1)


OWN = {"zfnet": (zfnet, 224), "alexnet_lrn": (alexnet_lrn, 227), "mixed": (Mixed, 32)}


def make(name):
    torch.manual_seed(7)
    side = 224
    if name in OWN:
        made, side = OWN[name]
        net = made()
    elif name == "googlenet":
        net = torchvision.models.googlenet(weights=None, init_weights=False, aux_logits=False, transform_input=False)
    else:
        net = getattr(torchvision.models, name)(weights=None)
    for m in net.modules():
        # Without this, deep untrained networks fade to nothing, and every comparison with it.
        if isinstance(m, (nn.Conv2d, nn.ConvTranspose2d, nn.Linear)):
            nn.init.kaiming_normal_(m.weight, nonlinearity="relu")
            if m.bias is not None:
                nn.init.normal_(m.bias, std=0.05)
        if isinstance(m, nn.BatchNorm2d):
            nn.init.normal_(m.running_mean, std=0.1)
            nn.init.uniform_(m.running_var, 0.5, 1.5)
            nn.init.uniform_(m.weight, 0.3, 0.7)
            nn.init.normal_(m.bias, std=0.1)
        if hasattr(m, "inplace"):
            m.inplace = False
    return net.eval(), side


class Rule(torch.autograd.Function):
    """ReLU whose way back follows a rule."""

    @staticmethod
    def forward(ctx, x, rule):
        ctx.save_for_backward(x)
        ctx.rule = rule
        return x.clamp(min=0)

    @staticmethod
    def backward(ctx, signal):
        (x,) = ctx.saved_tensors
        if ctx.rule != "deconvnet":
            signal = signal * (x > 0)
        if ctx.rule != "gradient":
            signal = signal.clamp(min=0)
        return signal, None


class Same(torch.autograd.Function):
    """A value whose signal passes unchanged: LRN under the deconvnet."""

    @staticmethod
    def forward(ctx, x, value):
        return value.clone()

    @staticmethod
    def backward(ctx, signal):
        return signal, None


class Recorder(TorchFunctionMode):
    """Keeps what every operation of PyTorch makes, and puts the rule into ReLU."""

    def __init__(self, rule):
        super().__init__()
        self.rule, self.made = rule, []

    def __torch_function__(self, func, types, args=(), kwargs=None):
        name = getattr(func, "__name__", "")
        if name in ("relu", "relu_"):
            out = Rule.apply(args[0], self.rule)
        else:
            out = func(*args, **(kwargs or {}))
            if name == "local_response_norm" and self.rule == "deconvnet":
                out = Same.apply(args[0], out.detach())
        if isinstance(out, torch.Tensor) and out.is_floating_point() and out.ndim >= 2 and len(out) == 1:
            # A sum in place changes what was made before it.
            self.made.append((name, out, out.detach().numpy().copy()))
        return out


def record(net, x, rule):
    with Recorder(rule) as recorder:
        net(x)
    return recorder.made


def unpool(*arguments):
    done = subprocess.run([UNPOOL, *map(str, arguments)], capture_output=True, text=True)
    if done.returncode:
        raise RuntimeError(done.stderr.strip())
    return done.stdout


def apart(ours, theirs):
    return np.abs(ours - theirs).max() / max(np.abs(theirs).max(), 1e-30)


def write(form, net, x, path):
    """One file as PyTorch writes it; `form` may carry an opset (`onnx13`)."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        state = {k: v.contiguous() for k, v in net.state_dict().items()}
        if form == "pth":
            torch.save(net.state_dict(), path)
        elif form == "legacy":
            torch.save(net.state_dict(), path, _use_new_zipfile_serialization=False)
        elif form == "safetensors":
            save_file(state, path)
        elif form == "npz":
            np.savez_compressed(path, **{k: v.numpy() for k, v in state.items()})
        elif form == "script":
            torch.jit.save(torch.jit.trace(net, x), path)
        elif form.startswith("dynamo"):
            opset = {"opset_version": int(form[6:])} if form[6:] else {}
            torch.onnx.export(net, (x,), path, dynamo=True, external_data=False, verbose=False, **opset)
        else:
            opset = {"opset_version": int(form[4:])} if form[4:] else {}
            torch.onnx.export(net, (x,), path, dynamo=False, **opset)


ENDINGS = {"pth": "pth", "legacy": "pth", "safetensors": "safetensors", "npz": "npz", "script": "pt"}


class Reference:
    """What PyTorch makes of one input, under each rule."""

    def __init__(self, net, x):
        self.net, self.x, self.made = net.double(), x.double(), {}

    def values(self, rule):
        if rule not in self.made:
            x = self.x.clone().requires_grad_()
            self.made[rule] = x, record(self.net, x, rule)
        return self.made[rule]

    def nearest(self, ours):
        """Which operation made this value, and how far it is."""
        made = self.values("gradient")[1]
        logits = made[-1][2]
        soft = np.exp(logits - logits.max())
        best = (np.inf, -1)
        for i, (_, _, value) in enumerate([*made, ("softmax", None, soft / soft.sum())]):
            if value.size == ours.size:
                best = min(best, (apart(ours.reshape(-1), value.reshape(-1)), i))
        return best

    def project(self, index, map_, at, rule):
        x, made = self.values(rule)
        out = made[index][1]
        seed = torch.zeros_like(out)
        place = (0, map_, *at) if out.ndim == 4 else (0, map_)
        seed[place] = out.detach()[place]
        (grad,) = torch.autograd.grad(out, x, seed, retain_graph=True)
        return grad[0].numpy()


def check(name, form, reference, x, folder, most, projections):
    file = folder / f"{name}.{ENDINGS.get(form, 'onnx')}"
    model = folder / "m.safetensors"
    try:
        write(form, reference.net.float(), x, file)
    finally:
        reference.net.double()
    try:
        report = json.loads(unpool("convert", file, "--output", model, "--json"))["report"]
    finally:
        size = file.stat().st_size / 1e6
        file.unlink()
    source, output = folder / "x.npy", folder / "y.npy"
    np.save(source, x[0].numpy())
    layers = [layer["name"] for layer in json.loads(unpool("info", model, "--json"))["layers"]]
    layers = [name for name in layers if name != "data"]
    step = max(1, -(-len(layers) // most))
    chosen = layers[::-step][::-1]
    worst, where, of = 0.0, "", {}
    for layer in chosen:
        unpool("run", model, source, "--layer", layer, "--output", output)
        error, of[layer] = reference.nearest(np.load(output))
        if error > worst:
            worst, where = error, layer
    far, at_layer, count, beyond = 0.0, "", 0, 0
    made = reference.values("deconvnet")[1]
    candidates = [n for n in chosen if 0 <= of[n] < len(made) and made[of[n]][0] in ("relu", "conv2d", "max_pool2d", "linear")]
    step = max(1, len(candidates) // max(projections, 1))
    for i, layer in enumerate(candidates[::-step][:projections]):
        value = made[of[layer]][2][0]
        map_ = int(np.argmax(value.reshape(len(value), -1).max(1)))
        at = np.unravel_index(np.argmax(value[map_]), value[map_].shape) if value.ndim == 3 else ()
        y, z = (int(at[0]), int(at[1])) if len(at) else (0, 0)
        # Of the kinds that only `mixed` has, deconvnet and guided follow rules of our own: the derivative is the same everywhere.
        for rule in ("gradient",) if name == "mixed" else ("deconvnet", "gradient", "guided"):
            flags = ("--layer", layer, "--map", map_, "--at", f"{y},{z}", "--rule", rule)
            unpool("project", model, source, *flags, "--output", output)
            ours, theirs = np.load(output), reference.project(of[layer], map_, at, rule)
            error = apart(ours, theirs)
            count += 1
            beyond += int((np.abs(ours - theirs) > TOLERANCE * np.abs(theirs).max()).sum())
            if error > far:
                far, at_layer = error, f"{layer} {rule}"
    good = max(worst, far) <= TOLERANCE
    print(
        f"{name:14} {form:12} {size:6.1f} MB  {report['layers']:4} layers, {len(chosen)} compared: {worst:.1e}{'' if good else ' at ' + where}"
        f"; {count} projections: {far:.1e}{'' if good else f' at {at_layer}, {beyond} values beyond'}  {'ok' if good else 'WRONG'}",
        flush=True,
    )
    return good


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*")
    parser.add_argument("--forms", default=",".join(FORMS))
    parser.add_argument("--most", type=int, default=24, help="layers compared of each file")
    parser.add_argument("--projections", type=int, default=3, help="layers projected from, under three rules each")
    parser.add_argument("--folder", type=Path)
    args = parser.parse_args()
    good = True
    with tempfile.TemporaryDirectory(dir=args.folder) as folder:
        for name in args.names or [*STATE_DICTS, "googlenet", *OWN]:
            net, side = make(name)
            x = torch.from_numpy(np.random.default_rng(3).standard_normal((1, 3, side, side)).astype(np.float32))
            reference = Reference(net, x)
            for form in args.forms.split(","):
                if form in ("pth", "legacy", "safetensors", "npz", "script") and name not in STATE_DICTS:
                    continue
                try:
                    good &= check(name, form, reference, x, Path(folder), args.most, args.projections)
                except Exception as e:  # noqa: BLE001: the next network is still to be seen
                    if form == "script" and "TorchScript program" in str(e):
                        print(f"{name:14} {form:12} refused by name, as it must be: it is a program", flush=True)
                        continue
                    good = False
                    print(f"{name:14} {form:12} FAILED: {str(e)[-600:]}", flush=True)
    sys.exit(not good)


if __name__ == "__main__":
    main()
