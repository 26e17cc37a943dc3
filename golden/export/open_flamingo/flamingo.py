"""Flamingo of a release, with a language model and an image encoder that the case names, and the outputs of a case.

The sizes that the package fixes (64 latents, 8 heads of 64, six layers of the resampler) are those of the case, where it has them:
`perceiver` and `cross_attn`. `cached` reads the text in passes as the package's `generate` does, with the images encoded once."""

import contextlib
import functools

from . import released  # first: see there

import transformers  # isort: skip

from ..transformers import models
from . import vision

transformers.logging.set_verbosity_error()  # a call without a padding token is meant
LANGUAGE = {"languagePackage": "transformers@4.57.6"}  # a field of case.json's `source`
OWN = ("perceiver", "cross_attn", "cached", "generate")
SECOND_NAMES = ("lang_encoder.old_decoder_blocks.", "lang_encoder.gated_cross_attn_layers.")


def without_second_names(module, state, prefix, metadata):
    """Every tensor of a layer has two names in the package's state dict; the cases have those below the layers."""
    for name in [name for name in state if name.startswith(SECOND_NAMES)]:
        del state[name]


@contextlib.contextmanager
def sized(package, config):
    """The release's gated layers with the sizes of the case."""
    block = package.flamingo_lm.GatedCrossAttentionBlock
    package.flamingo_lm.GatedCrossAttentionBlock = functools.partial(block, **config.get("cross_attn", {}))
    try:
        yield
    finally:
        package.flamingo_lm.GatedCrossAttentionBlock = block


def build(package, config):
    own = {name: value for name, value in config.items() if name not in OWN}
    lang_encoder = models.build(own.pop("lang_encoder"))
    layers = released.layers_of(lang_encoder)
    package.utils.extend_instance(lang_encoder, package.flamingo_lm.FlamingoLMMixin)
    lang_encoder.set_decoder_layers_attr_name(layers)
    with sized(package, config):
        model = package.flamingo.Flamingo(**{**own, "vision_encoder": vision.Encoder(own["vision_encoder"]), "lang_encoder": lang_encoder})
    if "perceiver" in config:
        model.perceiver = package.helpers.PerceiverResampler(dim=config["vis_dim"], **config["perceiver"])
    model.register_state_dict_post_hook(without_second_names)
    model.case = config
    return model.eval()


def call(model, vision_x, lang_x, attention_mask, labels=None):
    """The outputs of a case by name."""
    config, mask = model.case, attention_mask.long()
    with models.upcast(model), vision.separate_products():
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
    model.lang_encoder._use_cached_vision_x = True  # 0.1.1 has no such attribute, and no effect of it
    model._encode_vision_x(vision_x=vision_x)
    try:
        return models.in_passes(model.lang_encoder, lang_x, mask, **cached)
    finally:
        model.lang_encoder.clear_conditioned_layers()
        model.lang_encoder._use_cached_vision_x = False
