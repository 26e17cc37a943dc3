"""How far a correct float32 implementation may stray: measured, by the same errors that a comparison uses (FORMAT.md §6)."""

import numpy as np
import torch

from generator import octets
from lazy import Lazy
from runs import run

DRAWS = 8
FLOOR = 4 * 2.0**-24


def errors(actual, expected):
    """Relative error of the tensor, and the largest of its rows (last axis). Infinities must agree, then count as 0."""
    a, e = np.atleast_1d(actual), np.atleast_1d(expected)
    if a.shape != e.shape or not np.array_equal(a[~np.isfinite(e)], e[~np.isfinite(e)]):
        return np.inf, np.inf
    a, e = np.where(np.isfinite(e), a, 0), np.where(np.isfinite(e), e, 0)
    silent = ~e.any(-1)  # a row that is zero throughout must be so
    if e.size == 0 or a[silent].any():
        return (np.inf, np.inf) if a[silent].any() else (0.0, 0.0)
    norm, wrong = np.linalg.norm(e), np.linalg.norm(a - e)
    if norm == 0:
        return 0.0, 0.0
    scale = np.maximum(np.linalg.norm(e, axis=-1), norm * np.sqrt(e.shape[-1] / e.size))
    return wrong / norm, float(np.max(np.linalg.norm(a - e, axis=-1) / scale))


def worst(actual, expected):
    return max(errors(actual, expected))


def moved(values, seed, draw):
    """Every float moved by one float32 ulp, up or down (zeros stay)."""

    def move(name):
        value = values[name]
        if not np.issubdtype(value.dtype, np.floating):
            return value
        up = octets(seed, f"ulp/{draw}/{name}", 0, value.size).reshape(value.shape) >> np.uint8(7)
        ulp = np.spacing(np.abs(value).astype(np.float32)).astype(np.float64) * (value != 0)
        return value.astype(np.float64) + np.where(up == 1, ulp, -ulp)

    return Lazy(values, move)


def measure(case, weights, inputs, expected, wanted):
    """name -> noise, the largest over: 8 moved float64 runs, torch's float32 run, a float32 run summed in sequence."""
    noise = {name: FLOOR for name in expected}

    def take(found):
        for name in expected:
            error = worst(found[name], expected[name])
            assert np.isfinite(error), f"{case['id']}: {name} is not comparable in single precision"
            noise[name] = max(noise[name], error)

    for draw in range(DRAWS):
        seed = case["seed"]
        take(run(case, moved(weights, seed, draw), moved(inputs, seed, draw), wanted=wanted)[0])
    take(run(case, weights, inputs, torch.float32, wanted=wanted)[0])
    take(run(case, weights, inputs, torch.float32, sequential=True, wanted=wanted)[0])
    return {name: rounded_up(value) for name, value in noise.items()}


def rounded_up(value):
    """Two decimals, never downwards, so that the manifest stays short."""
    text = f"{value:.2e}"
    return float(text) if float(text) >= value else float(f"{value * 1.005:.2e}")
