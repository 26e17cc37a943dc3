"""Adapters: transformers' IDEFICS and Mllama, Meta's llama-models and torchtune. Masks come from each package's own
functions, cached passes from its own generation loop; a hook takes what goes into the cross-attention layer and out of it."""

import importlib
import os
import sys
import types

import torch
from torch import nn

from adapters_flamingo import IMAGE, dummies, randomised, set_gates
from effects import DIM, LATENTS, VISUAL, Refused

END = 2
IDS = 64  # a text's own stretch of ids, so that every position of both texts has an embedding of its own


def distinct(mask):
    """Masks come from loops over tokens: make one for each prompt, however often it is repeated."""

    def made(self, kinds, images):
        rows, which = kinds.unique(dim=0, return_inverse=True)
        return mask(self, rows, images)[which]

    return made


class Hooked:
    """Runs a model and keeps what its one cross-attention layer made of x."""

    def watch(self, layer):
        self.seen = []

        def hook(_, args, kwargs, out):
            before = args[0] if args else kwargs["hidden_states"]
            self.seen.append((out[0] if isinstance(out, tuple) else out) - before)

        layer.register_forward_hook(hook, with_kwargs=True)

    def taken(self, x):
        """What the layer added, on top of x: what went into it may have been through self-attention before."""
        added, self.seen[:] = torch.cat(self.seen, 1), []
        return x + added

    def ids_of(self, x):
        """Ids whose embeddings are the rows of x: prompts share a few texts."""
        b, length, _ = x.shape
        texts, which = x.reshape(b, -1).unique(dim=0, return_inverse=True)
        with torch.no_grad():
            for t, text in enumerate(texts.reshape(-1, length, DIM)):
                self.embedding.weight[t * IDS : t * IDS + length] = text
        return which[:, None] * IDS + torch.arange(length)

    def generated(self, x, ids, first, **inputs):
        """The package's own generate, made to choose the tokens that are to follow."""
        from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

        class Forced(LogitsProcessor):
            def __call__(self, input_ids, scores):
                at = min(input_ids.shape[1], ids.shape[1] - 1)
                out = torch.full_like(scores, -torch.inf)
                out[torch.arange(len(ids)), ids[:, at]] = 0
                return out

        config = GenerationConfig(max_new_tokens=ids.shape[1] - first + 1, do_sample=False, use_cache=True, eos_token_id=None, pad_token_id=0)
        self.model.generate(
            ids[:, :first], generation_config=config, logits_processor=LogitsProcessorList([Forced()]),
            attention_mask=torch.ones(ids.shape[0], first, dtype=torch.long), **inputs,
        )
        return self.taken(x)


def transformers_path(folder):
    sys.path[:0] = [str(folder), str(folder.parent / "hf-deps")]
    os.environ["HF_HUB_OFFLINE"] = "1"
    import transformers

    transformers.logging.set_verbosity_error()


class Idefics(Hooked):
    def __init__(self, folder, options):
        transformers_path(folder)
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
            return torch.zeros(*kinds.shape, 1, dtype=torch.long)  # as the processor, where no prompt of a batch has an image
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
            given = mask if at < prompt else mask[:, -1:]  # what generate keeps once the prompt is done
            inputs = self.model.prepare_inputs_for_generation(
                ids[:, at : at + size], image_attention_mask=given, image_hidden_states=media, use_cache=True
            )
            at += size
            inputs.update(past_key_values=cache, attention_mask=torch.ones(len(ids), at, dtype=torch.long), position_ids=None)
            self.model(**inputs)
        return self.taken(x)


class Eyes(nn.Module):
    """In place of the vision encoder: the pictures are features already."""

    num_patches = LATENTS

    def forward(self, pixel_values, **_):
        return types.SimpleNamespace(last_hidden_state=pixel_values)


class Mllama(Hooked):
    def __init__(self, folder, options):
        transformers_path(folder)
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
        self.model.model.vision_model = Eyes()
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


class LlamaModels:
    def __init__(self, folder, options):
        sys.path[:0] = [str(folder), str(folder.parent / "fairscale"), str(folder.parent / "hf-deps"), str(folder.parent / "tt-deps")]
        dummies("torchvision", "torchvision.transforms", "tiktoken", "tiktoken.load")
        torch.set_default_dtype(torch.float64)
        os.environ.update(MASTER_ADDR="127.0.0.1", MASTER_PORT="29531", RANK="0", WORLD_SIZE="1")
        torch.distributed.init_process_group("gloo", store=torch.distributed.HashStore(), rank=0, world_size=1)
        importlib.import_module("fairscale.nn.model_parallel.initialize").initialize_model_parallel(1)
        self.model = importlib.import_module("llama_models.llama3.multimodal.model")
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
        """As generation.py: masks for everything that will come are written before the first pass, then cut by position."""
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


class Torchtune:
    def __init__(self, folder, options):
        sys.path[:0] = [str(folder), str(folder.parent / "hf-deps"), str(folder.parent / "tt-deps")]
        dummies("torchao", "torchao.dtypes", "torchao.dtypes.nf4tensor", "torchao.quantization", "torchvision", "torchvision.transforms")
        dummies("torchvision.transforms.v2")
        attention = importlib.import_module("torchtune.modules.attention").MultiHeadAttention
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
