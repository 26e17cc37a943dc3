"""OpenFlamingo's language model mixin, versions 0.0.2 and 2.0."""

from ..effects import DIM, VISUAL
from .mixed import Mixed, placement
from .support import IMAGE, bare_package, released


def open_flamingo(folder):
    bare_package("open_flamingo", folder / "open_flamingo")
    bare_package("open_flamingo.src", folder / "open_flamingo" / "src")
    return released("open_flamingo.src.flamingo_lm", folder)


class OpenFlamingo1(Mixed):
    def __init__(self, folder, options):
        module = open_flamingo(folder)
        augmented, rest = placement(module, options)
        init = lambda model: model.init_flamingo(
            media_token_id=IMAGE, vis_hidden_size=VISUAL, cross_attn_every_n_layers=1, use_media_placement_augmentation=augmented
        )
        super().__init__(module.FlamingoLMMixin, init, rest)


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

        super().__init__(open_flamingo(folder).FlamingoLMMixin, init, options)

    def begin(self, media, cached):
        super().begin(media, cached)
        self.model._use_cached_vision_x = cached  # what Flamingo.generate and cache_media do
