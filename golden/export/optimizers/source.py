"""Steps of released optimisers on one parameter. The outputs are the parameter after each step and the optimiser's state at the end."""

import contextlib
import importlib.metadata
import json
import platform
import shutil
from unittest import mock

import bitsandbytes
import lion_pytorch
import torch
from bitsandbytes.backends.cpu import ops

from ..common import files
from ..common.cases import compare
from ..common.cases.manifest import GENERATOR, SCHEMA
from ..common.running import noise
from ..common.source import Check, Source
from . import gradients

#: bitsandbytes computes in float32 whatever it is given; the others run in float64.
CLASSES = {
    "AdamW8bit": ("bitsandbytes", bitsandbytes.optim.AdamW8bit, torch.float32),
    "Lion": ("lion-pytorch", lion_pytorch.Lion, torch.float64),
    "AdamW": ("torch-optim", torch.optim.AdamW, torch.float64),
}
NAMES = {"AdamW8bit": "adamw-8bit", "Lion": "lion", "AdamW": "adamw"}
FOLDERS = [folder for folder, _, _ in CLASSES.values()]
NO_HALF = "an optimiser keeps its state in float32 or float64"
#: Floats of the state that are reproduced bit for bit, as its bytes are.
EXACT = ("absmax1", "absmax2", "qmap1", "qmap2")


def quantize_with_torch(values, code, scales, codes, blocksize):
    """The package's quantiser in operators of PyTorch, which it runs where it has no library."""
    quantize = torch.ops.bitsandbytes.quantize_blockwise.default
    found, largest = quantize._op_dk(torch._C.DispatchKey.CompositeExplicitAutograd, values, code, blocksize)
    codes.copy_(found)
    scales.copy_(largest)


def without_library(wanted):
    return mock.patch.object(ops, "_quant_blockwise_fp32_direct", quantize_with_torch) if wanted else contextlib.nullcontext()


def steps(kind, config, inputs, dtype):
    """p1, p2, … and the state after the last step. `bnb` says that bitsandbytes runs without its library."""
    options = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
    with without_library(options.pop("bnb", None)):
        return steps_of(kind, options, inputs, dtype)


def steps_of(kind, options, inputs, dtype):
    limit = options.pop("clip", None)
    parameter = torch.nn.Parameter(torch.from_numpy(inputs["p0"].copy()).to(dtype))
    optimizer = CLASSES[kind][1]([parameter], **options)
    found = {}
    for step in range(len(inputs) - 1):
        parameter.grad = torch.from_numpy(inputs[f"g{step}"].copy()).to(dtype)
        if limit is not None:
            torch.nn.utils.clip_grad_norm_([parameter], limit, foreach=False)
        optimizer.step()
        found[f"p{step + 1}"] = parameter.detach().clone()
    state = {name: value for name, value in optimizer.state[parameter].items() if name != "step"}
    return found | {name: value.detach().clone() for name, value in state.items()}


def noise_of(kind, config, inputs, expected):
    """The error of the run in float32, and 4 · 2⁻²⁴ at least; nothing for what is reproduced bit for bit."""
    found = steps(kind, config, inputs, torch.float32)
    measured = {}
    for name, value in expected.items():
        exact = name in EXACT or not value.is_floating_point()
        error = 0 if exact else max(noise.FLOOR, noise.worst(found[name].double().numpy(), value.double().numpy()))
        measured[f"outputs.{name}"] = error if exact else noise.rounded_up(error)
    noise.check_bound(kind, measured)
    return measured


def version(package):
    return importlib.metadata.version(package).split("+")[0]


def make(identity, kind, entry, out):
    folder, _, dtype = CLASSES[kind]
    inputs, config = gradients.made(entry), entry.get("config", {})
    package = "torch" if kind == "AdamW" else folder
    source = {"package": package, "version": version(package), "class": kind, "torch": version("torch")}
    source |= {"python": ".".join(platform.python_version_tuple()[:2])}
    axes = " ".join("abc"[: len(entry["shape"])])
    manifest = {"schema": SCHEMA, "id": identity, "title": entry["title"], "level": "module", "source": source}
    manifest |= {"profile": f"{package}@{source['version']}", "config": config, "call": {name: name for name in inputs}}
    manifest["inputs"] = {name: {"dtype": "F32", "shape": entry["shape"], "axes": axes} for name in inputs}
    manifest |= {"weights": {}, "ties": {}, "seed": entry["seed"], "generator": GENERATOR}
    manifest["recipes"] = {f"inputs.{name}": {"file": True} for name in inputs}
    path = out / identity
    path.mkdir(parents=True, exist_ok=True)
    expected = steps(kind, config, inputs, dtype)
    manifest |= {"outputs": list(expected), "taps": [], "grads": []}
    halves = {"bfloat16": NO_HALF, "float16": NO_HALF}
    manifest["tolerance"] = {"policy": "noise", "K": 8, "noise": noise_of(kind, config, inputs, expected), **halves}
    stored = {f"outputs.{name}": value.double() if value.is_floating_point() else value for name, value in expected.items()}
    files.write_tensors(path / "expected.safetensors", stored)
    manifest |= {"flags": [], "rules": entry["rules"], "ship": bool(entry.get("ship"))}
    files.write_tensors(path / "inputs.safetensors", {f"inputs.{name}": torch.from_numpy(value) for name, value in inputs.items()})
    files.write_json(path / "case.json", manifest)


def complaints(old, new):
    """The differences of two cases. Parameters of AdamW8bit are compared within their noise, because PyTorch's square roots in float32
    differ between processors in the last bit; all else as in other sources."""
    if not all((folder / compare.MANIFEST).exists() for folder in (old, new)):
        return ["is missing"]
    found = [*compare.manifests(old, new), *compare.same_bits(old, new)]
    a, b = (files.read_tensors(folder / compare.EXPECTED) for folder in (old, new))
    case = json.loads((new / compare.MANIFEST).read_text())
    single = CLASSES[case["source"]["class"]][2] == torch.float32
    if a.keys() != b.keys() or any(a[name].dtype != b[name].dtype for name in a):
        return [*found, "expected.safetensors: other names or dtypes"]
    for name in a:
        allowed = case["tolerance"]["noise"][name] if single else compare.TOLERANCE
        error = noise.worst(b[name].numpy(), a[name].numpy())
        if not error <= allowed:
            found.append(f"{name} is off by {error:.1e}")
    return found


class Optimizers(Source):
    def export(self, request):
        torch.set_num_threads(1)
        made = set()
        for path in request.files or sorted((self.folder / "cases").glob("*.json")):
            spec = json.loads(path.read_text())
            for entry in spec["cases"]:
                identity = f"{CLASSES[spec['class']][0]}/{NAMES[spec['class']]}--{entry['id']}"
                if request.wants(identity):
                    make(identity, spec["class"], entry, request.out)
                    made.add(identity)
        if request.complete:
            for path in (path for folder in FOLDERS for path in (request.out / folder).glob("*")):
                if f"{path.parent.name}/{path.name}" not in made:
                    shutil.rmtree(path)
        print(f"optimisers: {len(made)} cases", flush=True)
        return []

    def compare(self, committed, fresh, request):
        roots = [fresh, committed] if request.complete else [fresh]
        ids = sorted({f"{folder}/{path.name}" for root in roots for folder in FOLDERS for path in (root / folder).glob("*")})
        return [Check(name, complaints(committed / name, fresh / name)) for name in ids]


SOURCE = Optimizers(__file__)
