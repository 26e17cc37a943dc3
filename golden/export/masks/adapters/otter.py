"""Otter's language model mixin."""

from ..effects import VISUAL
from .mixed import Mixed, placement
from .support import IMAGE, bare_package, dummies, released


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
        module = released("otter_ai.models.otter.modeling_otter", folder)
        augmented, rest = placement(module, options)
        init = lambda model: model.init_otter(
            media_token_id=IMAGE, vis_hidden_size=VISUAL, cross_attn_every_n_layers=1, use_media_placement_augmentation=augmented
        )
        super().__init__(module.OtterLMMixin, init, rest, name="LlamaForCausalLM")  # the mixin looks for this name
