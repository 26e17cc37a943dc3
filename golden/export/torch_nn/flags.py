"""What a case of PyTorch's layers exercises, computed from its own tensors."""

import numpy as np
import torch

from ..common.cases import flags as common

IGNORED = -100


def pair(value):
    return tuple(value) if isinstance(value, list) else (value, value)


def norm_flags(x, eps):
    """Rows whose variance or mean square is not large beside ε, and rows that lie far from zero."""
    found, squares = common.row_flags(x), x.var(-1)
    if (squares < 10 * eps).any():
        found.add("LowVarianceRows")
    if (squares == 0).any():
        found.add("ConstantRows")
    if ((x**2).mean(-1) < 10 * eps).any():
        found.add("SmallRows")
    return found | common.size_flags(terms=x.shape[-1]) | {f"Axes{x.ndim}"}


def plane_flags(config, x):
    padding, stride = config.get("padding", 0), config.get("stride", 1)
    found = {"Same"} if padding == "same" else {"Padding"} if pair(padding) != (0, 0) else set()
    if "stride" in config and pair(stride) != (1, 1):
        found.add("Strides")
    if any(len(set(pair(config.get(name, 1)))) > 1 for name in ("kernel_size", "stride", "padding") if config.get(name) != "same"):
        found.add("NotSquare")
    if padding != "same" and any((n + 2 * p - k) % s for n, p, k, s in zip(x.shape[2:], pair(padding), pair(config["kernel_size"]), pair(stride))):
        found.add("Remainder")
    return found


def pool_flags(case, x):
    config = {"stride": case["config"]["kernel_size"], **case["config"]}
    found = plane_flags(config, x) | ({"BelowZero"} if x.max() < 0 else set())
    options = {name: pair(config[name]) for name in ("kernel_size", "stride", "padding") if name in config}
    around = torch.nn.functional.pad(torch.from_numpy(x), [p for p in pair(config.get("padding", 0))[::-1] for _ in range(2)], value=-torch.inf)
    windows = around.unfold(2, options["kernel_size"][0], options["stride"][0]).unfold(3, options["kernel_size"][1], options["stride"][1])
    top = windows.flatten(-2)
    tied = (top == top.amax(-1, keepdim=True)).sum(-1).max() > 1
    # torch gives the derivative of tied maxima to one of them, and this project shares it
    assert not (case.get("grads") and tied), f"{case['id']} has a window with two maxima; choose another seed"
    return found


def attention_flags(inputs):
    query, key, value = (inputs[name] for name in ("query", "key", "value"))
    found = common.size_flags(queries=query.shape[-2], keys=key.shape[-2])
    found |= {"ValueWidth"} if value.shape[-1] != query.shape[-1] else set()
    if "attn_mask" not in inputs:
        return found
    bias = inputs["attn_mask"]
    return found | {"Bias"} | ({"RepeatedBias"} if bias.size < query[..., 0].size * key.shape[-2] else set())


def entropy_flags(inputs):
    logits, targets = inputs["input"], inputs["target"]
    found = {"IgnoredTargets"} if (targets == IGNORED).any() else set()
    return found | ({"LargeLogits"} if np.abs(logits).max() > 1000 else set())


def flags(case, inputs, released):
    config, kind = case["config"], case["class"]
    found = set(case.get("flags", [])) | common.option_flags(released, config)
    if case.get("grads"):
        found.add("Gradients")
    if kind == "CrossEntropyLoss":
        return sorted(found | entropy_flags(inputs))
    if kind == "scaled_dot_product_attention":
        return sorted(found | attention_flags(inputs))
    x = inputs["x" if kind == "RMSNorm" else "input"]
    if kind in ("LayerNorm", "RMSNorm"):
        found |= norm_flags(x, config.get("eps", 1e-5))
    if kind == "Conv2d":
        found |= plane_flags(config, x) | common.size_flags(terms=config["in_channels"] * np.prod(pair(config["kernel_size"])))
    if kind == "MaxPool2d":
        found |= pool_flags(case, x)
    if kind in ("LayerNorm", "Conv2d") and config.get("bias") is False:
        found.add("NoBias")
    if kind in ("GELU", "SiLU", "ReLU"):
        found |= ({"Zeros"} if (x == 0).any() else set()) | ({"FarTails"} if x.min() < -9 and x.max() > 9 else set())
    return sorted(found)
