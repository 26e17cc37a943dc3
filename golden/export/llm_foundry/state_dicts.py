"""golden/llm-foundry-state-dicts.json: keys, order and shapes of MPT-1B, in the form of language-state-dicts.json.

The settings are those of the `config.json` of mosaicml/mpt-1b-redpajama-200b, in the names of llm-foundry (scripts/misc/convert_examples_ckpt.py of its
repository translates them); its weights have the names of an earlier class, which the same script translates."""

import copy

import torch

from ..transformers import state_dicts
from . import release

NAME = "llm-foundry-state-dicts.json"
MODELS = [
    ("mosaicml/mpt-1b-redpajama-200b", "MPTForCausalLM",
     {"d_model": 2048, "n_heads": 16, "n_layers": 24, "expansion_ratio": 4, "max_seq_len": 2048, "vocab_size": 50368, "resid_pdrop": 0,
      "emb_pdrop": 0, "logit_scale": None, "no_bias": True, "embedding_fraction": 1.0, "norm_type": "low_precision_layernorm",
      "attn_config": {"alibi": True, "alibi_bias_max": 8, "attn_impl": "torch", "attn_pdrop": 0, "attn_uses_sequence_id": False,
                      "clip_qkv": None, "qk_ln": True, "softmax_scale": None}}),
]


def build(_, config):
    with torch.device("meta"):
        return release.MPTForCausalLM(release.MPTConfig(**copy.deepcopy(config), init_device="meta"))  # the package writes defaults into the object


def write(path):
    state_dicts.write(path, MODELS, build)
