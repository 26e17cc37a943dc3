"""Full-size cases with several outputs: each has probes of its own (FORMAT.md §6)."""

import json
import time

import numpy as np
import torch

from ..common import files
from ..common.cases.make import inputs_of, weights_of
from ..common.cases.manifest import expand, manifest
from ..common.running import noise, probes
from ..common.running.runs import run
from ..common.values.generator import integers

NO_HALF = "the numbers of a tower of 24 layers were not measured in half precision"


def probes_of(name, out, seed):
    index = integers(seed, f"probes.{name}.index", probes.PROBES, 0, out.size)
    found = {"index": index, "value": out.reshape(-1)[index], "sum": np.array(out.sum()), "norm": np.array(np.linalg.norm(out))}
    return {f"probes.{name}.{part}": value for part, value in found.items()}


def error(name, actual, out, seed):
    """The larger of the error of the whole output and of its probes, the worst of them and all, relative to the output's RMS."""
    got, wanted = (probes_of(name, one, seed)[f"probes.{name}.value"] for one in (actual, out))
    rms = np.linalg.norm(out) / np.sqrt(out.size)
    one = np.max(np.abs(got - wanted) / np.maximum(np.abs(wanted), rms))
    several = np.linalg.norm(got - wanted) / (rms * np.sqrt(probes.PROBES))
    return max(np.linalg.norm(actual - out) / np.linalg.norm(out), float(one), float(several))


def measured(source, case, weights, inputs, expected):
    largest = {name: noise.FLOOR for name in expected}
    for found in noise.single_precision_runs(source, case, weights, inputs, ("outputs",), case["draws"]):
        for name, out in expected.items():
            largest[name] = max(largest[name], error(name, found[f"outputs.{name}"], out, case["seed"]))
    return {f"probes.{name}": noise.rounded_up(value) for name, value in largest.items()}


def make(source, kind, entry, out, keep):
    """As common.cases.make, for any number of outputs. The noise is taken over from the old manifest if the case is the same."""
    since = time.time()
    case = expand(source, kind, entry) | {"wanted": ("outputs",)}
    folder = out / case["id"]
    folder.mkdir(parents=True, exist_ok=True)
    shapes, ties, recipe, weights = weights_of(source, case, {})
    specs, inputs = inputs_of(source, case, weights)
    found = manifest(source, case, shapes, ties, recipe, specs, inputs)
    torch.set_num_threads(2)
    results, _ = run(source, case, weights, inputs, wanted=("outputs",))
    expected = {name.removeprefix("outputs."): value for name, value in results.items()}
    found |= {"outputs": list(expected), "taps": [], "grads": [], "probed": {name: list(value.shape) for name, value in expected.items()}}
    old = keep / case["id"] / "case.json" if keep else None
    before = json.loads(old.read_text()) if old and old.exists() else {}
    same = all(before.get(field) == found[field] for field in ("config", "inputs", "recipes", "seed"))
    tolerance = before["tolerance"]["noise"] if same else measured(source, case, weights, inputs, expected)
    found["flags"] = ["FullSize"]
    found["rules"] = sorted({rule for key in ("FullSize", kind) for rule in source.rules.get(key, [])})
    found |= {"ship": False, "tolerance": {"policy": "noise", "K": 8, "measured": {"draws": case["draws"], "float32": True, "sequential": True}}}
    found["tolerance"] |= {"noise": tolerance, "bfloat16": NO_HALF, "float16": NO_HALF}
    tensors = {key: value for name, one in expected.items() for key, value in probes_of(name, one, case["seed"]).items()}
    files.write_tensors(folder / "inputs.safetensors", {})
    files.write_tensors(folder / "expected.safetensors", {name: torch.tensor(value) for name, value in tensors.items()})
    files.write_json(folder / "case.json", found)
    print(f"{time.time() - since:6.1f} s  {case['id']}", flush=True)
    return found
