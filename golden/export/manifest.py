"""case.json, the part that does not depend on the run (FORMAT.md §3)."""

import importlib.metadata
import json
import platform
from pathlib import Path

import files
import sources

HERE = Path(__file__).parent
AXES = json.loads((HERE / "axes.json").read_text())
RULES = json.loads((HERE / "rules.json").read_text())
SCHEMA, GENERATOR, PROFILE = "flamboyance-case/1", "splitmix64-dyadic8/1", "flamingo-pytorch@0.1.2"
KEBAB = {"FlamingoPaLM": "flamingo-palm", "SwiGLU": "swiglu", "ViT": "vit", "LayerNorm": "palm-layer-norm"}


def kebab(name):
    return KEBAB.get(name) or "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


def identity(kind, case):
    return f"{sources.PACKAGE[kind]}/{kebab(kind)}--{case['id']}"


def source(kind):
    version = lambda name: importlib.metadata.version(name).split("+")[0]
    package = sources.PACKAGE[kind]
    found = {"package": package, "version": version(package), "class": kind, "torch": version("torch")}
    if package != "vit-pytorch":
        found["vitPytorch"] = version("vit-pytorch")
    return found | {"python": ".".join(platform.python_version_tuple()[:2])}


def expand(kind, entry):
    """The parts of a case that decide the run: class, config, call, what to watch."""
    case = {"config": {}, **entry, "class": kind, "id": identity(kind, entry)}
    case["call"] = {name: name for name in case["inputs"]}
    case["wanted"] = ("outputs",) + (("grads",) if case.get("grads") else ())
    if case.get("taps", not case.get("full") and not case.get("grads")):
        case["wanted"] += ("taps",)
    return case


def described(case, name, shape, value):
    found = {"dtype": files.dtype_name(files.stored(value)), "shape": shape}
    if name in case["call"]:
        axes = AXES[case["class"]][name]
        found["axes"] = axes if isinstance(axes, str) else axes[str(len(shape))]
    return found


def manifest(case, shapes, ties, recipe, specs, values):
    found = {"schema": SCHEMA, "id": case["id"], "title": case["title"]}
    found["level"] = "grad" if case.get("grads") else sources.LEVEL.get(case["class"], "module")
    found |= {"source": source(case["class"]), "profile": PROFILE, "config": case["config"], "call": case["call"]}
    if case.get("positional"):
        found["positional"] = case["positional"]
    found["inputs"] = {name: described(case, name, shape, values[name]) for name, (shape, _) in specs.items()}
    generated = case.get("full") or case.get("raises")
    found["weights"] = {"generated": True, "shapes": shapes} if generated else shapes
    found |= {"ties": ties, "seed": case["seed"], "generator": GENERATOR}
    found["recipes"] = {f"inputs.{name}": recipe for name, (_, recipe) in specs.items()}
    found["recipes"] |= {f"weights.{key}": one for key, one in recipe.items()}
    if case.get("full"):
        found["full"] = True
    return found
