"""Measures the noise of a case in bfloat16 and float16: how far a correct implementation in that precision may deviate (FORMAT.md §6)."""

import numpy as np
import torch

from . import noise, probes
from .runs import run

FORMATS = {"bfloat16": torch.bfloat16, "float16": torch.float16}
# One rounding to nearest: 8 and 11 significant bits. Where two correct implementations differ, they differ by at least this.
FLOORS = {"bfloat16": 2.0**-8, "float16": 2.0**-11}
LARGEST = 2.0**-4  # K · LARGEST = 1/2; a tensor of zeros has the error 1


def runs(source, case, weights, inputs, wanted, dtype, draws):
    """The results of PyTorch's own run in `dtype`, and of float32 runs in which the result of every op is rounded to it."""
    yield run(source, case, weights, inputs, dtype, wanted=wanted)[0]
    for draw in range(draws):
        yield run(source, case, weights, inputs, torch.float32, wanted=wanted, rounded=dtype, scale=1 + draw / draws)[0]


def in_order(names):
    """Names in order of execution: taps, outputs, gradients."""
    return sorted(names, key=lambda name: ("taps", "outputs", "grads").index(name.split(".")[0]))


def unsuitable(found, expected, precision):
    """Why the results of an honest run cannot be compared; None if they can."""
    for name in in_order(expected):
        if np.isfinite(noise.worst(found[name], expected[name])):
            continue
        if not np.isfinite(found[name][np.isfinite(expected[name])]).all():
            return f"{name} leaves the range of {precision}"
        return f"{name} is not exact in {precision}"
    return None


def limited(measured, deciding, precision):
    """The noise without the tensors of which rounding leaves too little, or a sentence where that is an output."""
    found = {name: noise.rounded_up(value) for name, value in measured.items()}
    for name in deciding:
        if found[name] > LARGEST:
            return f"rounding to {precision} alone changes {name} by more than 1/16 of its size"
    return {name: value for name, value in found.items() if value <= LARGEST}


def measure(source, case, weights, inputs, expected, wanted, precision):
    """name -> noise, or the reason why the case is not judged in this precision."""
    exact = {name for name, value in expected.items() if not np.issubdtype(value.dtype, np.floating)}
    measured = {name: 0.0 if name in exact else FLOORS[precision] for name in expected}
    for found in runs(source, case, weights, inputs, wanted, FORMATS[precision], noise.DRAWS):
        reason = unsuitable(found, expected, precision)
        if reason:
            return reason
        measured = {name: max(value, noise.worst(found[name], expected[name])) for name, value in measured.items()}
    return limited(measured, [name for name in expected if name.startswith("outputs.")], precision)


def measure_probes(source, case, weights, inputs, out, precision):
    """The noise of the probes of a full-size case, or the reason why it is not judged in this precision. One draw, because a
    large tensor averages over many roundings."""
    expected, largest = probes.probes(out, case["seed"]), FLOORS[precision]
    for found in runs(source, case, weights, inputs, ("outputs",), FORMATS[precision], 1):
        actual = found["outputs.out"]
        if not np.isfinite(actual).all():
            return f"outputs.out leaves the range of {precision}"
        largest = max(largest, probes.error(actual, out, expected, case["seed"]))
    return limited({"probes.out": largest}, ["probes.out"], precision)
