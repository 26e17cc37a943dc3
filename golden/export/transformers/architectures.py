"""The language models of the package: class, configuration, and the function that gives a model the precision of its case."""

import torch
from transformers import (
    GPTJConfig,
    GPTJForCausalLM,
    GPTNeoXConfig,
    GPTNeoXForCausalLM,
    LlamaConfig,
    LlamaForCausalLM,
    MptConfig,
    MptForCausalLM,
    OPTConfig,
    OPTForCausalLM,
)
from transformers.models.gptj.modeling_gptj import create_sinusoidal_positions

from .precision import float32_is, nearest_sines, with_precision


def llama(model, exact):
    with_precision(model.model.rotary_emb, exact)


def gpt_neox(model, exact):
    with_precision(model.gpt_neox.rotary_emb, exact)


def mpt(model, exact):
    """MPT has no rotary embeddings; its slopes are computed in each call."""


def gptj(model, exact):
    """Each layer has a table of sines and cosines and the root of the width of a head; both are plain attributes in the default type."""
    for block in model.transformer.h:
        attention = block.attn
        attention.scale_attn = torch.tensor(attention.head_dim, dtype=torch.float64).sqrt()
        with float32_is(torch.float64 if exact else torch.float32), nearest_sines():
            attention.embed_positions = create_sinusoidal_positions(*attention.embed_positions.shape)


def opt(model, exact):
    """OPT has learned positions."""


CLASSES = {
    "LlamaForCausalLM": (LlamaForCausalLM, LlamaConfig, llama),
    "GPTNeoXForCausalLM": (GPTNeoXForCausalLM, GPTNeoXConfig, gpt_neox),
    "MptForCausalLM": (MptForCausalLM, MptConfig, mpt),
    "OPTForCausalLM": (OPTForCausalLM, OPTConfig, opt),
    "GPTJForCausalLM": (GPTJForCausalLM, GPTJConfig, gptj),
}
