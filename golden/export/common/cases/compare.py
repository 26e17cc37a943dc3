"""Compares committed case folders with those exported afresh.

Manifests, inputs and weights must be the same. Expected values may differ by 1e-12, because processors differ in their last
bits, and the noise, which is measured with float32 runs, by a factor of four."""

import json

import numpy as np
import torch
from safetensors import SafetensorError

from .. import files
from ..running import half, noise, probes
from ..source import Check, same_bytes

TOLERANCE, FACTOR = 1e-12, 4
MANIFEST, INPUTS, EXPECTED = "case.json", "inputs.safetensors", "expected.safetensors"


def manifests(old, new):
    """The differences between two manifests, except the version of Python and the size of the noise."""
    a, b = (json.loads((folder / MANIFEST).read_text()) for folder in (old, new))
    for case in (a, b):
        case["source"].pop("python")
    noises = [{part: case.get("tolerance", {}).pop(part, {}) for part in ("noise", *half.FORMATS)} for case in (a, b)]
    yield from (f"case.json: {field} differs" for field in sorted({*a, *b}) if a.get(field) != b.get(field))
    for part in noises[0]:
        yield from noise_differences(part, noises[0][part], noises[1][part])


def noise_differences(part, a, b):
    """Two measurements of noise, or reasons why there is none. A tensor whose noise is near the limit may be in one alone."""
    if isinstance(a, str) or isinstance(b, str):
        if a != b:
            yield f"{part}: {a} or {b}"
        return
    near = half.LARGEST / FACTOR if part in half.FORMATS else np.inf
    if any(not {**a, **b}[name] >= near for name in a.keys() ^ b.keys()):
        yield f"case.json: {part} names other tensors"
    for name in sorted(a.keys() & b.keys()):
        one, other = a[name], b[name]
        if not one <= FACTOR * other or not other <= FACTOR * one:
            yield f"{part} of {name}: {one} or {other}"


def same_bits(old, new):
    a, b = (files.read_tensors(folder / INPUTS) for folder in (old, new))
    if a.keys() != b.keys():
        yield "inputs.safetensors: other names"
    for name in sorted(a.keys() & b.keys()):
        if a[name].dtype != b[name].dtype or not torch.equal(a[name], b[name]):
            yield f"inputs.safetensors: {name} differs"


def probe_errors(a, b, size):
    norm = float(a["probes.out.norm"])
    yield 0.0 if np.array_equal(a["probes.out.index"], b["probes.out.index"]) else np.inf, "probes.out.index"
    yield probes.worst(b, a, size), "probes.out.value"
    yield abs(float(b["probes.out.norm"]) - norm) / norm, "probes.out.norm"
    yield abs(float(b["probes.out.sum"] - a["probes.out.sum"])) / (norm * np.sqrt(size)), "probes.out.sum"


def expected_error(old, new):
    """The largest error of any expected tensor, and the tensor's name; infinite if the files hold different tensors."""
    a, b = ({k: v.numpy() for k, v in files.read_tensors(folder / EXPECTED).items()} for folder in (old, new))
    if a.keys() != b.keys() or (old / EXPECTED).exists() != (new / EXPECTED).exists():
        return np.inf, EXPECTED
    if any(a[name].dtype != b[name].dtype for name in a):
        return np.inf, EXPECTED
    if "probes.out.norm" in a:
        size = np.prod(json.loads((old / MANIFEST).read_text())["probed"]["out"])
        return largest(probe_errors(a, b, size))
    return largest((noise.worst(b[name], a[name]), name) for name in a)


def largest(errors):
    """The largest error and its name. NaN counts as larger than any number."""
    return max(errors, key=lambda pair: np.inf if np.isnan(pair[0]) else pair[0], default=(0.0, "nothing"))


def complaints(old, new):
    """(the differences as sentences, the largest error of an expected value)."""
    missing = [str(folder) for folder in (old, new) if not (folder / MANIFEST).exists()]
    if missing:
        return [f"no case in {', '.join(missing)}"], 0.0
    try:
        found = [*manifests(old, new), *same_bits(old, new)]
        error, name = expected_error(old, new)
    except (KeyError, ValueError, OSError, SafetensorError) as problem:
        return [f"cannot be read: {problem!r}"], 0.0
    if not error <= TOLERANCE:
        found.append(f"{name} is off by {error:.1e}")
    return found, error


def cases(committed, fresh, package, complete):
    """One check for each case of the package. Unless the export was complete, only what it made is compared."""
    roots = [fresh, committed] if complete else [fresh]
    ids = sorted({f"{package}/{path.parent.name}" for root in roots for path in (root / package).glob("*/case.json")})
    checks, errors, identical = [], [], 0
    for name in ids:
        found, error = complaints(committed / name, fresh / name)
        checks.append(Check(name, found))
        errors.append((error, name))
        parts = [part for part in (MANIFEST, INPUTS, EXPECTED) if (committed / name / part).exists()]
        identical += all(same_bytes(committed / name / part, fresh / name / part) for part in parts)
    worst = largest(errors)
    print(f"{package}: the worst error of an expected value is {worst[0]:.1e} ({worst[1]}); {identical} of {len(ids)} cases are the same bytes")
    return checks
