"""The part of case.json that does not depend on the run (FORMAT.md §3)."""

import platform

from .. import files

SCHEMA, GENERATOR = "flamboyance-case/1", "splitmix64-dyadic8/1"


def kebab(name):
    return "".join(f"-{c.lower()}" if c.isupper() else c for c in name).lstrip("-")


def identity(source, kind, entry):
    return f"{source.package}/{source.names.get(kind) or kebab(kind)}--{entry['id']}"


def provenance(source, kind):
    version, torch, others = source.versions()
    found = {"package": source.package, "version": version, "class": kind, "torch": torch, **others}
    return found | {"python": ".".join(platform.python_version_tuple()[:2])}


def expand(source, kind, entry):
    """The parts of a case that decide the run: class, config, call and what is recorded."""
    case = {"config": {}, **entry, "class": kind, "id": identity(source, kind, entry)}
    case["call"] = {name: name for name in case["inputs"]}
    case["wanted"] = ("outputs",) + (("grads",) if case.get("grads") else ())
    if case.get("taps", not case.get("full") and not case.get("grads")):
        case["wanted"] += ("taps",)
    return case


def described(source, case, name, shape, value):
    found = {"dtype": files.dtype_name(files.stored(value)), "shape": shape}
    if name in case["call"]:
        axes = source.axes[case["class"]][name]
        found["axes"] = axes if isinstance(axes, str) else axes[str(len(shape))]
    return found


def manifest(source, case, shapes, ties, recipe, specs, values):
    found = {"schema": SCHEMA, "id": case["id"], "title": case["title"]}
    found["level"] = "grad" if case.get("grads") else case.get("level") or source.levels.get(case["class"], "module")
    found |= {"source": provenance(source, case["class"]), "profile": source.profile, "config": case["config"], "call": case["call"]}
    if case.get("positional"):
        found["positional"] = case["positional"]
    found["inputs"] = {name: described(source, case, name, shape, values[name]) for name, (shape, _) in specs.items()}
    generated = case.get("full") or case.get("raises")
    found["weights"] = {"generated": True, "shapes": shapes} if generated else shapes
    found |= {"ties": ties, "seed": case["seed"], "generator": GENERATOR}
    found["recipes"] = {f"inputs.{name}": recipe for name, (_, recipe) in specs.items()}
    found["recipes"] |= {f"weights.{key}": one for key, one in recipe.items()}
    if case.get("full"):
        found["full"] = True
    return found
