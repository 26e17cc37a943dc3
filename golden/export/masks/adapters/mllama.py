"""Mllama of transformers: masks from its processor, cached passes from its generate."""

import importlib
import types

import torch
from torch import nn

from ..effects import DIM, LATENTS, VISUAL, Refused
from .hooked import IDS, Hooked, distinct, quiet_transformers
from .support import IMAGE, randomised, set_gates


class Features(nn.Module):
    """Replaces the vision encoder: the pictures are features already."""

    num_patches = LATENTS

    def forward(self, pixel_values, **_):
        return types.SimpleNamespace(last_hidden_state=pixel_values)


class Mllama(Hooked):
    def __init__(self, folder, options):
        quiet_transformers(folder)
        from transformers import MllamaConfig, MllamaForConditionalGeneration
        from transformers.models.mllama import processing_mllama

        self.processing = processing_mllama
        text = dict(
            vocab_size=4 * IDS, hidden_size=DIM, intermediate_size=24, num_hidden_layers=2, num_attention_heads=2, num_key_value_heads=2,
            cross_attention_layers=[1], pad_token_id=0, bos_token_id=1, eos_token_id=2,
            rope_parameters={"rope_type": "default", "rope_theta": 1e4}, rope_scaling={"rope_type": "default"},
        )
        vision = dict(
            hidden_size=8, vision_output_dim=VISUAL, image_size=4, patch_size=2, intermediate_size=8, attention_heads=2,
            num_hidden_layers=1, num_global_layers=1, intermediate_layers_indices=[0], max_num_tiles=1,
            supported_aspect_ratios=[[1, 1]],
        )
        config = MllamaConfig(text_config=text, vision_config=vision, attn_implementation="eager")
        self.model = MllamaForConditionalGeneration(config)
        self.model.model.vision_model = Features()
        randomised(self.model)
        self.embedding = self.model.get_input_embeddings()
        layer = self.model.model.language_model.layers[1]
        self.gates = set_gates(layer.cross_attn_attn_gate, layer.cross_attn_mlp_gate)
        self.watch(layer)

    def refuses(self, kinds, images):
        """The processor: as many image tokens as images; padding to the batch's most makes up for fewer."""
        return (kinds == IMAGE).sum(1) > images

    @distinct
    def mask(self, kinds, images):
        sparse = [self.processing.get_cross_attention_token_mask(row, IMAGE) for row in kinds.tolist()]
        sparse.append([[0, -1]] * images)  # another prompt of the batch, which has as many images as there are
        tiles = [[1] * len(row) for row in sparse]
        dense = self.processing.convert_sparse_cross_attention_mask_to_dense(sparse, tiles, 1, kinds.shape[1])
        return torch.from_numpy(dense[:-1])

    def pictures(self, media):
        b, n = media.shape[:2]
        return dict(
            pixel_values=media[:, :, None], aspect_ratio_ids=torch.ones(b, n, dtype=torch.long),
            aspect_ratio_mask=torch.ones(b, n, 1, dtype=torch.long),
        )

    def full(self, kinds, x, media, feed):
        if media.shape[1] == 0:
            raise Refused("without an image the layer is left out")
        self.gates(feed)
        self.model.model(inputs_embeds=x, cross_attention_mask=self.mask(kinds, media.shape[1]), use_cache=False, **self.pictures(media))
        return self.taken(x)

    def passes(self, kinds, x, media, feed, prompt, sizes):
        self.gates(feed)
        ids, mask = self.ids_of(x), self.mask(kinds[:, :prompt], media.shape[1])
        if all(size == 1 for size in sizes[1:]) and prompt == sizes[0]:
            return self.generated(x, ids, prompt, cross_attention_mask=mask, **self.pictures(media))
        cache = importlib.import_module("transformers").DynamicCache(config=self.model.config.text_config)
        at = 0
        for size in sizes:
            pictures = self.pictures(media) if at == 0 else {}
            given, to = mask, at + size
            if to > prompt:  # assisted generation: several new tokens at once
                given = self.model.prepare_inputs_for_generation(
                    ids[:, :to], next_sequence_length=size, past_key_values=cache, cross_attention_mask=mask, use_cache=True,
                    attention_mask=torch.ones(len(ids), to, dtype=torch.long),
                )["cross_attention_mask"]
            self.model(input_ids=ids[:, at:to], past_key_values=cache, cross_attention_mask=given, use_cache=True, **pictures)
            at = to
        return self.taken(x)
