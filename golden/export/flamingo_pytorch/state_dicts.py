"""golden/state-dicts.json: keys, order, shapes and parameter counts of the released modules.

An entry is named as its constructor is called, `Class(argument=value,…)`; an image encoder is named by its class alone.
The first five are the configurations of the package's README and a small one with videos. The others cover what those do
not: single modules, unequal widths, a ViT without class token, scores or output projection.
Nothing is allocated: the modules are built on torch's meta device."""

import json

import torch

from ..vit_pytorch import classes as vit

VIT = {"image_size": 256, "patch_size": 32, "num_classes": 1000, "dim": 1024, "depth": 6, "heads": 16, "mlp_dim": 2048}
README = {"num_tokens": 20000, "dim": 1024, "depth": 12, "heads": 8, "dim_head": 64, "img_encoder": {"class": "ViT", **VIT},
          "media_token_id": 3, "cross_attn_every": 3, "perceiver_num_latents": 64, "perceiver_depth": 2}
SMALL = {"num_tokens": 30, "dim": 16, "depth": 2, "heads": 2, "dim_head": 4, "img_encoder": {"class": "Identity"}, "max_video_frames": 3}

CONFIGURATIONS = [
    ("PerceiverResampler", {"dim": 1024, "depth": 2, "dim_head": 64, "heads": 8, "num_latents": 64, "num_media_embeds": 4}),
    ("GatedCrossAttentionBlock", {"dim": 1024, "dim_head": 64, "heads": 8}),
    ("ViT", VIT),
    ("FlamingoPaLM", README),
    ("FlamingoPaLM", SMALL),
    ("FlamingoPaLM", {"dim": 12, "num_tokens": 9, "depth": 3, "dim_head": 8, "heads": 3, "ff_mult": 2, "cross_attn_every": 2,
                      "img_encoder": {"class": "Identity"}, "perceiver_num_latents": 5, "perceiver_depth": 1}),
    ("PerceiverAttention", {"dim": 12, "dim_head": 4, "heads": 2}),
    ("MaskedCrossAttention", {"dim": 12, "dim_head": 4, "heads": 2, "only_attend_immediate_media": False}),
    ("GatedCrossAttentionBlock", {"dim": 12, "dim_head": 4, "heads": 2, "ff_mult": 1.5}),
    ("FeedForward", {"dim": 10, "mult": 1.25}),
    ("LayerNorm", {"dim": 12}),
    ("ParallelTransformerBlock", {"dim": 12, "dim_head": 4, "heads": 2, "ff_mult": 3}),
    ("ViT", {"image_size": 8, "patch_size": 4, "num_classes": 0, "dim": 12, "depth": 1, "heads": 2, "mlp_dim": 16, "pool": "mean", "channels": 1}),
    ("ViT", {"image_size": [8, 12], "patch_size": [4, 6], "num_classes": 3, "dim": 12, "depth": 1, "heads": 1, "mlp_dim": 16, "dim_head": 12}),
]


def written(value):
    if isinstance(value, dict):
        return "Extractor(ViT(...))" if value["class"] == "ViT" else value["class"]
    return "x".join(map(str, value)) if isinstance(value, list) else str(value)


def entry(source, kind, config):
    with torch.device("meta"):
        module = vit.vit(config) if kind == "ViT" else source.build(kind, config)
    keys = {key: list(value.shape) for key, value in module.state_dict().items()}
    return {"keys": keys, "parameters": sum(p.numel() for p in module.parameters())}


def write(source, path):
    entries = []
    for kind, config in CONFIGURATIONS:
        name = f"{kind}({','.join(f'{key}={written(value)}' for key, value in config.items())})"
        found = entry(source, kind, config)
        keys = ",\n".join(f"  {json.dumps(key)}: {json.dumps(shape)}" for key, shape in found["keys"].items())
        entries.append(f'{json.dumps(name)}: {{\n "parameters": {found["parameters"]},\n "keys": {{\n{keys}\n }}\n}}')
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n")
