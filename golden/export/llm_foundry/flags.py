"""What a case of MPT exercises, computed from its configuration and its mask."""

import numpy as np


def flags(case, inputs):
    found = set(case.get("flags", [])) | config_flags(case["config"]) | attention_flags(case["config"])
    found |= {"Gradients"} if case.get("grads") else set()
    found |= {"Labels"} if "labels" in inputs else set()
    mask = np.asarray(inputs.get("attention_mask", [[True]]), bool)
    found |= {"LeftPadding"} if not mask[:, 0].all() else set()
    found |= {"RightPadding"} if not mask[:, -1].all() else set()
    return sorted(found)


def config_flags(config):
    found = {"Cached"} if "cached" in config else set()
    found |= {"CacheContents"} if config.get("cached", {}).get("contents") else set()
    found |= {"Generated"} if "generate" in config else set()
    found |= {"WithoutBias"} if config.get("no_bias", False) else {"WithBias"}
    found |= {"BiasOfAttention"} if "attention_bias" in config else set()
    if "logit_scale" in config:
        found.add("LogitScaleRoot" if isinstance(config["logit_scale"], str) else "LogitScale")
    found |= {"EmbeddingFraction"} if config.get("embedding_fraction", 1) != 1 else set()
    found |= {"ExpansionRatio"} if config.get("expansion_ratio", 4) != 4 else set()
    found |= {"RmsNorm"} if "rmsnorm" in config.get("norm_type", "") else set()
    found |= {"Epsilon"} if "norm_eps" in config else set()
    found |= {"PaddingId"} if "pad_token_id" in config else set()
    return found | ({"Untied"} if not config.get("tie_word_embeddings", True) else {"Tied"})


def attention_flags(config):
    attention, heads = config.get("attn_config", {}), config.get("n_heads", 16)
    found = {"QkLn"} if attention.get("qk_ln") else {"WithoutQkLn"}
    found |= {"Clipped"} if attention.get("clip_qkv") else set()
    found |= {"SoftmaxScale"} if "softmax_scale" in attention else set()
    found |= {"BiasMax"} if "alibi_bias_max" in attention else set()
    found |= {"Multiquery"} if attention.get("attn_type") == "multiquery_attention" else set()
    found |= {"Grouped"} if "kv_n_heads" in attention else set()
    if attention.get("alibi"):
        return found | {"Alibi"} | ({"UnevenSlopes"} if heads & (heads - 1) else set())
    return found | {"LearnedPositions" if config.get("learned_pos_emb", True) else "NoPositions"}
