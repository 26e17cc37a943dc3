"""Compares two folders of cases, the committed and one made afresh: python verify.py COMMITTED FRESH [partial]

Manifests, inputs and weights must be the same; expected values within 1e-12, because processors differ in their last bits;
noise, which rests on float32 runs, within a factor of four."""

import json
import sys
from pathlib import Path

import numpy as np
import torch
from safetensors import SafetensorError

import files
import full
import noise

WITHIN, FACTOR = 1e-12, 4
READ = ("case.json", "inputs.safetensors", "expected.safetensors")


def manifests(old, new):
    """What differs between two manifests, apart from the version of Python and the size of the noise."""
    a, b = (json.loads((folder / "case.json").read_text()) for folder in (old, new))
    for case in (a, b):
        case["source"].pop("python")
    noises = [case.get("tolerance", {}).pop("noise", {}) for case in (a, b)]
    yield from (f"case.json: {field} differs" for field in sorted({*a, *b}) if a.get(field) != b.get(field))
    if noises[0].keys() != noises[1].keys():
        yield "case.json: noise names other tensors"
    for name in noises[0].keys() & noises[1].keys():
        if not 1 / FACTOR <= noises[0][name] / noises[1][name] <= FACTOR:
            yield f"noise of {name}: {noises[0][name]} or {noises[1][name]}"


def same_bits(old, new):
    a, b = (files.read_tensors(folder / "inputs.safetensors") for folder in (old, new))
    if a.keys() != b.keys():
        yield "inputs.safetensors: other names"
    for name in a.keys() & b.keys():
        if a[name].dtype != b[name].dtype or not torch.equal(a[name], b[name]):
            yield f"inputs.safetensors: {name} differs"


def expected_error(old, new):
    """The largest error of any tensor, and its name; infinite when the files do not hold the same."""
    a, b = ({k: v.numpy() for k, v in files.read_tensors(folder / "expected.safetensors").items()} for folder in (old, new))
    if a.keys() != b.keys() or (old / READ[2]).exists() != (new / READ[2]).exists():
        return np.inf, "expected.safetensors"
    if "probes.out.norm" in a:
        norm, size = float(a["probes.out.norm"]), np.prod(json.loads((old / READ[0]).read_text())["probed"]["out"])
        return max(
            (0.0 if np.array_equal(a["probes.out.index"], b["probes.out.index"]) else np.inf, "probes.out.index"),
            (full.worst(b, a, size), "probes.out.value"),
            (abs(float(b["probes.out.norm"]) - norm) / norm, "probes.out.norm"),
            (abs(float(b["probes.out.sum"] - a["probes.out.sum"])) / (norm * np.sqrt(size)), "probes.out.sum"),
        )
    return max(((noise.worst(b[name], a[name]), name) for name in a), default=(0.0, "nothing"))


def complaints(old, new):
    missing = [str(folder) for folder in (old, new) if not (folder / "case.json").exists()]
    if missing:
        return [f"no case in {', '.join(missing)}"], 0.0
    try:
        found = [*manifests(old, new), *same_bits(old, new)]
        error, name = expected_error(old, new)
    except (KeyError, ValueError, OSError, SafetensorError) as problem:
        return [f"cannot be read: {problem!r}"], 0.0
    if not error <= WITHIN:
        found.append(f"{name} is off by {error:.1e}")
    return found, error


def same_bytes(old, new, parts):
    pairs = [(old / part, new / part) for part in parts]
    return all(a.exists() and b.exists() and a.read_bytes() == b.read_bytes() for a, b in pairs)


def main():
    committed, fresh = Path(sys.argv[1]), Path(sys.argv[2])
    partial = sys.argv[3:] == ["partial"]  # judge only what was made afresh
    roots = [fresh] if partial else [fresh, committed]
    ids = sorted({str(path.parent.relative_to(root)) for root in roots for path in root.glob("*/*/case.json")})
    checked, failed, worst, identical = len(ids), 0, (0.0, "none"), 0
    for name in ids:
        found, error = complaints(committed / name, fresh / name)
        for line in found:
            print(f"FAILED {name}: {line}")
        failed += bool(found)
        worst = max(worst, (error, name))
        parts = [part for part in READ if (committed / name / part).exists()]
        identical += same_bytes(committed / name, fresh / name, parts)
    if not partial:
        checked += 1
        if not same_bytes(committed.parent, fresh.parent, ["COVERAGE.md"]):
            failed += 1
            print("FAILED COVERAGE.md differs")
    print(f"worst error of an expected value: {worst[0]:.1e} ({worst[1]}); {identical} of {len(ids)} cases are the same bytes")
    print(f"{checked - failed} passed, {failed} failed")
    sys.exit(1 if failed else 0)


main()
