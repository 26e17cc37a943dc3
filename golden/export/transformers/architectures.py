"""The language models of the package: class, configuration, and the function that gives a model the precision of its case."""

from transformers import GPTNeoXConfig, GPTNeoXForCausalLM, LlamaConfig, LlamaForCausalLM, MptConfig, MptForCausalLM

from .precision import with_precision


def llama(model, exact):
    with_precision(model.model.rotary_emb, exact)


def gpt_neox(model, exact):
    with_precision(model.gpt_neox.rotary_emb, exact)


def mpt(model, exact):
    """MPT has no rotary embeddings; its slopes are computed in each call."""


CLASSES = {
    "LlamaForCausalLM": (LlamaForCausalLM, LlamaConfig, llama),
    "GPTNeoXForCausalLM": (GPTNeoXForCausalLM, GPTNeoXConfig, gpt_neox),
    "MptForCausalLM": (MptForCausalLM, MptConfig, mpt),
}
