"""torchtune's cross-attention layer and the masks of its transform."""

import importlib

import torch
from torch import nn

from ..effects import DIM, LATENTS, VISUAL, Refused
from .support import IMAGE, dummies, randomised, released, set_gates


class Torchtune:
    def __init__(self, folder, options):
        dummies("torchao", "torchao.dtypes", "torchao.dtypes.nf4tensor", "torchao.quantization", "torchvision", "torchvision.transforms")
        dummies("torchvision.transforms.v2")
        attention = released("torchtune.modules.attention", folder).MultiHeadAttention
        layer = importlib.import_module("torchtune.modules.transformer").TransformerCrossAttentionLayer
        gate = importlib.import_module("torchtune.modules.tanh_gate").TanhGate
        self.transform = importlib.import_module("torchtune.modules.transforms._transforms").VisionCrossAttentionMask(4, 4, IMAGE)
        line = lambda i, o: nn.Linear(i, o, bias=False)
        self.block = layer(
            attention(
                embed_dim=DIM, num_heads=2, num_kv_heads=2, head_dim=8, q_proj=line(DIM, DIM), k_proj=line(DIM, DIM),
                v_proj=line(DIM, DIM), output_proj=line(DIM, DIM), is_causal=False, attn_dropout=0.0,
            ),
            nn.Sequential(line(DIM, 24), nn.SiLU(), line(24, DIM)), ca_scale=gate(), mlp_scale=gate(),
        )
        randomised(self.block)
        self.gates = set_gates(self.block.ca_scale.scale, self.block.mlp_scale.scale)

    def refuses(self, kinds, images):
        return (kinds == IMAGE).sum(1) > images

    def full(self, kinds, x, media, feed):
        b, length = kinds.shape
        images = media.shape[1]
        if images == 0:
            raise Refused("without an image the layer is left out")
        self.gates(feed)
        wide = torch.nn.functional.pad(media, (0, DIM - VISUAL)).reshape(b, -1, DIM)
        texts, which = kinds.unique(dim=0, return_inverse=True)
        masks = torch.zeros(len(texts), length, images * LATENTS, dtype=torch.bool)  # as the collator pads them
        for row, mask in zip(texts.tolist(), masks):
            given = [torch.zeros(1, 3, 4, 4)] * row.count(IMAGE)
            sample = self.transform({"tokens": row, "encoder_input": {"images": given}})
            if given:
                found = torch.cat(sample["encoder_mask"], 1)
                mask[:, : found.shape[1]] = found
        return self.block(x, encoder_input=wide, encoder_mask=masks[which])
