"""open_clip: its image tower, and its preprocessing for evaluation."""

import importlib.metadata

from torch.nn.attention import SDPBackend, sdpa_kernel

from ..common.cases import flags as common
from ..common.cases.manifest import identity
from ..common.cases.source import CaseSource
from ..common.values import recipes
from . import full, preprocessing, released

PREPROCESSING, FULL = "image-transform.json", "vision-transformer-full.json"


def weight_recipe(key, shape, nth):
    """Matrices of any name get the recipe of a weight; a kernel counts all of its inputs."""
    if key.endswith(("in_proj_weight", "conv1.weight", "patch_embedding.weight")):
        fan = 1
        for n in shape[1:]:
            fan *= n
        return recipes.weight_recipe("weight", [shape[0], fan], nth)
    if key.endswith("in_proj_bias"):
        return recipes.weight_recipe("bias", shape, nth)
    if key.split(".")[-1] == "proj":
        return recipes.weight_recipe("weight", shape[::-1], nth)
    return recipes.weight_recipe(key, shape, nth)


def tower_flags(case, inputs, sizes):
    """What a case of a tower exercises: its activation, which tokens, and more than one block of a kernel."""
    (patch, width, layers), (_, channels, height, breadth) = sizes, inputs.shape
    down, across = (patch, patch) if isinstance(patch, int) else patch
    tokens = (height // down) * (breadth // across) + 1
    found = common.size_flags(tokens, tokens, max(width, channels * down * across)) | common.depth_flags(layers)
    found |= {"Remainder"} if height % down or breadth % across else set()
    found |= {"NotSquare"} if down != across or height != breadth else set()
    return found | ({"Gradients"} if case.get("grads") else set())


class OpenClip(CaseSource):
    package, profile = "open-clip", "open-clip@3.3.0"
    classes = {"VisionTransformer": released.VisionTransformer}
    levels = {"VisionTransformer": "model"}

    def versions(self):
        version = lambda name: importlib.metadata.version(name).split("+")[0]
        return version("open_clip_torch"), version("torch"), {}

    def build(self, kind, config):
        return released.tower(config)

    def call(self, module, kind, arguments, positional):
        with sdpa_kernel(SDPBackend.MATH):
            pooled, tokens = module(**arguments)
        return {"tokens": tokens, "pooled": pooled}

    def weight_recipe(self, key, shape, nth):
        return weight_recipe(key, shape, nth)

    def flags(self, case, inputs, weights, expected):
        config = case["config"]
        found = set(case.get("flags", [])) | tower_flags(case, inputs["x"], [config[name] for name in ("patch_size", "width", "layers")])
        found.add("QuickGelu" if config.get("act") == "quick_gelu" else "Gelu")
        found.add("RawTokens" if config.get("tokens") == "raw" else "NormalizedTokens")
        return sorted(found)

    def case_files(self, request):
        return [path for path in super().case_files(request) if path.name not in (PREPROCESSING, FULL)]

    def export(self, request):
        super().export(request)
        if request.files is not None:
            return []
        for entry in preprocessing.read(self.folder / "cases" / FULL)["cases"]:
            if request.wants(identity(self, "VisionTransformer", entry), True):
                full.make(self, "VisionTransformer", entry, request.out, request.keep)
        version, torch, _ = self.versions()
        spec = preprocessing.read(self.folder / "cases" / PREPROCESSING)
        source = {"package": self.package, "version": version, "class": spec["class"], "torch": torch}
        for entry in spec["cases"]:
            preprocessing.make(request, f"{self.package}/image-transform", source, entry, transformed)
        return []

    def finish(self, out, made):
        """Cases that no longer exist are removed, except those that are made after this."""
        super().finish(out, [*made, *preprocessing.ids(self)])


def transformed(config, image, dtype):
    """resized, cropped and pixel_values: what image_transform's own steps make, one after the other."""
    transform = released.image_transform(**{"is_train": False, **config})
    pixels, (resized, cropped, *_) = preprocessing.with_default(dtype, lambda: preprocessing.steps_of(transform, image))
    return {"resized": resized, "cropped": cropped, "pixel_values": pixels}


SOURCE = OpenClip(__file__)
