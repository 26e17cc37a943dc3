"""Flags that sources share, computed from the tensors of a case: extreme logits, LayerNorm rows of low variance, heads."""

import numpy as np


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


def common_flags(case, weights, values):
    """Flags that follow from the case's kind, and those of the numbers, which full-size cases do not have."""
    found = {"FullSize"} if case.get("full") else number_flags(weights, values)
    return found | ({"Gradients"} if case.get("grads") else set())
