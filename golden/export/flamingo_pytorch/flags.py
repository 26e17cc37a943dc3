"""What a case exercises, computed from its own tensors: the flags of case.json and the columns of COVERAGE.md."""

import numpy as np

from ..common.cases import flags as common
from ..vit_pytorch.flags import image_flags


TEXT = ("MaskedCrossAttention", "GatedCrossAttentionBlock", "ParallelTransformerBlock", "FlamingoPaLM")
ATTENDING = ("PerceiverAttention", "PerceiverResampler", *TEXT)
WIDENING = ("FeedForward", "PerceiverResampler", "GatedCrossAttentionBlock", "ParallelTransformerBlock", "FlamingoPaLM")


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


def keys_of_image(case, inputs):
    return inputs["media"].shape[2] if "media" in inputs else case["config"].get("perceiver_num_latents", 64)


def masked_stretch(locations, count, per_image, mode):
    """Whether the mask of one row leaves out a whole block of keys for a whole block of queries, and there are several of both."""
    seen, image = locations.cumsum(-1)[:, :, None], np.repeat(np.arange(count) + 1, per_image)
    allowed = seen == image if mode == "Immediate" else seen >= image
    queries, keys = (range(0, size, step) for size, step in zip(allowed.shape[1:], (common.QUERIES, common.KEYS)))
    blocks = [allowed[:, i : i + common.QUERIES, j : j + common.KEYS].any((1, 2)) for i in queries for j in keys]
    return len(queries) > 1 and len(keys) > 1 and not np.all(blocks)


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
        "AllMedia": locations.all(),
        "NoMediaInBatch": not locations.any(),
        "MaskedStretch": masked_stretch(locations, count, keys_of_image(case, inputs), mode),
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
    tests = {"GatesThree": 3, "GatesTwenty": 20}
    large = {name for name, least in tests.items() if max(map(abs, attn + ff)) == least}
    return large | ({"GatesUnequal"} if far else {"GatesOther"})


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
    encoder = config.get("img_encoder", {})
    if encoder == {"class": "Identity"}:
        found.add("StandInEncoder")
    if encoder.get("class") == "ViT" and "images" in inputs:
        found |= image_flags(encoder, *inputs["images"].shape[-2:])
    if config.get("media_token_id") == 0:
        found.add("MediaIdZero")
    return found | common.depth_flags(config.get("perceiver_depth"), "Perceiver")


def text_flags(length):
    tests = {"OneToken": length == 1, "TwoTokens": length == 2, "Beyond32Tokens": length > 32}
    return {name for name, holds in tests.items() if holds}


def sizes(case, inputs):
    """(queries, keys) of the scores, the largest of each."""
    config, kind = case["config"], case["class"]
    if kind == "PerceiverAttention":
        return inputs["latents"].shape[2], inputs["x"].shape[2] + inputs["latents"].shape[2]
    if kind == "PerceiverResampler":
        latents = config.get("num_latents", 64)
        return latents, inputs["x"].shape[-2] + latents
    if kind == "FlamingoPaLM":
        seen = media(case, inputs)
        length = inputs["text"].shape[1]
        return length, max(length, seen[1] * keys_of_image(case, inputs) if seen else 0)
    queries = inputs["x"].shape[1]
    return queries, queries if kind == "ParallelTransformerBlock" else inputs["media"].shape[1] * inputs["media"].shape[2]


def longest_sum(case):
    """The most terms of a product: over the width, over all heads together, or over a feed-forward's hidden features."""
    config, kind = case["config"], case["class"]
    if kind not in (*ATTENDING, "FeedForward"):
        return 0
    inner = config.get("heads", 8) * config.get("dim_head", 64) if kind in ATTENDING else 0
    hidden = int(config["dim"] * config.get("ff_mult", config.get("mult", 4))) if kind in WIDENING else 0
    return max(config["dim"], inner, hidden)


def shape_flags(case, inputs, weights, released):
    config, kind, found = case["config"], case["class"], common.head_flags(case["config"])
    needed = ("img_encoder",) if kind == "FlamingoPaLM" else ()
    found |= common.option_flags(released, config, needed)
    if kind in ATTENDING:
        found |= common.size_flags(*sizes(case, inputs))
    found |= common.size_flags(terms=longest_sum(case)) | common.depth_flags(config.get("depth"))
    if kind in TEXT:
        found |= text_flags(inputs["text" if kind == "FlamingoPaLM" else "x"].shape[1])
    if kind in ("FeedForward", "LayerNorm"):
        found |= common.row_flags(next(iter(inputs.values())))
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


def flags(case, inputs, weights, expected, released):
    found = set(case.get("flags", []))
    if "embeds" in inputs and {"images", "videos"} & set(inputs):
        found.add("EmbedsBesideMedia")
    if case.get("raises"):
        return sorted(found | {"Raises"})
    plain = {name: value for name, value in inputs.items() if name != "cotangent"}
    seen = mask_flags(case, plain)
    found |= seen | shape_flags(case, plain, weights, released)
    found |= gate_flags(weights) if seen else set()
    found |= common.common_flags(case, weights, normalised(case, expected))
    found |= {"RepairedVideoName"} if case.get("repair") == "video" else set()
    return sorted(found)
