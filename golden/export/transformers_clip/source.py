"""transformers: CLIP's image tower and image processor. Their cases have a folder of their own, beside those of the language models."""

import contextlib
import functools
import importlib.metadata

from ..open_clip import released  # noqa: F401 # first: transformers imports the torchvision that this prepares

import numpy as np  # noqa: E402
import torch  # noqa: E402
from transformers import CLIPImageProcessor, CLIPVisionConfig  # noqa: E402
from transformers.models.clip import image_processing_clip  # noqa: E402
from transformers.models.clip.modeling_clip import CLIPVisionTransformer  # noqa: E402

from ..common.cases.source import CaseSource  # noqa: E402
from ..open_clip import preprocessing  # noqa: E402
from ..open_clip.source import tower_flags, weight_recipe  # noqa: E402
from ..transformers.precision import upcast  # noqa: E402

PREPROCESSING = "clip-image-processor.json"


class TransformersClip(CaseSource):
    package, profile = "transformers-clip", "transformers@4.57.6"  # the folder; cases name the package
    classes = {"CLIPVisionTransformer": CLIPVisionTransformer}
    levels = {"CLIPVisionTransformer": "model"}
    names = {"CLIPVisionTransformer": "clip-vision-transformer"}

    def versions(self):
        version = lambda name: importlib.metadata.version(name).split("+")[0]
        return version("transformers"), version("torch"), {"package": "transformers"}

    def build(self, kind, config):
        model = CLIPVisionTransformer(CLIPVisionConfig(**config, attn_implementation="eager")).eval()
        for layer in model.encoder.layers:  # the scores of a query move together: the gradient is 0, whose noise has no relative bound
            layer.self_attn.k_proj.bias.requires_grad_(False)
        return model

    def call(self, module, kind, arguments, positional):
        """The softmax, which the package computes in float32, is computed in float64 where the model is in float64."""
        with upcast(module):
            found = module(**arguments, output_hidden_states=True)
        states = {f"hidden_states.{i}": state for i, state in enumerate(found.hidden_states)}
        return {"last_hidden_state": found.last_hidden_state, "pooler_output": found.pooler_output, **states}

    def weight_recipe(self, key, shape, nth):
        return weight_recipe(key, shape, nth)

    def flags(self, case, inputs, weights, expected):
        config = CLIPVisionConfig(**case["config"])
        found = set(case.get("flags", [])) | tower_flags(case, inputs["pixel_values"], [config.patch_size, config.hidden_size, config.num_hidden_layers])
        return sorted(found | {{"quick_gelu": "QuickGelu", "gelu": "Gelu"}.get(config.hidden_act, "OtherActivation")})

    def case_files(self, request):
        return [path for path in super().case_files(request) if path.name != PREPROCESSING]

    def export(self, request):
        super().export(request)
        if request.files is not None:
            return []
        version, torch, _ = self.versions()
        spec = preprocessing.read(self.folder / "cases" / PREPROCESSING)
        source = {"package": "transformers", "version": version, "class": spec["class"], "torch": torch}
        for entry in spec["cases"]:
            preprocessing.make(request, f"{self.package}/clip-image-processor", source, entry, processed)
        return []

    def finish(self, out, made):
        """Cases that no longer exist are removed, except those that are made after this."""
        super().finish(out, [*made, *preprocessing.ids(self)])


@contextlib.contextmanager
def rescaled_in(dtype):
    """The package rescales to float32, and normalises in the type that this gives; with float64 its result can be compared to 1e-12."""
    saved = CLIPImageProcessor.rescale
    CLIPImageProcessor.rescale = functools.partialmethod(saved, dtype=dtype)
    try:
        yield
    finally:
        CLIPImageProcessor.rescale = saved


@contextlib.contextmanager
def keeping(found):
    """Keeps what the package's resize returns, as `resized`."""
    saved = image_processing_clip.resize

    def kept(*arguments, **options):
        image = saved(*arguments, **options)
        found["resized"] = preprocessing.samples(image)
        return image

    image_processing_clip.resize = kept
    try:
        yield
    finally:
        image_processing_clip.resize = saved


def processed(config, image, dtype):
    """resized and pixel_values, of CLIPImageProcessor on a Pillow image."""
    found = {"resized": preprocessing.samples(image.convert("RGB"))}
    with rescaled_in(np.float64 if dtype == torch.float64 else np.float32), keeping(found):
        pixels = CLIPImageProcessor(**config)(image, return_tensors="np", input_data_format="channels_last")["pixel_values"][0]
    pixels = torch.from_numpy(np.ascontiguousarray(pixels))
    return found | {"pixel_values": pixels.to(dtype)}


SOURCE = TransformersClip(__file__)
