"""Makes one case folder from one entry of a case file: builds the class, runs it, measures the noise, writes the files."""

import json

import numpy as np
import torch

from .. import files
from ..running import half, noise, probes
from ..running.runs import output_shape, run
from ..state import own_state
from ..values import recipes
from ..values.lazy import Lazy
from .manifest import expand, manifest


def weights_of(source, case, kept):
    """Shapes, ties, recipes and values. Rotary frequencies, which the package computes, are those in `kept` if they agree
    within one ulp, and otherwise an error."""
    state, ties = own_state(source.build(case["class"], case["config"]))
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    recipe = recipes.weight_recipes(shapes, case.get("weights", {}), source.weight_recipe)
    computed = {key: state[key].detach() for key in shapes if "file" in recipe[key]}
    for key, value in computed.items():
        now, then = value.numpy(), kept.get(f"weights.{key}", value).numpy()
        assert (np.abs(now - then) <= np.spacing(now)).all(), f"{key} differs by more than one ulp"
        computed[key] = then.astype(np.float64)

    def value(key):
        return computed[key] if key in computed else recipes.make(case["seed"], f"weights.{key}", shapes[key], recipe[key])

    values = Lazy(shapes, value) if case.get("full") else {key: value(key) for key in shapes}
    return shapes, ties, recipe, values


def inputs_of(source, case, weights):
    """name -> (shape, recipe), name -> values. A gradient case also has a cotangent in the shape of the first output."""
    specs = {name: recipes.input_recipe(spec) for name, spec in case["inputs"].items()}
    make = lambda name: np.asarray(recipes.make(case["seed"], f"inputs.{name}", *specs[name]))
    values = {name: make(name) for name in specs}
    if case.get("grads"):
        specs["cotangent"] = (output_shape(source, case, weights, values), dict(recipes.TWO))
        values["cotangent"] = make("cotangent")
    return specs, values


def exception(source, case, weights, inputs):
    """What the release throws. It is an error of the case file if it throws nothing."""
    phase = "construct"
    try:
        source.build(case["class"], case["config"])
        phase = "forward"
        run(source, case, weights, inputs, wanted=("outputs",))
    except Exception as error:  # any exception is what the case records
        return {"phase": phase, "type": type(error).__name__, "message": str(error)}
    raise AssertionError(f"{case['id']} raises nothing")


def buildable(source, case):
    try:
        source.build(case["class"], case["config"])
        return True
    except Exception:
        return False


def tolerance_of(source, case, weights, inputs, expected, out, found, old):
    """The measured noise; that of a full-size case is taken over from the old manifest if the case is the same."""
    before = json.loads(old.read_text()) if case.get("full") and old and old.exists() else {}
    same = all(before.get(field) == found[field] for field in ("config", "inputs", "recipes", "seed"))
    tolerance = before["tolerance"] if same else single_precision(source, case, weights, inputs, expected, out)
    for precision in half.FORMATS:
        if precision not in tolerance:
            tolerance[precision] = half_precision(source, case, weights, inputs, expected, out, precision)
    return tolerance


def single_precision(source, case, weights, inputs, expected, out):
    draws = case.get("draws", noise.DRAWS)
    if case.get("full"):
        measured = probes.measure(source, case, weights, inputs, out, draws)
    else:
        measured = noise.measure(source, case, weights, inputs, expected, case["wanted"])
    noise.check_bound(case["id"], measured)
    runs = {"draws": draws, "float32": True, "sequential": True}
    return {"policy": "noise", "K": 8, "measured": runs, "noise": measured}


def half_precision(source, case, weights, inputs, expected, out, precision):
    if case.get("full"):
        return half.measure_probes(source, case, weights, inputs, out, precision)
    return half.measure(source, case, weights, inputs, expected, case["wanted"], precision)


def evaluate(source, case, weights, inputs, found, old):
    """Runs the case and measures its noise; completes the manifest and returns what expected.safetensors holds."""
    expected, trainable = run(source, case, weights, inputs, wanted=case["wanted"])
    out = None
    if case.get("full"):
        out = expected["outputs.out"]
        expected = probes.probes(out, case["seed"])
        found["probed"] = {"out": list(out.shape)}
    listed = lambda part: [name[len(part) + 1 :] for name in expected if name.startswith(f"{part}.")]
    found |= {"outputs": listed("outputs") or ["out"], "taps": listed("taps"), "grads": listed("grads")}
    if trainable is not None:
        found["trainable"] = trainable
    return expected, tolerance_of(source, case, weights, inputs, expected, out, found, old)


def stored_tensors(case, shapes, recipe, weights, specs, inputs):
    """What inputs.safetensors holds: everything in a small case, otherwise what no recipe can generate."""
    inexact = lambda recipe: "file" in recipe
    generated = case.get("full") or case.get("raises")
    stored = {f"weights.{key}": weights[key] for key in shapes if not generated or inexact(recipe[key])}
    return stored | {f"inputs.{name}": inputs[name] for name in specs if not case.get("full") or inexact(specs[name][1])}


def make(source, kind, entry, out, keep):
    """Writes the case folder below `out` and returns its manifest; `keep` is described at Request."""
    case = expand(source, kind, entry)
    folder, old = out / case["id"], keep / case["id"] if keep else None
    folder.mkdir(parents=True, exist_ok=True)
    kept = files.read_tensors(old / "inputs.safetensors") if old else {}
    absent = case.get("raises") and not buildable(source, case)
    shapes, ties, recipe, weights = ({}, {}, {}, {}) if absent else weights_of(source, case, kept)
    specs, inputs = inputs_of(source, case, weights)
    found = manifest(source, case, shapes, ties, recipe, specs, inputs)
    expected, tolerance = {}, None
    if case.get("raises"):
        found["raises"] = exception(source, case, weights, inputs)
    else:
        expected, tolerance = evaluate(source, case, weights, inputs, found, old / "case.json" if old else None)
        files.write_tensors(folder / "expected.safetensors", {name: torch.tensor(value) for name, value in expected.items()})
    found["flags"] = source.flags(case, inputs, weights, expected)
    subjects = [*found["flags"], *([] if case.get("raises") else [kind])]
    found["rules"] = sorted({rule for key in subjects for rule in source.rules.get(key, [])})
    found["ship"] = bool(case.get("ship"))
    if tolerance:
        found["tolerance"] = tolerance
    stored = stored_tensors(case, shapes, recipe, weights, specs, inputs)
    files.write_tensors(folder / "inputs.safetensors", {name: files.stored(value) for name, value in stored.items()})
    files.write_json(folder / "case.json", found)
    return found
