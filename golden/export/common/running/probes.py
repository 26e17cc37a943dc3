"""Full-size cases: 256 probed elements, the sum and the norm stand in for the whole output (FORMAT.md §6)."""

import numpy as np

from ..values.generator import integers
from . import noise

PROBES = 256


def positions(seed, size):
    return integers(seed, "probes.out.index", PROBES, 0, size)


def probes(out, seed):
    index = positions(seed, out.size)
    return {
        "probes.out.index": index,
        "probes.out.value": out.reshape(-1)[index],
        "probes.out.sum": np.array(out.sum()),
        "probes.out.norm": np.array(np.linalg.norm(out)),
    }


def worst(actual, expected, size):
    """The larger of the error of the vector of probes and that of its worst element, both relative to the output's RMS."""
    value, e = actual["probes.out.value"], expected["probes.out.value"]
    rms = float(expected["probes.out.norm"]) / np.sqrt(size)
    one = np.max(np.abs(value - e) / np.maximum(np.abs(e), rms))
    return max(np.linalg.norm(value - e) / (rms * np.sqrt(PROBES)), float(one))


def error(actual, out, expected, seed):
    """The larger of the error of the whole output and that of its probes, whose expected values are given."""
    tensor = np.linalg.norm(actual - out) / np.linalg.norm(out)
    return max(tensor, worst(probes(actual, seed), expected, out.size))


def measure(source, case, weights, inputs, out, draws):
    """The noise of the probes: the largest error of the whole output and of its probes in any single-precision run."""
    expected = probes(out, case["seed"])
    largest = noise.FLOOR
    for found in noise.single_precision_runs(source, case, weights, inputs, ("outputs",), draws):
        largest = max(largest, error(found["outputs.out"], out, expected, case["seed"]))
    return {"probes.out": noise.rounded_up(largest)}
