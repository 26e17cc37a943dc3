"""kosmosx: the whole model of Kosmos-X on torchscale's decoder, transformers' CLIP and flamingo-pytorch's resampler, and its optimiser."""

from unittest import mock

from . import released  # first: see there

from ..common.cases.source import CaseSource  # isort: skip
from ..common.source import Check, same_bytes
from ..common.values import recipes
from . import model, optimizer, state_dicts, texts
from .flags import flags


class Kosmosx(CaseSource):
    package, profile = "kosmosx", "kosmosx@0.3.1"
    classes = {"Kosmos": released.Kosmos, "StableAdamW": released.StableAdamW}
    levels = {"Kosmos": "model"}
    names = {"StableAdamW": "stable-adamw"}

    def export(self, request):
        with mock.patch.object(recipes, "input_recipe", texts.input_recipe):
            return super().export(request)

    def build(self, kind, config):
        if kind == "StableAdamW":
            return optimizer.Steps(**config).eval()
        made = released.kosmos(config).eval()
        made.case = config
        shifts = [made.clip_model, *([] if config["decoder"]["args"].get("xpos_rel_pos") else [made.decoder])]
        for name, parameter in (pair for module in shifts for pair in module.named_parameters()):
            if "k_proj" in name and name.endswith("bias"):
                parameter.requires_grad_(False)  # the scores of a query move together: the gradient is 0, whose noise has no relative bound
        return made

    def call(self, module, kind, arguments, positional):
        return module(**arguments) if kind == "StableAdamW" else model.call(module, **arguments)

    def weight_recipe(self, key, shape, nth):
        """XPOS computes the buffer `scale`; a kernel counts all of its inputs."""
        if key.endswith("xpos.scale"):
            return {"file": True}
        if key.endswith("patch_embedding.weight"):
            return recipes.weight_recipe(key, [shape[0], shape[1] * shape[2] * shape[3]], nth)
        return recipes.weight_recipe(key, shape, nth)

    def flags(self, case, inputs, weights, expected):
        return flags(case, inputs)

    def finish(self, out, made):
        super().finish(out, made)
        state_dicts.write(out.parent / state_dicts.NAME)

    def compare(self, committed, fresh, request):
        checks = super().compare(committed, fresh, request)
        if request.complete:
            same = same_bytes(committed.parent / state_dicts.NAME, fresh.parent / state_dicts.NAME)
            checks.append(Check(state_dicts.NAME, [] if same else ["differs"]))
        return checks


SOURCE = Kosmosx(__file__)
