"""golden/open-flamingo-state-dicts.json: keys, order and shapes of the released models, and the numbers of their parameters.

The language models have the settings that were published with them, and as many tokens as their tokenizers have with those that the factory
adds: 50280, and 32003 for LLaMA. A key below a list of layers is listed once, with "#" for the layer's number, and the layers that have it: the
first one, the distance to the next, and how many there are. `order` is a digest of all keys with their shapes, "key 1 2" a line. Those of MPT-1B and MPT-7B are of llm-foundry's class, whose names its scripts/misc/convert_examples_ckpt.py gives to MPT-1B."""

import hashlib
import json
import re

from . import released

MPT = {"n_heads": 16, "expansion_ratio": 4, "max_seq_len": 2048, "vocab_size": 50280, "resid_pdrop": 0, "emb_pdrop": 0, "logit_scale": None,
       "no_bias": True, "embedding_fraction": 1.0, "norm_type": "low_precision_layernorm", "init_device": "meta"}
ATTENTION = {"alibi": True, "alibi_bias_max": 8, "attn_impl": "torch", "attn_pdrop": 0, "attn_uses_sequence_id": False, "clip_qkv": None,
             "qk_ln": False, "softmax_scale": None}
MPT_1B = ("MosaicMPTForCausalLM", {**MPT, "d_model": 2048, "n_layers": 24, "attn_config": {**ATTENTION, "qk_ln": True}})
MPT_7B = ("MosaicMPTForCausalLM", {**MPT, "d_model": 4096, "n_heads": 32, "n_layers": 32, "attn_config": ATTENTION})
INCITE_3B = ("GPTNeoXForCausalLM", {
    "vocab_size": 50280, "hidden_size": 2560, "num_hidden_layers": 32, "num_attention_heads": 32, "intermediate_size": 10240, "hidden_act": "gelu",
    "rotary_pct": 1.0, "rotary_emb_base": 10000, "use_parallel_residual": False, "layer_norm_eps": 1e-5, "max_position_embeddings": 2048,
    "tie_word_embeddings": False})
LLAMA_7B = ("LlamaForCausalLM", {
    "vocab_size": 32003, "hidden_size": 4096, "intermediate_size": 11008, "num_hidden_layers": 32, "num_attention_heads": 32, "hidden_act": "silu",
    "max_position_embeddings": 2048, "rms_norm_eps": 1e-6, "tie_word_embeddings": False})

# the repository, its language model, every how many layers, and the release whose code the model was published with
MODELS = [
    ("openflamingo/OpenFlamingo-3B-vitl-mpt1b", *MPT_1B, 1, "2.0.1"),
    ("openflamingo/OpenFlamingo-3B-vitl-mpt1b-langinstruct", *MPT_1B, 1, "2.0.1"),
    ("openflamingo/OpenFlamingo-4B-vitl-rpj3b", *INCITE_3B, 2, "2.0.1"),
    ("openflamingo/OpenFlamingo-4B-vitl-rpj3b-langinstruct", *INCITE_3B, 2, "2.0.1"),
    ("openflamingo/OpenFlamingo-9B-vitl-mpt7b", *MPT_7B, 4, "2.0.1"),
    ("openflamingo/OpenFlamingo-9B", *LLAMA_7B, 4, "0.1.1"),
]


def build(kind, config, every):
    with released.on_meta():
        language = released.language_model(kind, json.loads(json.dumps(config)))
        return released.freeze(released.flamingo(released.clip(**released.LARGE), language, 1024, every))


def steps(layers):
    """The first layer, the distance to the next, and how many there are; nothing for a key without a layer."""
    if not layers:
        return []
    step = layers[1] - layers[0]
    assert layers == list(range(layers[0], layers[-1] + 1, step))
    return [layers[0], step, len(layers)]


def entry(kind, config, every, profile):
    model = build(kind, config, every)
    keys = {}
    for key, tensor in model.state_dict().items():
        general, found = re.subn(r"\.(\d+)\.", ".#.", key, count=1)
        number = re.search(r"\.(\d+)\.", key)
        shape, layers = keys.setdefault(general, (list(tensor.shape), []))
        assert shape == list(tensor.shape), key
        if found:
            layers.append(int(number[1]))
    counts = {"perceiver": model.perceiver, "gated_cross_attn_layers": model.lang_encoder.gated_cross_attn_layers, "vision_encoder": model.vision_encoder}
    parameters = {name: sum(p.numel() for p in module.parameters()) for name, module in counts.items()}
    whole = {p for p in model.lang_encoder.parameters()} - {p for p in model.lang_encoder.gated_cross_attn_layers.parameters()}
    parameters["lang_encoder"] = sum(p.numel() for p in whole)
    return {"class": kind, "config": config, "every": every, "profile": profile, "parameters": parameters,
            "keys": {key: [shape, steps(layers)] for key, (shape, layers) in keys.items()},
            "order": digest(model.state_dict())}


def digest(state):
    lines = [" ".join([key, *map(str, tensor.shape)]) for key, tensor in state.items()]
    return {"keys": len(lines), "sha256": hashlib.sha256("\n".join(lines).encode()).hexdigest()}


def entries(profile):
    return {name: entry(*rest, version) for name, *rest, version in MODELS if version == profile}


def write(path, found):
    lines = []
    for name, _, _, _, _ in MODELS:
        one = found[name]
        fields = [f' "{field}": {json.dumps(one[field])}' for field in ("class", "config", "every", "profile", "parameters", "order")]
        keys = ",\n".join(f"  {json.dumps(key)}: {json.dumps(value)}" for key, value in one["keys"].items())
        lines.append(f"{json.dumps(name)}: {{\n" + ",\n".join(fields) + f',\n "keys": {{\n{keys}\n }}\n}}')
    path.write_text("{\n" + ",\n".join(lines) + "\n}\n")
