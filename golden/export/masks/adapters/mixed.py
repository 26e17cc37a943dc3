"""A language model of identity layers with the mixin of OpenFlamingo or Otter."""

import types

import torch
from torch import nn

from ..effects import DIM, VISUAL
from .support import IMAGE, randomised, set_gates


class Layered(nn.Module):
    """A language model of identity layers, into which the mixins of OpenFlamingo and Otter are mixed."""

    def __init__(self):
        super().__init__()
        self.config = types.SimpleNamespace(hidden_size=DIM)
        self.layers = nn.ModuleList([Same()])
        self.x = None

    def get_decoder(self):
        return self

    def forward(self, input_ids=None, **_):
        x = self.x
        for layer in self.layers:
            x = layer(x, attention_mask=None)
        return x


class Same(nn.Module):
    def forward(self, x, **_):
        return x


def placement(module, options):
    """use_media_placement_augmentation, and the options without attend_previous. The flag lets each forward draw whether text attends
    to the image before it or to the next one; the option decides what is drawn."""
    rest = {name: value for name, value in options.items() if name != "attend_previous"}
    if "attend_previous" not in options:
        return False, rest
    drawn = 0.0 if options["attend_previous"] else 0.999
    module.random = types.SimpleNamespace(random=lambda: drawn)  # the module compares random.random() with 0.5
    return True, rest


class Mixed:
    """A language model with a mixin that counts the images in the ids of each pass."""

    batch_dependent = True  # a step depends on the ids of the whole batch

    def __init__(self, mixin, init, options, name="Model"):
        self.model = type(name, (mixin, Layered), {})()
        self.model.set_decoder_layers_attr_name("layers")
        init(self.model)
        layer = self.model.layers[0].gated_cross_attn_layer
        for field, value in options.items():
            setattr(layer.attn, field, value)
        layer.attn.heads, layer.attn.scale = 2, 4**-0.5
        for linear, shape in (("to_q", (8, DIM)), ("to_kv", (16, VISUAL)), ("to_out", (DIM, 8))):
            getattr(layer.attn, linear).weight = nn.Parameter(torch.empty(shape))
        randomised(self.model)
        self.gates = set_gates(layer.attn_gate, layer.ff_gate)

    def begin(self, media, cached):
        self.model.clear_conditioned_layers()
        for layer in self.model.layers:
            layer.condition_vis_x(media)

    def one(self, kinds, x):
        self.model.x = x
        return self.model(input_ids=kinds, attention_mask=None)

    def full(self, kinds, x, media, feed):
        self.gates(feed)
        self.begin(media, False)
        return self.one(kinds, x)

    def passes(self, kinds, x, media, feed, prompt, sizes):
        self.gates(feed)
        self.begin(media, True)
        return torch.cat([self.one(k, part) for k, part in zip(kinds.split(sizes, 1), x.split(sizes, 1))], 1)
