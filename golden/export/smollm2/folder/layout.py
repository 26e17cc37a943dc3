"""Names and layout of LLaMA's weights: llama.cpp's, and transformers'."""

import numpy

NAMES = {
    "token_embd": "model.embed_tokens",
    "output_norm": "model.norm",
    "attn_norm": "input_layernorm",
    "attn_q": "self_attn.q_proj",
    "attn_k": "self_attn.k_proj",
    "attn_v": "self_attn.v_proj",
    "attn_output": "self_attn.o_proj",
    "ffn_norm": "post_attention_layernorm",
    "ffn_gate": "mlp.gate_proj",
    "ffn_up": "mlp.up_proj",
    "ffn_down": "mlp.down_proj",
}


def transformers_name(name):
    """blk.3.attn_q.weight is model.layers.3.self_attn.q_proj.weight."""
    parts = name.removesuffix(".weight").split(".")
    layer = f"model.layers.{parts[1]}." if parts[0] == "blk" else ""
    return f"{layer}{NAMES[parts[-1]]}.weight"


def unpermuted(rows, heads):
    """llama.cpp turns neighbouring components of a query or key, transformers those that are half a head apart: the converter of llama.cpp
    (convert_hf_to_gguf.py, LlamaModel.permute) interleaves the two halves of each head's rows, and this undoes it."""
    width = rows.shape[-1]
    return rows.reshape(heads, -1, 2, width).swapaxes(1, 2).reshape(-1, width)


def bfloat16(values):
    """The upper 16 bits of float32 values, rounded to nearest, ties to even."""
    bits = numpy.ascontiguousarray(values, "<f4").view("<u4")
    if not numpy.isfinite(values).all():
        raise ValueError("a weight is not finite")
    return ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype("<u2")
