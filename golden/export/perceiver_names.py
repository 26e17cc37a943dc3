"""golden/data/perceiver-names.json: small models of transformers' Perceiver classes, for spec/models/perceiver-io/59-checkpoints.spec.ts.

    python golden/export/perceiver_names.py golden/data/perceiver-names.json     # transformers 4.57.6 or 5.18.0, torch 2.13.0

A weight is a function of its position in the state dict and of the position of the number in it (`fill`), so that the file holds names,
shapes and results only. Models are in float64; sines are the nearest float32 numbers, as in golden/export/transformers."""

import json
import sys
from pathlib import Path

import torch
from transformers import PerceiverConfig
from transformers.models.perceiver import modeling_perceiver as perceiver

sys.path.insert(0, str(Path(__file__).parents[2]))
from golden.export.transformers.precision import nearest_sines  # noqa: E402

PRIME = 65521


def fill(nth, size):
    """Numbers between −0.5 and 0.5."""
    i = torch.arange(size, dtype=torch.int64)
    return (((i * i + nth * i) % PRIME * 7919 + nth * 104729) % PRIME).double() / PRIME - 0.5


def weight(name, shape, nth, size):
    values = fill(nth, size)
    if name.endswith(("layernorm.weight", "layernorm1.weight", "layernorm2.weight", "batchnorm.weight", "running_var")):
        return (1 + values / 2).reshape(shape)
    fan_in = size // shape[0] if len(shape) > 1 and "position" not in name else 4
    return (values * 4 / fan_in**0.5).reshape(shape)


SMALL = {"num_blocks": 2, "num_self_attends_per_block": 2, "attention_probs_dropout_prob": 0}
IMAGE = SMALL | {"num_latents": 4, "d_latents": 16, "num_self_attention_heads": 8, "num_cross_attention_heads": 1, "num_labels": 5}
PICTURE = [2, 3, 16, 16]
CASES = {
    "PerceiverForMaskedLM": (
        SMALL | {"num_latents": 4, "d_latents": 24, "d_model": 16, "num_self_attention_heads": 8, "num_cross_attention_heads": 8}
        | {"qk_channels": 256, "v_channels": 24, "max_position_embeddings": 12, "vocab_size": 40},
        {"inputs": [2, 12]},
    ),
    "PerceiverForImageClassificationLearned": (IMAGE | {"image_size": 16}, {"inputs": PICTURE}),
    "PerceiverForImageClassificationFourier": (IMAGE, {"inputs": PICTURE}),
    "PerceiverForImageClassificationConvProcessing": (IMAGE, {"inputs": PICTURE}),
    "PerceiverForOpticalFlow": (
        SMALL | {"num_latents": 4, "d_latents": 32, "num_self_attention_heads": 16, "num_cross_attention_heads": 1, "train_size": [8, 12]},
        {"inputs": [1, 2, 27, 8, 12]},
    ),
    "PerceiverForMultimodalAutoencoding": (
        SMALL | {"num_latents": 4, "d_latents": 512, "num_self_attention_heads": 8, "num_cross_attention_heads": 1, "num_labels": 5}
        | {"image_size": 2, "num_frames": 2, "audio_samples_per_frame": 32, "samples_per_patch": 4, "output_shape": [1, 2, 8, 8]},
        {"image": [1, 2, 3, 8, 8], "audio": [1, 64, 1], "label": [1, 5]},
    ),
}
PADDING = 3  # tokens of the second text that are padding


def results(model, name, inputs):
    if name == "PerceiverForMaskedLM":
        ids = ((inputs["inputs"] + 0.5) * 40).long().clamp(max=39)
        mask = torch.ones(ids.shape)
        mask[1, -PADDING:] = 0
        return {"logits": model(inputs=ids, attention_mask=mask).logits}
    if name == "PerceiverForMultimodalAutoencoding":
        points = {"image": torch.arange(64, 128), "audio": torch.arange(8, 16), "label": None}
        return dict(model(inputs=inputs, subsampled_output_points=points).logits)
    return {"logits": model(inputs=inputs["inputs"]).logits}


def case(name):
    settings, shapes = CASES[name]
    model = getattr(perceiver, name)(PerceiverConfig(**settings)).eval().double()
    state = model.state_dict()
    for nth, (key, tensor) in enumerate(state.items()):
        if tensor.is_floating_point():
            tensor.copy_(weight(key, tensor.shape, nth + 1, tensor.numel()))
    inputs = {key: fill(1000 + nth, torch.Size(shape).numel()).reshape(shape) for nth, (key, shape) in enumerate(shapes.items())}
    with torch.no_grad(), nearest_sines():
        made = results(model, name, inputs)
    outputs = {key: {"shape": list(t.shape), "values": t.flatten().tolist()} for key, t in made.items()}
    return {"inputs": shapes, "weights": {key: list(t.shape) for key, t in state.items()}, "outputs": outputs}


Path(sys.argv[1]).write_text(json.dumps({name: case(name) for name in CASES}, separators=(",", ":")).replace('},"Perceiver', '},\n"Perceiver') + "\n")
