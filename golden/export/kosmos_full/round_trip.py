"""python -m golden.export.kosmos_full.round_trip FILE FOLDER small|full MULTIWAY: loads the state dict in FILE strictly into kosmosx 0.3.1, and writes
the model's as FOLDER/theirs.safetensors, and a small one also with torch.save, as FOLDER/theirs.pt. Prints the numbers of keys and parameters."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from ..kosmosx import released
from .reference import empty, load

SMALL = {
    "clip_model": {"class": "CLIPVisionTransformer", "hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 2, "image_size": 8, "patch_size": 4},
    "embed": {"class": "Embedding", "num_embeddings": 31, "embedding_dim": 24, "padding_idx": 1},
    "embed_positions": {"class": "PositionalEmbedding", "num_embeddings": 20, "embedding_dim": 24, "padding_idx": 1},
    "output_projection": {"in_features": 24, "out_features": 31},
    "perceive": {"class": "PerceiverResampler", "dim": 16, "depth": 2, "dim_head": 4, "heads": 2, "num_latents": 3, "num_media_embeds": 5},
    "image_proj": {"in_features": 16, "out_features": 24},
}
DECODER = {"decoder_embed_dim": 24, "decoder_layers": 2, "decoder_attention_heads": 3, "decoder_ffn_embed_dim": 40, "xpos_rel_pos": True, "vocab_size": 31}


def small(path, multiway):
    model = released.kosmos({**SMALL, "decoder": {"args": {**DECODER, "multiway": multiway}}})
    model.load_state_dict(load_file(path), strict=True)
    return model


def full(path, multiway):
    model = empty(multiway)
    load(model, path)
    return model


def main(path, folder, size, multiway):
    with torch.no_grad():
        model = {"small": small, "full": full}[size](path, multiway == "true")
    Path(path).unlink()  # its room is needed
    state, folder = model.state_dict(), Path(folder)
    own = {}  # safetensors refuses tensors that share memory, as tables with two names do: each is written under its first
    for name, tensor in state.items():
        own.setdefault(tensor.data_ptr(), (name, tensor))
    save_file(dict(own.values()), folder / "theirs.safetensors")
    if size == "small":
        torch.save(state, folder / "theirs.pt")
    parameters = sum(parameter.numel() for parameter in model.parameters())
    print(json.dumps({"keys": len(state), "parameters": parameters}))


if __name__ == "__main__":
    main(*sys.argv[1:])
