"""Small language models whose weights are no initial values, so that every tensor matters: norms are not 1, biases not 0."""

import contextlib

import torch
import transformers

from ..transformers.precision import float32_is

SIZES = {"vocab_size": 40, "num_hidden_layers": 2, "num_attention_heads": 4, "hidden_size": 16, "max_position_embeddings": 16}
SCALING = {"rope_type": "llama3", "factor": 8.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8}
SETTINGS = {
    "Llama": {**SIZES, "intermediate_size": 24, "num_key_value_heads": 2, "pad_token_id": 0, "rope_scaling": SCALING},
    "OPT": {**SIZES, "ffn_dim": 24, "word_embed_proj_dim": 8, "do_layer_norm_before": False},
    "GPTNeoX": {**SIZES, "intermediate_size": 24, "rotary_pct": 0.5},
    "GPTJ": {"vocab_size": 40, "n_layer": 2, "n_head": 4, "n_embd": 16, "n_positions": 16, "rotary_dim": 2},
    "Mpt": {"vocab_size": 40, "n_layers": 2, "n_heads": 3, "d_model": 18, "max_seq_len": 16},
}
IDS = torch.tensor([[2, 9, 33, 7, 38, 4, 19]])


def build(name):
    """The released class, in evaluation mode."""
    torch.manual_seed(0)
    released = getattr(transformers, f"{name}ForCausalLM")
    model = released(getattr(transformers, f"{name}Config")(**SETTINGS[name])).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn_like(parameter) * 0.3)
    return model


def logits(folder, dtype):
    """Logits of the model in a folder, everything in `dtype` except for rotary angles, which are those of float32."""
    model = transformers.AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32, attn_implementation="eager").eval()
    tables = {name: buffer.clone() for name, buffer in model.named_buffers()}
    model = model.to(dtype)
    for name, buffer in tables.items():
        owner, _, last = name.rpartition(".")
        setattr(model.get_submodule(owner), last, buffer)
    with float32_is(dtype) if dtype == torch.float64 else contextlib.nullcontext(), torch.no_grad():
        return model(IDS).logits
