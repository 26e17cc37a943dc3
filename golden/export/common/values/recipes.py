"""Recipes for the tensors of a case (FORMAT.md §4), and the values that a recipe generates."""

import fnmatch
from pathlib import Path

import numpy as np
from PIL import Image

from .generator import dyadic, integers

DATA = Path(__file__).resolve().parents[3] / "data"
TWO = {"mean": 0, "exponent": -6, "bits": 8}  # inputs and learned positions: approximately uniform on ±2
GATES = {"attn_gate": (0.75, -0.625, 0.875), "ff_gate": (-0.5, 0.75, -0.875)}  # unequal and well away from zero


def constant(value):
    return {"mean": value, "exponent": 0, "bits": 0}


def weight_recipe(key, shape, nth_gate):
    """The default recipe by the last part of the key and the number of axes: the table of FORMAT.md §4."""
    last = key.rsplit(".", 1)[-1]
    if last == "inv_freq":
        return {"file": True}
    if last == "beta":
        return constant(0)
    if last in GATES:
        return constant(GATES[last][nth_gate % 3])
    if last == "gamma" or (last == "weight" and len(shape) == 1):
        return {"mean": 1, "exponent": -6, "bits": 6}
    if last == "bias":
        return {"mean": 0, "exponent": -9, "bits": 8}
    if last == "weight":
        half = next(s for s in range(32) if 4**s >= shape[1])  # std about 1/√fan-in
        return {"mean": 0, "exponent": -6 - half, "bits": 8}
    return dict(TWO)  # latents, position embeddings, class token


def weight_recipes(shapes, overrides, default=weight_recipe):
    """key -> recipe: the defaults, changed by the case's `weights` patterns."""
    recipes, gates = {}, {"attn_gate": 0, "ff_gate": 0}
    for key, shape in shapes.items():
        last = key.rsplit(".", 1)[-1]
        recipe = default(key, shape, gates.get(last, 0))
        if last in gates:
            gates[last] += 1
        for pattern, change in overrides.items():
            if fnmatch.fnmatchcase(key, pattern):
                change = dict(change)
                recipe["exponent"] = recipe.get("exponent", 0) + change.pop("shift", 0)
                recipe.update(change)
        recipes[key] = recipe
    return recipes


def input_recipe(spec):
    """(shape, recipe) for an input in the short form of a case file (FORMAT.md §7)."""
    if isinstance(spec, list):
        spec = {"locations": spec} if isinstance(spec[0], str) else {"shape": spec}
    layout = spec.get("locations") or spec.get("layout")
    marks = [[b, i] for b, row in enumerate(layout or []) for i, mark in enumerate(row) if mark == "I"] + spec.get("at", [])
    shape = [len(layout), len(layout[0])] if layout else spec.get("shape", [])
    if "locations" in spec or "true" in spec:
        return shape, {"true": marks + spec.get("true", [])}
    if "int" in spec:
        return shape, {"low": spec["int"], "high": spec["int"] + 1}
    if "low" in spec:
        place = {"place": [[*at, spec["media"]] for at in marks]} if marks else {}
        return shape, {"low": spec["low"], "high": spec["high"], **place}
    if "photograph" in spec:
        return list(photograph(spec["photograph"]).shape), {"file": True, "photograph": spec["photograph"]}
    return shape, {**TWO, **{name: value for name, value in spec.items() if name != "shape"}}


def photograph(name):
    """The pixels of an 8-bit RGB picture divided by 256, with axes b m c h w."""
    pixels = np.asarray(Image.open(DATA / name).convert("RGB"), dtype=np.float64)
    return pixels.transpose(2, 0, 1)[None, None] / 256


def make(seed, name, shape, recipe, dtype=np.float64):
    """The values that a recipe generates, or None if they are stored in the case's file only."""
    if "photograph" in recipe:
        return photograph(recipe["photograph"])
    if "file" in recipe:
        return None
    if "true" in recipe:
        out = np.zeros(shape, bool)
        for at in recipe["true"]:
            out[tuple(at)] = True
        return out
    size = int(np.prod(shape, dtype=np.int64))
    if "low" in recipe:
        out = integers(seed, name, size, recipe["low"], recipe["high"]).reshape(shape)
        for *at, value in recipe.get("place", []):
            out[tuple(at)] = value
        return out
    plain = [recipe[part] for part in ("mean", "exponent", "bits")]
    out = dyadic(seed, name, size, *plain, dtype).reshape(shape)
    for row in recipe.get("rows", []):
        changed = [row.get(part, recipe[part]) for part in ("mean", "exponent", "bits")]
        at = tuple(row["at"])
        out[at] = dyadic(seed, name, size, *changed, dtype).reshape(shape)[at]
    return out
