"""Meta's llama-models: its cross-attention block, its masks and the passes of its generation loop."""

import importlib
import os

import torch

from ..effects import DIM, VISUAL, Refused
from .support import IMAGE, dummies, randomised, released, set_gates


class LlamaModels:
    def __init__(self, folder, options):
        dummies("torchvision", "torchvision.transforms", "tiktoken", "tiktoken.load")
        torch.set_default_dtype(torch.float64)
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29531", RANK="0", WORLD_SIZE="1")
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
        importlib.import_module("fairscale.nn.model_parallel.initialize").initialize_model_parallel(1)
        self.model = released("llama_models.llama3.multimodal.model", folder)
        self.sparse = importlib.import_module("llama_models.llama3.chat_format").create_vision_mask
        args = importlib.import_module("llama_models.llama3.args").ModelArgs(
            dim=DIM, n_heads=2, n_kv_heads=2, vocab_size=16, multiple_of=4, norm_eps=1e-5, n_layers=1
        )
        self.block = randomised(self.model.CrossAttentionTransformerBlock(args, layer_id=0))
        self.gates = set_gates(self.block.gate_attn, self.block.gate_ffwd)

    def refuses(self, kinds, images):
        return (kinds == IMAGE).sum(1) > images  # asserted in _get_xattn_mask: as many masks as images

    def full(self, kinds, x, media, feed):
        return self.passes(kinds, x, media, feed, kinds.shape[1], [kinds.shape[1]])

    def passes(self, kinds, x, media, feed, prompt, sizes):
        """The passes of generation.py: masks for the whole text are written before the first pass, then sliced by position."""
        b, length = kinds.shape
        images = media.shape[1]
        if images == 0:
            raise Refused("without an image the layer is left out")
        self.gates(feed)
        wide = torch.nn.functional.pad(media, (0, DIM - VISUAL))[:, :, None]
        texts, which = kinds[:, :prompt].unique(dim=0, return_inverse=True)
        masks = [self.sparse(row, IMAGE) for row in texts.tolist()] + [[[0, -1]] * images]
        padded = self.model._pad_masks(masks, [[1] * len(m) for m in masks], length, 1)[which]
        mask, rows = self.model.CrossAttentionTransformerText._get_xattn_mask(None, length, "cpu", torch.float64, wide, padded)
        cache = self.block.compute_xattn_kv_cache(wide.reshape(b, -1, DIM))
        out, at = [], 0
        for size in sizes:
            position_ids = torch.arange(at, at + size)
            out.append(self.block(x[:, position_ids], mask[:, :, position_ids], rows[:, :, position_ids], cache))
            at += size
        return torch.cat(out, 1)
