"""IDEFICS of transformers: masks from its processor, cached passes from its generate."""

import importlib
import types

import torch

from ..effects import DIM, LATENTS, VISUAL
from .hooked import END, IDS, Hooked, distinct, quiet_transformers
from .support import IMAGE, randomised, set_gates


class Idefics(Hooked):
    def __init__(self, folder, options):
        quiet_transformers(folder)
        from transformers import IdeficsConfig, IdeficsForVisionText2Text
        from transformers.models.idefics import processing_idefics

        self.processing = processing_idefics
        config = IdeficsConfig(
            vocab_size=4 * IDS, additional_vocab_size=0, hidden_size=DIM, intermediate_size=24, num_hidden_layers=1, num_attention_heads=2,
            cross_layer_interval=1, alpha_type="float", alpha_initializer="ones", use_resampler=False, attn_implementation="eager",
            vision_config=dict(embed_dim=VISUAL, image_size=4, patch_size=2, intermediate_size=8, num_attention_heads=2, num_hidden_layers=1),
        )
        self.model = randomised(IdeficsForVisionText2Text(config))
        self.embedding = self.model.get_input_embeddings()
        layer = self.model.model.gated_cross_attn_layers[0]
        self.gates = set_gates(layer.alpha_cross_attn, layer.alpha_dense)
        self.watch(layer)

    @distinct
    def mask(self, kinds, images):
        tokenizer = types.SimpleNamespace(convert_tokens_to_ids=lambda _: IMAGE, eos_token_id=END)
        if images == 0:
            return torch.zeros(*kinds.shape, 1, dtype=torch.long)  # what the processor makes if no prompt of a batch has an image
        mask, _ = self.processing.image_attention_mask_for_packed_input_ids(kinds, tokenizer, "pt")
        return self.processing.incremental_to_binary_attention_mask(mask, "pt", num_classes=images)

    def blank(self, media):
        return media if media.shape[1] else torch.zeros(media.shape[0], 1, LATENTS, VISUAL, dtype=media.dtype)

    def full(self, kinds, x, media, feed):
        self.gates(feed)
        mask = self.mask(kinds, media.shape[1])
        self.model.model(inputs_embeds=x, image_encoder_embeddings=self.blank(media), image_attention_mask=mask, use_cache=False)
        return self.taken(x)

    def passes(self, kinds, x, media, feed, prompt, sizes):
        self.gates(feed)
        ids, mask = self.ids_of(x), self.mask(kinds[:, :prompt], media.shape[1])
        if all(size == 1 for size in sizes[1:]) and prompt == sizes[0]:
            return self.generated(x, ids, prompt, image_attention_mask=mask, image_hidden_states=media)
        cache = importlib.import_module("transformers").DynamicCache(config=self.model.config)
        at = 0
        for size in sizes:
            given = mask if at < prompt else mask[:, -1:]  # what generate keeps after the prompt
            inputs = self.model.prepare_inputs_for_generation(
                ids[:, at : at + size], image_attention_mask=given, image_hidden_states=media, use_cache=True
            )
            at += size
            inputs.update(past_key_values=cache, attention_mask=torch.ones(len(ids), at, dtype=torch.long), position_ids=None)
            self.model(**inputs)
        return self.taken(x)
