"""golden/language-state-dicts.json: keys, order and shapes of the language models at their released sizes.

The settings are those of the `config.json` that was published with the weights. A key of a layer is listed once, with "#" for the layer's number:
all layers are alike, which is checked. Nothing is allocated: the models are built on torch's meta device."""

import json
import re

import torch
from transformers.modeling_utils import no_init_weights

from . import architectures

NAME = "language-state-dicts.json"
OPT = {"vocab_size": 50272, "max_position_embeddings": 2048, "activation_function": "relu", "pad_token_id": 1, "bos_token_id": 2, "eos_token_id": 2}
NEOX = {"hidden_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 10240, "hidden_act": "gelu",
        "rotary_emb_base": 10000, "layer_norm_eps": 1e-5, "max_position_embeddings": 2048, "bos_token_id": 0, "tie_word_embeddings": False}

MODELS = [
    ("huggyllama/llama-7b", "LlamaForCausalLM",
     {"vocab_size": 32000, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
      "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "pad_token_id": 0, "bos_token_id": 1, "eos_token_id": 2, "tie_word_embeddings": False}),
    ("facebook/opt-1.3b", "OPTForCausalLM",
     {**OPT, "hidden_size": 2048, "ffn_dim": 8192, "num_hidden_layers": 24, "num_attention_heads": 32, "word_embed_proj_dim": 2048,
      "do_layer_norm_before": True}),
    ("facebook/opt-350m", "OPTForCausalLM",
     {**OPT, "hidden_size": 1024, "ffn_dim": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "word_embed_proj_dim": 512,
      "do_layer_norm_before": False}),
    ("EleutherAI/gpt-j-6b", "GPTJForCausalLM",
     {"vocab_size": 50400, "n_positions": 2048, "n_embd": 4096, "n_layer": 28, "n_head": 16, "rotary_dim": 64, "n_inner": None,
      "activation_function": "gelu_new", "layer_norm_epsilon": 1e-5, "bos_token_id": 50256, "eos_token_id": 50256, "tie_word_embeddings": False}),
    ("EleutherAI/pythia-2.8b", "GPTNeoXForCausalLM", {**NEOX, "vocab_size": 50304, "rotary_pct": 0.25, "use_parallel_residual": True, "eos_token_id": 0}),
    ("togethercomputer/RedPajama-INCITE-Base-3B-v1", "GPTNeoXForCausalLM",
     {**NEOX, "vocab_size": 50432, "rotary_pct": 1.0, "use_parallel_residual": False, "eos_token_id": 0}),
    ("mosaicml/mpt-7b", "MptForCausalLM",
     {"d_model": 4096, "n_heads": 32, "n_layers": 32, "expansion_ratio": 4, "max_seq_len": 2048, "vocab_size": 50432, "resid_pdrop": 0, "emb_pdrop": 0,
      "learned_pos_emb": True, "logit_scale": None, "no_bias": True, "embedding_fraction": 1.0, "norm_type": "low_precision_layernorm",
      "attn_config": {"alibi": True, "alibi_bias_max": 8, "attn_impl": "torch", "attn_pdrop": 0, "attn_type": "multihead_attention",
                      "attn_uses_sequence_id": False, "clip_qkv": None, "prefix_lm": False, "qk_ln": False, "softmax_scale": None}}),
]


def build(kind, config):
    released, settings, _ = architectures.CLASSES[kind]
    with torch.device("meta"), no_init_weights():
        return released(settings(**config))


def entry(model, kind, config):
    keys, layers = {}, {}
    for key, tensor in model.state_dict().items():
        general, number = re.subn(r"\.\d+\.", ".#.", key), re.search(r"\.(\d+)\.", key)
        assert keys.setdefault(general[0], list(tensor.shape)) == list(tensor.shape), key
        if number:
            layers.setdefault(int(number[1]), []).append(general[0])
    assert list(layers) == list(range(len(layers))) and all(found == layers[0] for found in layers.values())
    listed = [general for general in keys if "#" in general]
    assert listed == layers[0] and " ".join(listed) in " ".join(keys), "the layers do not follow one another"
    return {"class": kind, "config": config, "layers": len(layers), "keys": keys}


def write(path, models=MODELS, make=build):
    """Writes the state dicts of the `models`, as (name, class, settings), which `make` builds."""
    entries = []
    for name, kind, config in models:
        found = entry(make(kind, config), kind, config)
        fields = [f' "{field}": {json.dumps(found[field])}' for field in ("class", "config", "layers")]
        keys = ",\n".join(f"  {json.dumps(key)}: {json.dumps(shape)}" for key, shape in found["keys"].items())
        entries.append(f"{json.dumps(name)}: {{\n" + ",\n".join(fields) + f',\n "keys": {{\n{keys}\n }}\n}}')
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n")
