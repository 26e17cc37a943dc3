"""Small models whose checkpoints are written. Their weights are random numbers in bfloat16, none of them an initial value."""

import torch

from . import released

SIZES = {"perceiver": {"depth": 1, "dim_head": 4, "heads": 2, "num_latents": 3, "ff_mult": 2}, "cross_attn": {"dim_head": 4, "heads": 2, "ff_mult": 2}}
CLIP = {"embed_dim": 4, "vision_cfg": {"image_size": 8, "layers": 1, "width": 8, "patch_size": 4, "head_width": 4, "mlp_ratio": 2},
        "text_cfg": {"width": 8, "heads": 2, "layers": 1, "context_length": 4, "vocab_size": 6}}
COMMON = {"vocab_size": 11, "hidden_size": 8, "num_hidden_layers": 2, "num_attention_heads": 2, "max_position_embeddings": 16}
LANGUAGE = {
    "opt": ("OPTForCausalLM", {**COMMON, "ffn_dim": 12, "word_embed_proj_dim": 8}),
    "gpt-neox": ("GPTNeoXForCausalLM", {**COMMON, "intermediate_size": 12, "rotary_pct": 0.5}),
    "gptj": ("GPTJForCausalLM", {"vocab_size": 11, "n_embd": 8, "n_layer": 2, "n_head": 2, "rotary_dim": 4, "n_positions": 16}),
    "llama": ("LlamaForCausalLM", {**COMMON, "intermediate_size": 12}),
    "mpt": ("MptForCausalLM", {"vocab_size": 11, "d_model": 8, "n_layers": 2, "n_heads": 2, "max_seq_len": 16}),
    "mosaic-mpt": ("MosaicMPTForCausalLM", {"vocab_size": 11, "d_model": 8, "n_layers": 2, "n_heads": 2, "max_seq_len": 16, "no_bias": True,
                                            "attn_config": {"attn_impl": "torch", "alibi": True, "qk_ln": True}}),
}


def build(name, freeze_lm_embeddings=False):
    """A released Flamingo with gated cross-attention in its second layer."""
    torch.manual_seed(0)
    kind, config = LANGUAGE[name]
    with released.sized(**SIZES):
        model = released.flamingo(released.clip(**CLIP), released.language_model(kind, dict(config)), 8, 2)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter))
    return released.freeze(model.to(torch.bfloat16).eval(), freeze_lm_embeddings)


def named_once(model):
    """Every tensor under its first name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters()}
