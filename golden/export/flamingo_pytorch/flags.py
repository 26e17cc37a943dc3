"""What a case exercises, computed from its own tensors: the flags of case.json and the columns of COVERAGE.md."""

import numpy as np

from ..common.cases import flags as common


def media(case, inputs):
    """(locations or None, number of media) for a class that is given media, else None."""
    config = case["config"]
    if "media" in inputs:
        return inputs.get("media_locations"), inputs["media"].shape[1]
    for name, axes in (("videos", 6), ("images", 5), ("embeds", 4)):
        if name in inputs:
            count = inputs[name].shape[1] if inputs[name].ndim == axes else 1
            return inputs["text"] == config.get("media_token_id", 3), count
    return None


def mask_flags(case, inputs):
    seen = media(case, inputs)
    if seen is None:
        return set()
    locations, count = seen
    mode = "Immediate" if case["config"].get("only_attend_immediate_media", True) else "AllPrevious"
    found = {mode}
    if count >= 3:
        found.add("ThreeImages")
    if locations is None:
        return found | {"NoMediaLocations"}
    tokens = locations.sum(-1)
    before = np.where(tokens > 0, locations.argmax(-1), 0)
    tests = {
        "LeadingText": (before > 0).any(),
        "ImageFirst": locations[:, 0].any(),
        "AdjacentImages": (locations[:, 1:] & locations[:, :-1]).any(),
        "ImageAtEnd": locations[:, -1].any(),
        "MoreTokensThanImages": (tokens > count).any(),
        "FewerTokensThanImages": ((tokens > 0) & (tokens < count)).any(),
        "RowWithoutImage": (tokens == 0).any(),
        "UnequalRows": (locations != locations[:1]).any(),
    }
    found |= {name for name, holds in tests.items() if holds}
    if found & {"LeadingText", "RowWithoutImage"}:
        found.add("SilentRows" if mode == "Immediate" else "UniformLeak")
    if mode == "Immediate" and "MoreTokensThanImages" in found:
        found.add("UniformLeak")
    return found


def gate_flags(weights):
    """Pairs of gates, layer by layer."""
    attn = [float(weights[key][0]) for key in weights if key.endswith("attn_gate")]
    ff = [float(weights[key][0]) for key in weights if key.endswith("ff_gate")]
    if not attn:
        return set()
    if not any(attn + ff):
        return {"GatesZero"}
    far = all(a != f and abs(a) >= 0.5 and abs(f) >= 0.5 for a, f in zip(attn, ff))
    return {"GatesUnequal"} if far else {"GatesOther"}


def resampler_flags(config, x):
    found = {"ThreeAxes" if x.ndim == 3 else "FourAxes"}
    if x.ndim == 4 and x.shape[1] > 1:
        found.add("SeveralMedia")
    if x.ndim == 4 and x.shape[1] == config.get("num_media_embeds", 4):
        found.add("EveryMediaPosition")
    return found


def model_flags(config, inputs):
    given = [name for name in ("images", "videos", "embeds") if name in inputs]
    found = {name.capitalize() for name in given} or {"TextOnly"}
    if "videos" in inputs and inputs["videos"].shape[2] > 1 and inputs["videos"].shape[1] > 1:
        found.add("SeveralFramesAndVideos")
    if config["img_encoder" if "img_encoder" in config else "dim"] == {"class": "Identity"}:
        found.add("StandInEncoder")
    return found


def shape_flags(case, inputs, weights):
    config, kind, found = case["config"], case["class"], common.head_flags(case["config"])
    if kind == "PerceiverResampler":
        found |= resampler_flags(config, inputs["x"])
    if kind in ("FeedForward", "LayerNorm", "SwiGLU"):
        found.add(f"Axes{next(iter(inputs.values())).ndim}")
    if kind == "LayerNorm" and weights["beta"].any():
        found.add("BetaNotZero")
    if kind == "FlamingoPaLM":
        found |= model_flags(config, inputs)
    return found


def normalised(case, expected):
    """(path, value) of everything that may be a LayerNorm's output."""
    if case["class"] == "LayerNorm":
        yield "", expected["outputs.out"]
    yield from common.recorded(expected)


def flags(case, inputs, weights, expected):
    found = set(case.get("flags", []))
    if case.get("raises"):
        return sorted(found | {"Raises"})
    plain = {name: value for name, value in inputs.items() if name != "cotangent"}
    seen = mask_flags(case, plain)
    found |= seen | shape_flags(case, plain, weights)
    found |= gate_flags(weights) if seen else set()
    found |= common.common_flags(case, weights, normalised(case, expected))
    found |= {"RepairedVideoName"} if case.get("repair") == "video" else set()
    return sorted(found)
