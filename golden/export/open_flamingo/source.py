"""open-flamingo: the released Flamingo, with a language model of transformers and an image encoder that the case names.

The sizes that the package fixes (64 latents, 8 heads of 64, six layers of the resampler) are those of the case: `perceiver` and `cross_attn`.
`cached` reads the text in passes as the package's `generate` does, with the images encoded once."""

import functools
import sys
import types

from ..common.cases.source import CaseSource
from ..transformers import models
from . import vision

sys.modules["open_clip"] = types.ModuleType("open_clip")  # the package's factory imports it, and no case calls the factory
from open_flamingo.src import flamingo_lm  # noqa: E402
from open_flamingo.src.flamingo import Flamingo  # noqa: E402
from open_flamingo.src.helpers import GatedCrossAttentionBlock, PerceiverResampler  # noqa: E402
from open_flamingo.src.utils import extend_instance  # noqa: E402

LAYERS = {"LlamaForCausalLM": "model.layers"}
SECOND_NAMES = ("lang_encoder.old_decoder_blocks.", "lang_encoder.gated_cross_attn_layers.")


def without_second_names(module, state, prefix, metadata):
    """Every tensor of a layer has two names in the package's state dict; the cases have those below the layers."""
    for name in [name for name in state if name.startswith(SECOND_NAMES)]:
        del state[name]


class OpenFlamingo(CaseSource):
    package, profile = "open-flamingo", "open-flamingo@2.0.1"
    classes = {"Flamingo": Flamingo}
    levels = {"Flamingo": "model"}

    def versions(self):
        version, torch, _ = super().versions()
        return version, torch, {"languagePackage": "transformers@4.57.6"}

    def build(self, kind, config):
        own = {name: value for name, value in config.items() if name not in ("perceiver", "cross_attn", "cached", "generate")}
        language = own.pop("lang_encoder")
        lang_encoder = models.build(language)
        extend_instance(lang_encoder, flamingo_lm.FlamingoLMMixin)
        lang_encoder.set_decoder_layers_attr_name(LAYERS[language["class"]])
        flamingo_lm.GatedCrossAttentionBlock = functools.partial(GatedCrossAttentionBlock, **config.get("cross_attn", {}))
        try:
            model = Flamingo(**{**own, "vision_encoder": vision.Encoder(own["vision_encoder"]), "lang_encoder": lang_encoder})
        finally:
            flamingo_lm.GatedCrossAttentionBlock = GatedCrossAttentionBlock
        model.perceiver = PerceiverResampler(dim=config["vis_dim"], **config.get("perceiver", {}))
        model.register_state_dict_post_hook(without_second_names)
        model.case = config
        return model.eval()

    def call(self, module, kind, arguments, positional):
        return outputs(module, module.case, **arguments)


def outputs(model, config, vision_x, lang_x, attention_mask, labels=None):
    mask = attention_mask.long()
    with models.upcast(model):
        if "generate" in config:
            settings = {"do_sample": False, **config["generate"]}
            return {"sequences": model.generate(vision_x, lang_x, attention_mask=mask, **settings)}
        result = model(vision_x, lang_x, attention_mask=mask, labels=labels)
        found = {"logits": models.zeroed(result.logits, mask)}
        if labels is not None:
            found["loss"] = result.loss
        if "cached" in config:
            found |= in_passes(model, vision_x, lang_x, mask, config["cached"])
    return found


def in_passes(model, vision_x, lang_x, mask, cached):
    """As `generate` calls the language model: media are cached, and image tokens of a pass are looked for in that pass alone."""
    model.lang_encoder._use_cached_vision_x = True
    model._encode_vision_x(vision_x=vision_x)
    try:
        return models.in_passes(model.lang_encoder, lang_x, mask, **cached)
    finally:
        model.lang_encoder.clear_conditioned_layers()
        model.lang_encoder._use_cached_vision_x = False


SOURCE = OpenFlamingo(__file__)
