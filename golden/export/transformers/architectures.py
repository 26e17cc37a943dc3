"""The language models of the package: class, configuration, and the function that gives a model the precision of its case."""

from transformers import LlamaConfig, LlamaForCausalLM

from .precision import with_precision


def llama(model, exact):
    with_precision(model.model.rotary_emb, exact)


CLASSES = {
    "LlamaForCausalLM": (LlamaForCausalLM, LlamaConfig, llama),
}
