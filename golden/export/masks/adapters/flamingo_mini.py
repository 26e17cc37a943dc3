"""flamingo-mini's modified language model block."""

import sys

import torch
from torch import nn

from ..effects import DIM, LATENTS, VISUAL
from .support import HEADS, IMAGE, bare_package, dummies, randomised, released, set_gates


class FlamingoMini:
    def __init__(self, folder, options):
        bare_package("flamingo_mini", folder / "flamingo_mini")
        if "requests" not in sys.modules:
            dummies("requests")
        layer = released("flamingo_mini.gated_cross_attention", folder)

        class Identity(nn.Module):
            def forward(self, x, use_cache=False, **_):
                return x

        self.block = layer.ModifiedLMBlock(Identity(), dim=DIM, dim_visual=VISUAL, n_visual=LATENTS, **HEADS)
        randomised(self.block)
        inner = self.block.xattn_block
        self.gates = set_gates(inner.alpha_attn, inner.alpha_ffw)

    def full(self, kinds, x, media, feed):
        return self.passes(kinds, x, media, feed, kinds.shape[1], [kinds.shape[1]])

    def passes(self, kinds, x, media, feed, prompt, sizes):
        """The calls that generate and score_sequences make: the first pass has its own locations, later ones the prompt's."""
        self.gates(feed)
        past, out, located = None, [], (kinds == IMAGE).long()
        for i, part in enumerate(x.split(sizes, 1)):
            self.block.condition(media, located[:, : sizes[0] if i == 0 else prompt], past)
            out.append(self.block(part, use_cache=True))
            past = self.block.kv_output
        return torch.cat(out, 1)
