"""The released classes, and the parts of a model at the sizes of a case.

The constructor of Kosmos takes no arguments and fixes sizes of two billion parameters, so a case names its parts; the forward passes
are the package's."""

import importlib.metadata
import importlib.util
from unittest import mock

import torch
import transformers.models.clip.modeling_clip as clip  # before the stubs: transformers looks for packages
from transformers import CLIPVisionConfig

from ..torchscale import stubs as torchscale
from . import stubs

torchscale.install()
stubs.install()

from flamingo_pytorch import PerceiverResampler  # noqa: E402
from kosmosx import model as package  # noqa: E402
from torchscale.architecture.config import DecoderConfig  # noqa: E402
from torchscale.architecture.decoder import Decoder  # noqa: E402
from torchscale.component.embedding import PositionalEmbedding  # noqa: E402

from ..torchscale import decoder  # noqa: E402, F401 # positions are computed in float32, as the package does
from ..transformers.precision import upcast  # noqa: E402


def file_of(package, path):
    """A module of an installed package by itself, without what its package imports."""
    place = importlib.metadata.distribution(package).locate_file(path)
    spec = importlib.util.spec_from_file_location(path.replace("/", "_").removesuffix(".py"), place)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


Kosmos, KosmosLanguage = package.Kosmos, package.KosmosLanguage
VERSION = importlib.metadata.version("kosmosx")
StableAdamW = file_of("zetascale", "zeta/optim/stable_adam.py").StableAdamWUnfused


class DecoderOfInputs(Decoder):
    """torchscale's decoder with the change that the README of Kosmos-X asks for: `passed_x` is embedded already."""

    passed = None

    def forward(self, prev_output_tokens, passed_x=None, **options):
        self.passed = passed_x
        try:
            return super().forward(prev_output_tokens, **options)
        finally:
            self.passed = None

    def forward_embedding(self, tokens, *given, **named):
        return (self.passed, None) if self.passed is not None else super().forward_embedding(tokens, *given, **named)


def tower(**sizes):
    return clip.CLIPVisionTransformer(CLIPVisionConfig(**sizes, attn_implementation="eager"))


CLASSES = {"Embedding": torch.nn.Embedding, "PositionalEmbedding": PositionalEmbedding, "CLIPVisionTransformer": tower, "PerceiverResampler": PerceiverResampler}


def part(config, kind=None):
    own = {name: value for name, value in config.items() if name != "class"}
    return CLASSES[kind or config["class"]](**own)


def projection(config):
    return torch.nn.Linear(config["in_features"], config["out_features"], bias=False)


def language(config):
    """The package's constructor, with the changed decoder; a case may have another table of positions, whose rows are as many as the width."""
    own = {name: value for name, value in config.items() if name != "embed_positions"}
    with mock.patch.object(package, "Decoder", DecoderOfInputs):
        model = KosmosLanguage(**own)
    if "embed_positions" in config:
        model.embed_positions = model.decoder.embed_positions = part(config["embed_positions"], "PositionalEmbedding")
    return model


def kosmos(config):
    """The attributes that the constructor sets, in its order."""
    model = Kosmos.__new__(Kosmos)
    torch.nn.Module.__init__(model)
    model.clip_model, model.embed, model.embed_positions = (part(config[name]) for name in ("clip_model", "embed", "embed_positions"))
    model.output_projection = projection(config["output_projection"])
    model.config = DecoderConfig(**config["decoder"]["args"])
    tables = {name: getattr(model, name) for name in ("embed_positions", "output_projection")}
    model.decoder = DecoderOfInputs(model.config, embed_tokens=model.embed, **tables)
    model.perceive = part(config["perceive"])
    model.image_proj = projection(config["image_proj"])
    return model
