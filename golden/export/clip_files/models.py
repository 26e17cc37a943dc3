"""Small CLIP models as both packages save them, each with what its image tower gives. Their weights are random numbers."""

import json

from ..open_clip import released  # noqa: F401 # first: it prepares the torchvision that the others import

import torch  # noqa: E402
from open_clip.model import CLIP  # noqa: E402
from safetensors.torch import save_file  # noqa: E402
from transformers import CLIPConfig, CLIPImageProcessor, CLIPModel, CLIPVisionConfig, CLIPVisionModel, CLIPVisionModelWithProjection  # noqa: E402

from ..common import files  # noqa: E402
from ..transformers.precision import upcast  # noqa: E402

VISION = {"hidden_size": 16, "intermediate_size": 24, "num_hidden_layers": 2, "num_attention_heads": 4, "image_size": 10, "patch_size": 4}
TEXT = {"hidden_size": 12, "intermediate_size": 16, "num_hidden_layers": 1, "num_attention_heads": 2, "vocab_size": 20, "max_position_embeddings": 8,
        "bos_token_id": 0, "eos_token_id": 1, "pad_token_id": 1}
TOWER = {"image_size": 12, "patch_size": 4, "width": 64, "layers": 2, "mlp_ratio": 0.5, "head_width": 64}
WORDS = {"context_length": 8, "vocab_size": 20, "width": 16, "heads": 2, "layers": 1}


def drawn(model, seed):
    """The model with random values in all parameters, so that each of them counts."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            one = parameter.ndim == 1 and name.endswith("weight")
            parameter.copy_((torch.randn(parameter.shape, generator=generator) * 0.3 + one).to(torch.bfloat16))
    return model.eval()


def images(side, seed=5):
    return torch.randn(2, 3, side, side, generator=torch.Generator().manual_seed(seed)).to(torch.bfloat16).double()


def write(path, pixels, **outputs):
    path.mkdir(parents=True, exist_ok=True)
    files.write_tensors(path / "expected.safetensors", {"pixel_values": pixels} | {name: value.detach() for name, value in outputs.items()})


def transformers_folder(out, model, processor=None, **options):
    model.save_pretrained(out, **options)
    if processor:
        processor.save_pretrained(out)
    exact = type(model).from_pretrained(out, attn_implementation="eager").double().eval()
    pixels, tower = images(10), exact.vision_model
    with torch.no_grad(), upcast(exact):
        found = tower(pixels)
        normalized = tower.post_layernorm(found.last_hidden_state)
        features = exact.visual_projection(found.pooler_output) if hasattr(exact, "visual_projection") else found.pooler_output
    write(out, pixels, raw=found.last_hidden_state[:, 1:], ln_post=normalized[:, 1:], features=features)


def open_clip_outputs(out, model, **more):
    """What the tower gives with raw tokens and with normalised ones."""
    visual, pixels, found = model.double().visual, images(12), {}
    visual.output_tokens = True
    with torch.no_grad():
        for name, raw in (("raw", True), ("ln_post", False)):
            visual.final_ln_after_pool = raw
            features, found[name] = visual(pixels)
    write(out, pixels, features=features, **found, **more)


def clip(quick):
    return drawn(CLIP(embed_dim=6, vision_cfg=TOWER, text_cfg=WORDS, quick_gelu=quick), 20 + quick)


def open_clip_files(out):
    for quick, name in ((True, "quick_gelu"), (False, "gelu")):
        open_clip_outputs(out / f"open-clip-{name}", clip(quick))
    model = clip(True)
    state, folder = model.state_dict(), out / "open-clip-quick_gelu"
    torch.save(state, folder / "whole.pt")
    torch.save({"epoch": 3, "name": "run", "state_dict": {f"module.{key}": value for key, value in state.items()}, "optimizer": {"state": {0: {"step": torch.tensor(4.0)}}}}, folder / "training.pt")
    torch.save(model.visual.state_dict(), folder / "tower.bin")
    sizes = {"input_resolution": torch.tensor(12), "context_length": torch.tensor(8), "vocab_size": torch.tensor(20)}
    torch.save({key: value.half() for key, value in state.items()} | sizes, folder / "openai.pt")
    save_file({key: value.contiguous() for key, value in state.items()}, folder / "whole.safetensors")
    torch.jit.save(torch.jit.script(model.visual.ln_post), folder / "script.pt")
    other = out / "open-clip-gelu"
    settings = {"model_cfg": {"embed_dim": 6, "vision_cfg": TOWER, "text_cfg": WORDS}, "preprocess_cfg": {"mean": [0.5, 0.5, 0.5], "std": [0.25, 0.5, 0.5], "interpolation": "bicubic", "resize_mode": "shortest"}}
    (other / "open_clip_config.json").write_text(json.dumps(settings, indent=2))
    save_file({key: value.contiguous() for key, value in clip(False).state_dict().items()}, other / "open_clip_model.safetensors")


def export(out):
    processor = CLIPImageProcessor(size=10, crop_size=8, resample=2, image_mean=[0.5, 0.25, 0.125], do_convert_rgb=True)
    transformers_folder(out / "clip-model", drawn(CLIPModel(CLIPConfig(vision_config=VISION, text_config=TEXT, projection_dim=5)), 1), processor)
    quick = VISION | {"hidden_act": "gelu", "layer_norm_eps": 0.25}
    transformers_folder(out / "vision-bfloat16-bin", drawn(CLIPVisionModel(CLIPVisionConfig(**quick)), 2).to(torch.bfloat16), safe_serialization=False)
    transformers_folder(out / "vision-projection-sharded", drawn(CLIPVisionModelWithProjection(CLIPVisionConfig(**VISION, projection_dim=7)), 3), max_shard_size="6KB")
    open_clip_files(out)
