"""flamingo-pytorch's gated cross-attention block."""

import torch

from ..effects import DIM, VISUAL
from .support import HEADS, IMAGE, randomised, released, set_gates


class FlamingoPytorch:
    def __init__(self, folder, options):
        layer = released("flamingo_pytorch.flamingo_pytorch", folder)
        self.block = randomised(layer.GatedCrossAttentionBlock(dim=DIM, **HEADS, **options))
        self.gates = set_gates(self.block.attn_gate, self.block.ff_gate)

    def full(self, kinds, x, media, feed):
        self.gates(feed)
        wide = torch.nn.functional.pad(media, (0, DIM - VISUAL))  # this package has one width for text and images
        return self.block(x, wide, media_locations=kinds == IMAGE)
