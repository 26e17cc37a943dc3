"""transformers: the Perceiver models, built from a case's config. A case names the package transformers; its folder is one of its own."""

import importlib.metadata

from ..open_clip import released  # noqa: F401 # first: transformers imports the torchvision that this prepares

from transformers import PerceiverConfig  # noqa: E402
from transformers.models.perceiver import modeling_perceiver as perceiver  # noqa: E402

from ..common.cases.source import CaseSource  # noqa: E402
from . import float32  # noqa: E402

float32.install()

IMAGES = [f"PerceiverForImageClassification{name}" for name in ("Learned", "Fourier", "ConvProcessing")]
CLASSES = ["PerceiverForMaskedLM", *IMAGES, "PerceiverForOpticalFlow", "PerceiverForMultimodalAutoencoding"]


class Perceiver(CaseSource):
    package, profile = "transformers-perceiver", "transformers@4.57.6"
    classes = {name: getattr(perceiver, name) for name in CLASSES}
    levels = {name: "model" for name in CLASSES}
    names = {"PerceiverForMaskedLM": "masked-lm"} | {
        name: f"classification-{kind}" for name, kind in zip(IMAGES, ("learned", "fourier", "conv-processing"), strict=True)
    }
    names |= {"PerceiverForOpticalFlow": "optical-flow", "PerceiverForMultimodalAutoencoding": "multimodal-autoencoding"}

    def versions(self):
        version = lambda name: importlib.metadata.version(name).split("+")[0]
        return version("transformers"), version("torch"), {"package": "transformers"}

    def build(self, kind, config):
        model = self.classes[kind](PerceiverConfig(**config)).eval()
        for name, parameter in model.named_parameters():
            if name.endswith("self.key.bias"):
                parameter.requires_grad_(False)  # its gradient is 0, whose noise has no relative bound
        return model

    def call(self, module, kind, arguments, positional):
        nested, given = {}, dict(arguments)
        for name in [name for name in given if "." in name]:
            first, rest = name.split(".", 1)
            nested.setdefault(first, {})[rest] = given.pop(name)
        if "subsampled_output_points" in nested:
            nested["subsampled_output_points"]["label"] = None
        if "attention_mask" in given:
            given["attention_mask"] = given["attention_mask"].to(module.dtype)
        with float32.case(module.dtype):
            logits = module(**given, **nested).logits
        return logits if isinstance(logits, dict) else {"logits": logits}

    def weight_recipe(self, key, shape, nth):
        if key.endswith("running_var"):
            return {"mean": 1, "exponent": -8, "bits": 8}  # 0.5 to 1.5: a variance is positive
        if key.endswith("num_batches_tracked"):
            return {"low": 3, "high": 4}  # an integer
        if key.endswith("convnet.conv.weight"):
            return {"mean": 0, "exponent": -10, "bits": 8}  # 49 pixels of each channel
        return super().weight_recipe(key, shape, nth)


SOURCE = Perceiver(__file__)
