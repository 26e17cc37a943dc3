"""Rows of Mllama's cross-attention layer, text before the first image included (FORMAT.md §10).

The layer is transformers' own MllamaCrossAttentionDecoderLayer; its mask comes from the package's processor and from the
function that prepares it in the model's forward pass. Everything is in float64."""

import importlib.metadata
import json
import subprocess
import sys
from pathlib import Path

from ..common import files
from ..common.source import Check, Source
from ..masks.install import dependency, pip

PACKAGE, VERSION = "transformers", "5.23.0"
NAME = "mllama-cross-attention-decoder-layer"
FOLDER = f"transformers/{NAME}"
SCHEMA = "flamboyance-layer-rows/1"
TOLERANCE = 1e-12

PROMPTS = ("ttItIt", "tItttt")  # t text, I an image token
IMAGES, LATENTS, DIM, SEED = 2, 3, 8, 20
GATES = {"cross_attn_attn_gate": 0.75, "cross_attn_mlp_gate": -0.5}
IMAGE = 1


def mask_of(images):
    """(mask, full_text_row_masked_out_mask) of the prompts, as the processor and the model make them."""
    import torch
    from transformers.models.mllama import modeling_mllama, processing_mllama

    kinds = [[int(mark == "I") for mark in prompt] for prompt in PROMPTS]
    sparse = [processing_mllama.get_cross_attention_token_mask(row, IMAGE) for row in kinds]
    sparse.append([[0, -1]] * images)  # another prompt of the batch, which has as many images as there are
    tiles = [[1] * len(prompt) for prompt in sparse]
    dense = processing_mllama.convert_sparse_cross_attention_mask_to_dense(sparse, tiles, 1, len(kinds[0]))
    mask = torch.from_numpy(dense[:-1])
    return modeling_mllama._prepare_cross_attention_mask(mask, num_vision_tokens=LATENTS, dtype=torch.float64)


def layer_of():
    import torch
    from transformers import MllamaTextConfig
    from transformers.models.mllama.modeling_mllama import MllamaCrossAttentionDecoderLayer

    config = MllamaTextConfig(
        vocab_size=8, hidden_size=DIM, intermediate_size=12, num_hidden_layers=1, num_attention_heads=2, num_key_value_heads=1,
        cross_attention_layers=[0], pad_token_id=0, bos_token_id=1, eos_token_id=2, attn_implementation="eager",
        rope_parameters={"rope_type": "default", "rope_theta": 1e4},
    )
    layer = MllamaCrossAttentionDecoderLayer(config, layer_idx=0).double().eval()
    generator = torch.Generator().manual_seed(SEED)
    with torch.no_grad():
        for name, parameter in layer.named_parameters():
            if name in GATES:
                parameter.fill_(GATES[name])
            else:
                parameter.copy_(torch.randn(parameter.shape, generator=generator, dtype=torch.float64) * 0.5)
    return layer, generator


def export_rows(out):
    """Writes the folder; run in a process of its own, which has transformers on its path."""
    import torch

    torch.set_num_threads(1)
    layer, generator = layer_of()
    randn = lambda *shape: torch.randn(shape, generator=generator, dtype=torch.float64)
    b, length = len(PROMPTS), len(PROMPTS[0])
    x, media, changed = randn(b, length, DIM), randn(b, IMAGES, LATENTS, DIM), randn(b, IMAGES, LATENTS, DIM)
    mask, rows = mask_of(IMAGES)

    def run(pictures, feed_forward):
        with torch.no_grad():
            layer.cross_attn_mlp_gate.fill_(GATES["cross_attn_mlp_gate"] if feed_forward else 0)
            out = layer(
                hidden_states=x, cross_attention_states=pictures.flatten(1, 2), cross_attention_mask=mask,
                attention_mask=None, full_text_row_masked_out_mask=rows,
            )
            layer.cross_attn_mlp_gate.fill_(GATES["cross_attn_mlp_gate"])
            return out

    expected = {"outputs.out": run(media, True), "outputs.attention": run(media, False)}
    for m in range(IMAGES):
        one = media.clone()
        one[:, m] = changed[:, m]
        expected[f"outputs.out.image-{m + 1}"] = run(one, True)
    given = {"inputs.x": x, "inputs.media": media, "inputs.changed": changed}
    given |= {f"weights.{name}": parameter.detach() for name, parameter in layer.named_parameters()}
    folder = Path(out) / FOLDER
    folder.mkdir(parents=True, exist_ok=True)
    files.write_tensors(folder / "inputs.safetensors", given)
    files.write_tensors(folder / "expected.safetensors", expected)
    version = importlib.metadata.version("torch").split("+")[0]
    source = {"package": PACKAGE, "version": VERSION, "class": "MllamaCrossAttentionDecoderLayer", "torch": version}
    manifest = {"schema": SCHEMA, "convention": "mllama transformers", "source": source, "prompts": PROMPTS, "images": IMAGES}
    files.write_json(folder / "rows.json", manifest | {"latents": LATENTS, "gates": GATES})


class MllamaLayer(Source):
    def export(self, request):
        if not request.wants(FOLDER):
            return []
        request.packages.mkdir(parents=True, exist_ok=True)
        paths = [pip(request.packages / f"{PACKAGE}-{VERSION}", f"{PACKAGE}=={VERSION}"), dependency(request.packages, "transformers")]
        words = [sys.executable, "-m", "golden.export.mllama.source", str(request.out), *map(str, paths)]
        done = subprocess.run(words, capture_output=True, text=True)
        return [] if done.returncode == 0 else [f"{NAME} could not be run: {done.stderr[-2000:]}"]

    def compare(self, committed, fresh, request):
        old, new = committed / FOLDER, fresh / FOLDER
        return [Check(FOLDER, list(differences(old, new)))] if request.wants(FOLDER) else []


def differences(old, new):
    """Manifests must be equal, and tensors equal up to rounding."""
    manifests = [json.loads((folder / "rows.json").read_text()) if (folder / "rows.json").exists() else None for folder in (old, new)]
    if manifests[0] is None or manifests[0] != manifests[1]:
        yield "rows.json differs"
    for part in ("inputs.safetensors", "expected.safetensors"):
        x, y = files.read_tensors(old / part), files.read_tensors(new / part)
        if x.keys() != y.keys() or any((x[name] - y[name]).abs().max() > TOLERANCE for name in x):
            yield f"{part} differs"


SOURCE = MllamaLayer(__file__)

if __name__ == "__main__":
    sys.path[:0] = sys.argv[2:]
    export_rows(sys.argv[1])
