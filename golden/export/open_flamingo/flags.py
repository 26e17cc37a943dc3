"""What a case exercises, computed from its configuration and its inputs."""

import numpy as np

FAMILIES = {"LlamaForCausalLM": "Llama", "OPTForCausalLM": "Opt", "GPTNeoXForCausalLM": "GptNeoX", "GPTJForCausalLM": "GptJ", "MptForCausalLM": "Mpt"}
TOWERS = {"raw": "TokensBeforeLastNorm", "ln_post": "TokensAfterLastNorm", "quick_gelu": "QuickGelu", "gelu": "Gelu"}


def flags(case, inputs):
    config = case["config"].get("model", case["config"])
    found = set(case.get("flags", [])) | mask_flags(inputs) | generation_flags(config)
    found |= {"Gradients"} if case.get("grads") else set()
    found |= {"Labels"} if "labels" in inputs else set()
    if "lang_encoder" in config:
        found |= language_flags(config["lang_encoder"]) | tower_flags(config["vision_encoder"])
        found |= image_flags(inputs["lang_x"] == config["media_token_id"], inputs["vision_x"].shape[1])
    if "media_locations" in inputs:
        found |= image_flags(np.asarray(inputs["media_locations"]), inputs["media"].shape[1])
    return sorted(found)


def language_flags(config):
    found = {FAMILIES[config["class"]]}
    found |= {"PostNorm"} if config.get("do_layer_norm_before") is False else set()
    found |= {"Sequential"} if config.get("use_parallel_residual") is False else set()
    heads = config.get("n_heads", 4)
    return found | ({"UnevenSlopes"} if heads & (heads - 1) else set())


def tower_flags(config):
    return {TOWERS[config[option]] for option in ("act", "tokens") if option in config} or {"PatchTokens"}


def mask_flags(inputs):
    mask = np.asarray(inputs.get("attention_mask", [[True]]), bool)
    return ({"LeftPadding"} if not mask[:, 0].all() else set()) | ({"RightPadding"} if not mask[:, -1].all() else set())


def generation_flags(config):
    given = config.get("generate", {})
    found = {"Cached"} if "cached" in config else set()
    if not given:
        return found
    found |= {"Beams"} if given.get("num_beams", 1) > 1 else {"Generated"}
    return found | ({"WithoutCache"} if given.get("use_cache") is False else set())


def image_flags(located, images):
    """Which rows of the mask a text has: before its first image, of unequal counts, beyond the number of images."""
    counts = located.sum(-1)
    tests = {
        "LeadingText": (~located[:, 0]).any(),
        "UnequalCounts": (counts != counts[0]).any(),
        "RowWithoutImage": (counts == 0).any(),
        "MoreTokensThanImages": (counts > images).any(),
        "SeveralImages": (counts > 1).any(),
        "AdjacentImages": (located[:, 1:] & located[:, :-1]).any(),
        "BeyondATile": images > 16,
    }
    return {name for name, holds in tests.items() if holds}
