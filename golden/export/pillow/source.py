"""Pillow's resize, and torchvision's transforms on Pillow's images.

torchvision is installed by itself: only its Python code runs here, and its compiled operators are not needed."""

import importlib
import importlib.metadata
import json
import platform
import sys

import numpy as np
import torch
from PIL import Image

from ..common import files
from ..common.cases import compare
from ..common.cases.manifest import GENERATOR, SCHEMA
from ..common.running import noise
from ..common.source import Source
from ..common.values import recipes
from ..masks.install import pip

TORCHVISION = "0.28.0"
NO_HALF = "Pillow and torchvision preprocess images in integers and in float32"


def load_torchvision(packages):
    """torchvision.transforms; declares the two operators that the package registers when it is imported."""
    packages.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(pip(packages / f"torchvision-{TORCHVISION}", f"torchvision=={TORCHVISION}")))
    library = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        library.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    return importlib.import_module("torchvision.transforms"), library


def pixels_of(seed, spec):
    """(values with axes h w c, recipe) of an input: random bytes of a shape, or a picture of golden/data."""
    if "photograph" in spec:
        image = Image.open(recipes.DATA / spec["photograph"]).convert(spec.get("mode", "RGB"))
        pixels = np.asarray(image)
        return pixels.reshape(*pixels.shape[:2], -1).copy(), {"file": True}
    recipe = {"low": 0, "high": 256}
    return recipes.make(seed, "inputs.image", spec["shape"], recipe).astype(np.uint8), recipe


def picture(pixels):
    """The Pillow image of samples h w c."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def samples(result):
    """An image as bytes h w c; a tensor as it is."""
    if isinstance(result, Image.Image):
        pixels = np.asarray(result)
        return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1).copy())
    return result


def resize(config, image, _transforms):
    return image.resize(tuple(config["size"]), Image.Resampling[config["resample"]])


def compose(config, image, transforms):
    def one(spec):
        options = {name: value for name, value in spec.items() if name != "class"}
        if "interpolation" in options:
            options["interpolation"] = transforms.InterpolationMode[options["interpolation"]]
        return getattr(transforms, spec["class"])(**options)

    return transforms.Compose([one(spec) for spec in config["transforms"]])(image)


CLASSES = {"resize": ("pillow", resize), "Compose": ("torchvision", compose)}


def run(kind, config, pixels, transforms, dtype):
    """The result with `dtype` as torch's default, which ToTensor divides in."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return samples(CLASSES[kind][1](config, picture(pixels), transforms))
    finally:
        torch.set_default_dtype(before)


def tolerance(expected, single):
    """Bytes are compared exactly. The noise of floats is that of torchvision's own float32 run, at least four roundings."""
    found = {"policy": "noise", "K": 8}
    if not expected.is_floating_point():
        return found | {"noise": {"outputs.out": 0}, "bfloat16": NO_HALF, "float16": NO_HALF}
    measured = max(noise.FLOOR, noise.worst(single.double().numpy(), expected.numpy()))
    return found | {"noise": {"outputs.out": float(f"{measured:.2e}")}, "bfloat16": NO_HALF, "float16": NO_HALF}


class Images(Source):
    def export(self, request):
        transforms, _library = load_torchvision(request.packages)
        for path in request.files or sorted((self.folder / "cases").glob("*.json")):
            spec = json.loads(path.read_text())
            for entry in spec["cases"]:
                package = CLASSES[spec["class"]][0]
                name = f"{package}/{spec['class'].lower()}--{entry['id']}"
                if request.wants(name):
                    make(name, package, spec["class"], entry, transforms, request.out)
        return []

    def compare(self, committed, fresh, request):
        return [check for package, _ in CLASSES.values() for check in compare.cases(committed, fresh, package, request.complete)]


def make(name, package, kind, entry, transforms, out):
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    config = entry.get("config", {})
    pixels, recipe = pixels_of(entry["seed"], entry["inputs"]["image"])
    expected = run(kind, config, pixels, transforms, torch.float64)
    single = run(kind, config, pixels, transforms, torch.float32)
    version = importlib.metadata.version
    source = {"package": package, "version": {"pillow": version("pillow"), "torchvision": TORCHVISION}[package], "class": kind}
    source |= {"torch": version("torch").split("+")[0], "python": ".".join(platform.python_version_tuple()[:2])}
    manifest = {"schema": SCHEMA, "id": name, "title": entry["title"], "level": "preprocess", "source": source}
    manifest |= {"profile": f"{package}@{source['version']}", "config": config, "call": {"image": "image"}}
    manifest["inputs"] = {"image": {"dtype": "U8", "shape": list(pixels.shape), "axes": "h w c"}}
    manifest |= {"weights": {}, "ties": {}, "seed": entry["seed"], "generator": GENERATOR, "recipes": {"inputs.image": recipe}}
    manifest |= {"outputs": ["out"], "taps": [], "grads": [], "flags": [], "rules": entry["rules"]}
    manifest |= {"ship": bool(entry.get("ship")), "tolerance": tolerance(expected, single)}
    files.write_tensors(folder / "inputs.safetensors", {"inputs.image": torch.from_numpy(pixels)})
    files.write_tensors(folder / "expected.safetensors", {"outputs.out": expected})
    files.write_json(folder / "case.json", manifest)


SOURCE = Images(__file__)
