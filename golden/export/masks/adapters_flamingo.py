"""Adapters: flamingo-pytorch, OpenFlamingo, flamingo-mini and Otter. Each runs the package's own layer; what stands here
only builds it, gives it inputs and, for cached passes, a language model of identity layers to sit in."""

import importlib
import importlib.machinery
import sys
import types
from pathlib import Path

import torch
from torch import nn

from effects import DIM, LATENTS, VISUAL

IMAGE = 1
HEADS = dict(dim_head=4, heads=2)


def bare_package(name, folder):
    """Makes `name` importable without running its __init__, which imports far more than the layer needs."""
    module = types.ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


class Dummies(types.ModuleType):
    """A module that the layer's file imports and the layer never uses: every name in it is an empty class."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (nn.Module,), {})


def dummies(*names):
    for name in names:
        sys.modules[name] = Dummies(name)
        sys.modules[name].__path__ = []
        sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)


def randomised(module, seed=3):
    """Weights large enough that every effect is seen; gates away from zero."""
    generator = torch.Generator().manual_seed(seed)
    module.double().eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) * 0.4)
    return module


def set_gates(attention, feed_forward):
    def set_(feed):
        with torch.no_grad():
            attention.fill_(0.7)
            feed_forward.fill_(0.6 if feed else 0.0)

    return set_


class FlamingoPytorch:
    def __init__(self, folder, options):
        sys.path.insert(0, str(folder))
        layer = importlib.import_module("flamingo_pytorch.flamingo_pytorch")
        assert Path(layer.__file__).is_relative_to(folder), layer.__file__
        self.block = randomised(layer.GatedCrossAttentionBlock(dim=DIM, **HEADS, **options))
        self.gates = set_gates(self.block.attn_gate, self.block.ff_gate)

    def full(self, kinds, x, media, feed):
        self.gates(feed)
        wide = torch.nn.functional.pad(media, (0, DIM - VISUAL))  # this package knows one width
        return self.block(x, wide, media_locations=kinds == IMAGE)


class Layered(nn.Module):
    """A language model whose layers leave everything as it is: what the mixins of OpenFlamingo and Otter are mixed into."""

    def __init__(self):
        super().__init__()
        self.config = types.SimpleNamespace(hidden_size=DIM)
        self.layers = nn.ModuleList([Same()])
        self.x = None

    def get_decoder(self):
        return self

    def forward(self, input_ids=None, **_):
        x = self.x
        for layer in self.layers:
            x = layer(x, attention_mask=None)
        return x


class Same(nn.Module):
    def forward(self, x, **_):
        return x


class Mixed:
    """A language model with a mixin that counts images from the ids it is given, pass by pass."""

    alone = True  # a step looks at the whole batch's ids

    def __init__(self, mixin, init, options, name="Model"):
        self.model = type(name, (mixin, Layered), {})()
        self.model.set_decoder_layers_attr_name("layers")
        init(self.model)
        layer = self.model.layers[0].gated_cross_attn_layer
        for field, value in options.items():
            setattr(layer.attn, field, value)
        layer.attn.heads, layer.attn.scale = 2, 4**-0.5
        for linear, shape in (("to_q", (8, DIM)), ("to_kv", (16, VISUAL)), ("to_out", (DIM, 8))):
            getattr(layer.attn, linear).weight = nn.Parameter(torch.empty(shape))
        randomised(self.model)
        self.gates = set_gates(layer.attn_gate, layer.ff_gate)

    def begin(self, media, cached):
        self.model.clear_conditioned_layers()
        for layer in self.model.layers:
            layer.condition_vis_x(media)

    def one(self, kinds, x):
        self.model.x = x
        return self.model(input_ids=kinds, attention_mask=None)

    def full(self, kinds, x, media, feed):
        self.gates(feed)
        self.begin(media, False)
        return self.one(kinds, x)

    def passes(self, kinds, x, media, feed, prompt, sizes):
        self.gates(feed)
        self.begin(media, True)
        return torch.cat([self.one(k, part) for k, part in zip(kinds.split(sizes, 1), x.split(sizes, 1))], 1)


def open_flamingo(folder):
    bare_package("open_flamingo", folder / "open_flamingo")
    bare_package("open_flamingo.src", folder / "open_flamingo" / "src")
    return importlib.import_module("open_flamingo.src.flamingo_lm").FlamingoLMMixin


class OpenFlamingo1(Mixed):
    def __init__(self, folder, options):
        init = lambda model: model.init_flamingo(
            media_token_id=IMAGE, vis_hidden_size=VISUAL, cross_attn_every_n_layers=1, use_media_placement_augmentation=False
        )
        super().__init__(open_flamingo(folder), init, options)


class OpenFlamingo2(Mixed):
    def __init__(self, folder, options):
        def init(model):
            more = {}
            names = type(model).init_flamingo.__code__.co_varnames
            if "lang_hidden_size" in names:
                more["lang_hidden_size"] = DIM
            model.init_flamingo(
                media_token_id=IMAGE, vis_hidden_size=VISUAL, cross_attn_every_n_layers=1, gradient_checkpointing=False, **more
            )

        super().__init__(open_flamingo(folder), init, options)

    def begin(self, media, cached):
        super().begin(media, cached)
        self.model._use_cached_vision_x = cached  # what Flamingo.generate and cache_media do


class Otter(Mixed):
    def __init__(self, folder, options):
        bare_package("otter_ai", folder / "otter_ai")
        bare_package("otter_ai.models", folder / "otter_ai" / "models")
        bare_package("otter_ai.models.otter", folder / "otter_ai" / "models" / "otter")
        dummies("accelerate", "accelerate.hooks", "peft", "transformers", "transformers.modeling_outputs")
        dummies("transformers.modeling_utils", "transformers.models", "transformers.models.auto")
        dummies("otter_ai.models.falcon", "otter_ai.models.falcon.modelling_RW", "otter_ai.models.mpt")
        dummies("otter_ai.models.mpt.modeling_mpt", "otter_ai.models.mpt_redpajama", "otter_ai.models.mpt_redpajama.mosaic_gpt")
        dummies("otter_ai.models.otter.configuration_otter")
        mixin = importlib.import_module("otter_ai.models.otter.modeling_otter").OtterLMMixin
        init = lambda model: model.init_otter(
            media_token_id=IMAGE, vis_hidden_size=VISUAL, cross_attn_every_n_layers=1, use_media_placement_augmentation=False
        )
        super().__init__(mixin, init, options, name="LlamaForCausalLM")  # the mixin asks for this name


class FlamingoMini:
    def __init__(self, folder, options):
        bare_package("flamingo_mini", folder / "flamingo_mini")
        if "requests" not in sys.modules:
            dummies("requests")
        layer = importlib.import_module("flamingo_mini.gated_cross_attention")

        class Identity(nn.Module):
            def forward(self, x, use_cache=False, **_):
                return x

        self.block = layer.ModifiedLMBlock(Identity(), dim=DIM, dim_visual=VISUAL, n_visual=LATENTS, **HEADS)
        randomised(self.block)
        inner = self.block.xattn_block
        self.gates = set_gates(inner.alpha_attn, inner.alpha_ffw)

    def full(self, kinds, x, media, feed):
        return self.passes(kinds, x, media, feed, kinds.shape[1], [kinds.shape[1]])

    def passes(self, kinds, x, media, feed, prompt, sizes):
        """As generate and score_sequences call it: the first pass has its own locations, later ones the prompt's."""
        self.gates(feed)
        past, out, located = None, [], (kinds == IMAGE).long()
        for i, part in enumerate(x.split(sizes, 1)):
            self.block.condition(media, located[:, : sizes[0] if i == 0 else prompt], past)
            out.append(self.block(part, use_cache=True))
            past = self.block.kv_output
        return torch.cat(out, 1)
