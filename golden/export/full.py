"""Full-size cases: 256 probed elements, the sum and the norm stand for the whole output (FORMAT.md §6)."""

import numpy as np
import torch

import noise
from generator import integers
from runs import run

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
    """The largest of: error of the vector of probes, of one probe (both against the output's RMS)."""
    value, e = actual["probes.out.value"], expected["probes.out.value"]
    rms = float(expected["probes.out.norm"]) / np.sqrt(size)
    one = np.max(np.abs(value - e) / np.maximum(np.abs(e), rms))
    return max(np.linalg.norm(value - e) / (rms * np.sqrt(PROBES)), float(one))


def measure(case, weights, inputs, out, draws):
    expected = probes(out, case["seed"])
    worst_yet = noise.FLOOR

    def take(found):
        nonlocal worst_yet
        actual = found[0]["outputs.out"]
        tensor = np.linalg.norm(actual - out) / np.linalg.norm(out)
        worst_yet = max(worst_yet, tensor, worst(probes(actual, case["seed"]), expected, out.size))

    seed, wanted = case["seed"], ("outputs",)
    for draw in range(draws):
        take(run(case, noise.moved(weights, seed, draw), noise.moved(inputs, seed, draw), wanted=wanted))
    take(run(case, weights, inputs, torch.float32, wanted=wanted))
    take(run(case, weights, inputs, torch.float32, sequential=True, wanted=wanted))
    return {"probes.out": noise.rounded_up(worst_yet)}
