"""The decoder and the parts of its layers, built from a case's config and called as the package calls them."""

import contextlib

import torch
from torchscale.architecture.config import DecoderConfig
from torchscale.architecture.decoder import Decoder
from torchscale.component.embedding import PositionalEmbedding, TextEmbedding
from torchscale.component.feedforward_network import FeedForwardNetwork
from torchscale.component.multihead_attention import MultiheadAttention
from torchscale.component.multiway_network import set_split_position
from torchscale.component.relative_position_bias import RelativePositionBias
from torchscale.component.xpos_relative_position import XPOS

from ..transformers.precision import FLOAT32, float32_is, upcast

TABLES = {"Embedding": torch.nn.Embedding, "TextEmbedding": TextEmbedding, "PositionalEmbedding": PositionalEmbedding}
OWN = ("incremental", "multiway_split_position", "causal")  # members of a config that are no arguments of a constructor


def in_float32(forward):
    """The method computes in float32 what it asks for in float32, whatever the precision of the rest of the model."""

    def method(self, *args, **kwargs):
        with float32_is(FLOAT32):
            return forward(self, *args, **kwargs)

    return method


XPOS.forward = in_float32(XPOS.forward)
RelativePositionBias.forward = in_float32(RelativePositionBias.forward)


def table(config):
    """A table of embeddings, or None."""
    if config is None:
        return None
    sizes = {name: value for name, value in config.items() if name != "class"}
    return TABLES[config["class"]](**sizes)


def build_decoder(args, embed_tokens, embed_positions=None):
    return Decoder(DecoderConfig(**args), table(embed_tokens), table(embed_positions))


def build_attention(args, **config):
    return MultiheadAttention(DecoderConfig(**args), **config)


def build_feed_forward(dropout=0.0, activation_dropout=0.0, **config):
    return FeedForwardNetwork(dropout=dropout, activation_dropout=activation_dropout, **config)


CLASSES = {"Decoder": build_decoder, "MultiheadAttention": build_attention, "FeedForwardNetwork": build_feed_forward}


def build(kind, config):
    module = CLASSES[kind](**{name: value for name, value in config.items() if name not in OWN}).eval()
    module.apply(set_split_position(config.get("multiway_split_position", -1)))
    module.case = config
    if not config.get("args", {}).get("xpos_rel_pos"):
        for name, parameter in module.named_parameters():
            if "k_proj" in name and name.endswith("bias"):
                parameter.requires_grad_(False)  # the scores of a query move together: the gradient is 0, whose noise has no relative bound
    return module


def causal_mask(length, like):
    return torch.full([length, length], float("-inf")).type_as(like).triu(1)


def call(module, kind, arguments):
    """What the package computes in float32 whatever the type of the model, softmax and activations, is computed in float64 where the
    model is in float64. xPos and the buckets of relative positions stay in float32."""
    with upcast(module):
        if kind == "Decoder":
            return decoded(module, **arguments)
        if kind == "FeedForwardNetwork":
            return module(**arguments)
        x = arguments["query"]
        mask = causal_mask(x.shape[1], x) if module.case.get("causal") else None
        return module(x, x, x, key_padding_mask=arguments.get("key_padding_mask"), attn_mask=mask)[0]


def results(found):
    logits, extra = found
    return {"logits": logits, **{f"inner{i}": state for i, state in enumerate(extra["inner_states"])}}


def decoded(module, prev_output_tokens, self_attn_padding_mask=None, **given):
    """One pass, or with `incremental` the last of several: each is given the text that it ends, and caches the keys and values."""
    passes = module.case.get("incremental")
    if not passes:
        return results(module(prev_output_tokens, self_attn_padding_mask=self_attn_padding_mask, **given))
    state = {"is_first_step": True}
    for end in range(passes["prefix"], passes["prefix"] + passes["step"] + 1):
        padding = None if self_attn_padding_mask is None else self_attn_padding_mask[:, :end]
        found = module(prev_output_tokens[:, :end], self_attn_padding_mask=padding, incremental_state=state)
        state["is_first_step"] = False
    cached = {f"{name}0": state[0][name] for name in ("prev_key", "prev_value")}
    return results(found) | cached
