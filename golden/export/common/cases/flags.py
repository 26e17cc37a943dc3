"""Flags that sources share, computed from the tensors of a case: extreme logits, rows that a LayerNorm can lose, heads, sizes."""

import inspect

import numpy as np

# Sizes by which this project's kernels divide their work (src/kernels/simd/assembly): a case beyond one of them needs a second block.
QUERIES, MORE_QUERIES, KEYS, TERMS = 24, 48, 128, 1024
LARGEST_HALF = 65504.0  # the largest number of float16


def spread(weights, path, value):
    """The least variance of a LayerNorm's rows before its gain: var/(var + eps), far below 1 where eps matters. None if no
    LayerNorm has this path."""
    lead = f"{path}." if path else ""
    gain, shift = (lead + "gamma", lead + "beta") if lead + "gamma" in weights else (lead + "weight", lead + "bias")
    if gain not in weights or shift not in weights:
        return None
    return ((value - weights[shift]) / weights[gain]).var(-1).min()


def recorded(expected):
    """(path of the module, value) of every tap."""
    for name, value in expected.items():
        if name.startswith("taps.") and value.size:
            yield name[5:].split("@")[0], value


def number_flags(weights, values):
    """`values` are pairs (path, value), such as `recorded` yields."""
    found = set()
    for path, value in values:
        least = spread(weights, path, value) if value.ndim else None
        if least is not None and least < 0.7:
            found.add("LowVarianceRows")
        if least is not None and least < 1e-9:
            found.add("ConstantRows")
        if path.split(".")[-1] == "scores":
            found |= {name for name, at_least in (("LargeLogits", 100), ("HugeLogits", 2e4)) if np.abs(value).max() >= at_least}
    return found


def head_flags(config):
    if "heads" not in config or "dim_head" not in config:
        return set()
    inner = config["heads"] * config["dim_head"]
    return {"InnerEqualsDim" if inner == config["dim"] else "InnerUnequalDim", "OneHead" if config["heads"] == 1 else "SeveralHeads"}


def option_flags(released, config, needed=()):
    """Defaults: no argument is given but those without a default, and those in `needed`, which the release cannot do without."""
    defaults = {name for name, one in inspect.signature(released).parameters.items() if one.default is not one.empty}
    return {"Defaults"} if defaults and not set(config) & (defaults - set(needed)) else set()


def size_flags(queries=0, keys=0, terms=0):
    """More rows and columns of scores, and longer sums, than one block of a kernel has."""
    tests = {"ManyQueries": queries > MORE_QUERIES, "ManyKeys": keys > KEYS, "LongSums": terms > TERMS}
    return {name for name, holds in tests.items() if holds}


def depth_flags(depth, prefix=""):
    return {prefix + name for layers, name in ((0, "NoLayers"), (3, "ThreeLayers")) if depth == layers}


def row_flags(x):
    """Rows that a LayerNorm may lose: far from zero beside their variance, or with deviations whose squares leave float16."""
    mean, variance = x.mean(-1, keepdims=True), x.var(-1, keepdims=True)
    found = {"OffsetRows"} if ((variance > 0) & (mean**2 > 100 * variance)).any() else set()
    return found | ({"HalfRangeVariance"} if ((x - mean) ** 2).max() > LARGEST_HALF else set())


def common_flags(case, weights, values):
    """Flags that follow from the case's kind, and those of the numbers, which full-size cases do not have."""
    found = {"FullSize"} if case.get("full") else number_flags(weights, values)
    return found | ({"Gradients"} if case.get("grads") else set())
