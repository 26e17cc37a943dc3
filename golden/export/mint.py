"""From one entry of a case file to one folder: build, run, measure, write."""

import json
from pathlib import Path

import numpy as np

import features
import files
import full
import noise
import recipes
import sources
from lazy import Lazy
from manifest import RULES, expand, manifest
from runs import output_shape, run


def weights_of(case, kept):
    """shapes, ties, recipes and values; rotary frequencies, which the package computes, from the module, or as kept."""
    state, ties = sources.own_state(sources.build(case["class"], case["config"]))
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    recipe = recipes.weight_recipes(shapes, case.get("weights", {}))
    computed = {key: state[key].detach() for key in shapes if "file" in recipe[key]}
    for key, value in computed.items():
        now, then = value.numpy(), kept.get(f"weights.{key}", value).numpy()
        assert (np.abs(now - then) <= np.spacing(now)).all(), f"{key} differs by more than one ulp"
        computed[key] = then.astype(np.float64)

    def value(key):
        return computed[key] if key in computed else recipes.make(case["seed"], f"weights.{key}", shapes[key], recipe[key])

    values = Lazy(shapes, value) if case.get("full") else {key: value(key) for key in shapes}
    return shapes, ties, recipe, values


def inputs_of(case, weights):
    """name -> (shape, recipe), name -> values; a gradient case has a cotangent in the output's shape."""
    specs = {name: recipes.input_recipe(spec) for name, spec in case["inputs"].items()}
    make = lambda name: np.asarray(recipes.make(case["seed"], f"inputs.{name}", *specs[name]))
    values = {name: make(name) for name in specs}
    if case.get("grads"):
        specs["cotangent"] = (output_shape(case, weights, values), dict(recipes.TWO))
        values["cotangent"] = make("cotangent")
    return specs, values


def refusal(case, weights, inputs):
    """What the release throws; it is an error of the case file when it throws nothing."""
    phase = "construct"
    try:
        sources.build(case["class"], case["config"])
        phase = "forward"
        run(case, weights, inputs, wanted=("outputs",))
    except Exception as error:  # whatever it is, it is what we record
        return {"phase": phase, "type": type(error).__name__, "message": str(error)}
    raise AssertionError(f"{case['id']} raises nothing")


def buildable(case):
    try:
        sources.build(case["class"], case["config"])
        return True
    except Exception:
        return False


def evaluate(case, weights, inputs, found, old):
    """Runs the case and measures its noise; fills in the manifest and returns what expected.safetensors holds."""
    expected, trainable = run(case, weights, inputs, wanted=case["wanted"])
    out, draws = expected["outputs.out"], case.get("draws", noise.DRAWS)
    if case.get("full"):
        expected = full.probes(out, case["seed"])
        found["probed"] = {"out": list(out.shape)}
    listed = lambda part: [name[len(part) + 1 :] for name in expected if name.startswith(f"{part}.")]
    found |= {"outputs": listed("outputs") or ["out"], "taps": listed("taps"), "grads": listed("grads")}
    if trainable is not None:
        found["trainable"] = trainable
    before = json.loads(old.read_text()) if case.get("full") and old and old.exists() else {}
    if all(before.get(field) == found[field] for field in ("config", "inputs", "recipes", "seed")):
        tolerance = before["tolerance"]
    else:
        measured = full.measure(case, weights, inputs, out, draws) if case.get("full") else {}
        measured = measured or noise.measure(case, weights, inputs, expected, case["wanted"])
        runs = {"draws": draws, "float32": True, "sequential": True}
        tolerance = {"policy": "noise", "K": 8, "measured": runs, "noise": measured}
    return expected, tolerance


def mint(kind, entry, out: Path, keep: Path | None):
    """Writes the folder, returns the manifest. `keep`: cases whose frequencies, and noise if full size, are taken over."""
    case = expand(kind, entry)
    folder, old = out / case["id"], keep / case["id"] if keep else None
    folder.mkdir(parents=True, exist_ok=True)
    kept = files.read_tensors(old / "inputs.safetensors") if old else {}
    absent = case.get("raises") and not buildable(case)
    shapes, ties, recipe, weights = ({}, {}, {}, {}) if absent else weights_of(case, kept)
    specs, inputs = inputs_of(case, weights)
    found = manifest(case, shapes, ties, recipe, specs, inputs)
    expected, tolerance = {}, None
    if case.get("raises"):
        found["raises"] = refusal(case, weights, inputs)
    else:
        expected, tolerance = evaluate(case, weights, inputs, found, old / "case.json" if old else None)
        files.write_tensors(folder / "expected.safetensors", {name: files.torch.tensor(value) for name, value in expected.items()})
    found["flags"] = features.flags(case, inputs, weights, expected)
    subjects = [*found["flags"], *([] if case.get("raises") else [kind])]
    found["rules"] = sorted({rule for key in subjects for rule in RULES.get(key, [])})
    found["ship"] = bool(case.get("ship"))
    if tolerance:
        found["tolerance"] = tolerance
    inexact = lambda recipe: "file" in recipe
    generated = case.get("full") or case.get("raises")
    stored = {f"weights.{key}": weights[key] for key in shapes if not generated or inexact(recipe[key])}
    stored |= {f"inputs.{name}": inputs[name] for name in specs if not case.get("full") or inexact(specs[name][1])}
    files.write_tensors(folder / "inputs.safetensors", {name: files.stored(value) for name, value in stored.items()})
    files.write_json(folder / "case.json", found)
    return found
