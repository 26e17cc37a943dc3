"""The released classes: open-flamingo's around language models of transformers and llm-foundry, with open_clip's CLIP.

open_clip imports torchvision for its transforms and for a layer of its ResNets, and open-flamingo's training imports wandb; neither is used, and
both have stand-ins. The same code runs with open-flamingo 2.0.1 and 0.0.2, whose src/*.py are those of the tag v0.1.1 of its repository."""

import contextlib
import functools
import importlib.metadata
import io
import sys
import types

import torch
import transformers
from transformers.modeling_utils import no_init_weights

from ..llm_foundry import release


def stand_in(name, **fields):
    module = release.without_code(name)
    vars(module).update(fields)


stand_in("torchvision")
stand_in("torchvision.ops")
stand_in("torchvision.ops.misc", FrozenBatchNorm2d=torch.nn.BatchNorm2d)
stand_in("wandb")
release.without_code("open_clip", importlib.metadata.distribution("open-clip-torch").locate_file("open_clip"))
from open_clip.model import CLIP, CLIPTextCfg, CLIPVisionCfg  # noqa: E402
from open_flamingo.src import flamingo as flamingo_module  # noqa: E402
from open_flamingo.src import flamingo_lm  # noqa: E402
from open_flamingo.src.helpers import GatedCrossAttentionBlock, PerceiverResampler  # noqa: E402
from open_flamingo.src.utils import extend_instance  # noqa: E402

LAYERS = ("model.decoder.layers", "model.layers", "gpt_neox.layers", "transformer.h", "transformer.blocks")
LARGE = {"embed_dim": 768, "vision_cfg": {"image_size": 224, "layers": 24, "width": 1024, "patch_size": 14}, "text_cfg": {"width": 768, "heads": 12, "layers": 12}}


def clip(embed_dim, vision_cfg, text_cfg):
    """CLIP as open_clip builds it from the configurations of its model_configs."""
    return CLIP(embed_dim, CLIPVisionCfg(**vision_cfg), CLIPTextCfg(**text_cfg), quick_gelu=True)


def language_model(kind, config):
    if kind == "MosaicMPTForCausalLM":
        return release.MPTForCausalLM(release.MPTConfig(**config))
    return getattr(transformers, kind)(getattr(transformers, kind.replace("ForCausalLM", "Config"))(**config))


@contextlib.contextmanager
def sized(perceiver, cross_attn):
    """Resampler and gated layers of other sizes than those that the package fixes."""
    flamingo_module.PerceiverResampler = functools.partial(PerceiverResampler, **perceiver)
    flamingo_lm.GatedCrossAttentionBlock = functools.partial(GatedCrossAttentionBlock, **cross_attn)
    try:
        yield
    finally:
        flamingo_module.PerceiverResampler, flamingo_lm.GatedCrossAttentionBlock = PerceiverResampler, GatedCrossAttentionBlock


def flamingo(vision, language, vis_dim, every):
    """As create_model_and_transforms of open_flamingo/src/factory.py does it after both models are loaded."""
    extend_instance(language, flamingo_lm.FlamingoLMMixin)
    language.set_decoder_layers_attr_name(next(path for path in LAYERS if has(language, path)))
    return flamingo_module.Flamingo(vision, language, 1, 2, vis_dim=vis_dim, cross_attn_every_n_layers=every)


def has(model, path):
    try:
        model.get_submodule(path)
    except AttributeError:
        return False
    return True


def freeze(model, freeze_lm_embeddings=False):
    """The last lines of create_model_and_transforms."""
    model.requires_grad_(False)
    model.perceiver.requires_grad_(True)
    model.lang_encoder.gated_cross_attn_layers.requires_grad_(True)
    if not freeze_lm_embeddings:
        model.lang_encoder.get_input_embeddings().requires_grad_(True)
    return model


@contextlib.contextmanager
def on_meta():
    """Nothing is allocated or initialised."""
    with torch.device("meta"), no_init_weights(), contextlib.redirect_stdout(io.StringIO()):
        yield
