"""Measures the noise of a case: how far a correct single-precision implementation may deviate (FORMAT.md §6)."""

import numpy as np
import torch

from ..values.generator import octets
from ..values.lazy import Lazy
from .runs import run

DRAWS = 8
FLOOR = 4 * 2.0**-24
LARGEST = 1e-3  # a case with more noise would accept wrong results, and check refuses it


def errors(actual, expected):
    """The relative errors of the tensor and of its worst row (last axis). Infinities must agree and then count as 0."""
    a, e = np.atleast_1d(actual), np.atleast_1d(expected)
    if a.shape != e.shape or not np.array_equal(a[~np.isfinite(e)], e[~np.isfinite(e)]):
        return np.inf, np.inf
    a, e = np.where(np.isfinite(e), a, 0), np.where(np.isfinite(e), e, 0)
    zeroed = ~e.any(-1)  # a row that is zero throughout must be exactly zero
    if e.size == 0 or a[zeroed].any():
        return (np.inf, np.inf) if a[zeroed].any() else (0.0, 0.0)
    norm, wrong = np.linalg.norm(e), np.linalg.norm(a - e)
    if norm == 0:
        return 0.0, 0.0
    scale = np.maximum(np.linalg.norm(e, axis=-1), norm * np.sqrt(e.shape[-1] / e.size))
    return wrong / norm, float(np.max(np.linalg.norm(a - e, axis=-1) / scale))


def worst(actual, expected):
    """The larger of both errors; integers and booleans must be equal."""
    if not np.issubdtype(np.asarray(expected).dtype, np.floating):
        return 0.0 if np.array_equal(actual, expected) else np.inf
    return max(errors(actual, expected))


def perturbed(values, seed, draw):
    """Every float moved by one float32 ulp, up or down; zeros stay."""

    def perturb(name):
        value = values[name]
        if not np.issubdtype(value.dtype, np.floating):
            return value
        up = octets(seed, f"ulp/{draw}/{name}", 0, value.size).reshape(value.shape) >> np.uint8(7)
        ulp = np.spacing(np.abs(value).astype(np.float32)).astype(np.float64) * (value != 0)
        return value.astype(np.float64) + np.where(up == 1, ulp, -ulp)

    return Lazy(values, perturb)


def single_precision_runs(source, case, weights, inputs, wanted, draws):
    """The results of `draws` perturbed float64 runs, of torch's float32 run and of a float32 run summed in sequence."""
    for draw in range(draws):
        seed = case["seed"]
        yield run(source, case, perturbed(weights, seed, draw), perturbed(inputs, seed, draw), wanted=wanted)[0]
    yield run(source, case, weights, inputs, torch.float32, wanted=wanted)[0]
    yield run(source, case, weights, inputs, torch.float32, sequential=True, wanted=wanted)[0]


def measure(source, case, weights, inputs, expected, wanted):
    """name -> noise: the largest error of any single-precision run. Integer tensors are compared exactly: their noise is 0."""
    exact = {name for name, value in expected.items() if not np.issubdtype(value.dtype, np.floating)}
    noise = {name: 0.0 if name in exact else FLOOR for name in expected}
    for found in single_precision_runs(source, case, weights, inputs, wanted, DRAWS):
        for name in expected:
            error = worst(found[name], expected[name])
            assert np.isfinite(error), f"{case['id']}: {name} is not comparable in single precision"
            noise[name] = max(noise[name], error)
    return {name: rounded_up(value) for name, value in noise.items()}


def check_bound(case_id, measured):
    """Raises a ValueError that names the tensor with the largest noise, if that is beyond the bound."""
    name = max(measured, key=measured.get)
    if not measured[name] <= LARGEST:
        remedy = "choose inputs whose results float32 can represent"
        raise ValueError(f"{case_id}: the noise of {name} is {measured[name]}, and {LARGEST} at most; {remedy}")


def rounded_up(value):
    """The value with two decimals, never smaller than it is, so that the manifest stays short."""
    text = f"{value:.2e}"
    return float(text) if float(text) >= value else float(f"{value * 1.005:.2e}")
