"""Cases of preprocessing: an image of bytes h w c, the bytes after each step, and the result. They have no weights."""

import json
import platform
import warnings

import numpy as np
import torch
from PIL import Image

from ..common import files
from ..common.cases.manifest import GENERATOR, SCHEMA
from ..common.running import noise
from ..pillow.source import pixels_of

NO_HALF = "images are preprocessed in integers and in float32"


def picture(pixels):
    """The Pillow image of samples h w c."""
    return Image.fromarray(pixels[..., 0] if pixels.shape[-1] == 1 else pixels)


def samples(image):
    """The bytes of a Pillow image or an array, h w c."""
    pixels = np.asarray(image)
    return torch.from_numpy(pixels.reshape(*pixels.shape[:2], -1).copy())


def steps_of(transform, image):
    """(result, bytes after each transform that gives an image) of a torchvision Compose."""
    after = []
    for one in transform.transforms:
        image = one(image)
        if isinstance(image, Image.Image):
            after.append(samples(image))
    return image, after


def with_default(dtype, function):
    """The result with `dtype` as torch's default, which ToTensor divides in."""
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        return function()
    finally:
        torch.set_default_dtype(before)


def tolerance(expected, single):
    """Bytes are compared exactly. The noise of floats is that of the package's own float32 run, at least four roundings."""
    found = {}
    for name, value in expected.items():
        floats = value.is_floating_point()
        found[f"outputs.{name}"] = noise.rounded_up(max(noise.FLOOR, noise.worst(single[name].double().numpy(), value.numpy()))) if floats else 0
    return {"policy": "noise", "K": 8, "noise": found, "bfloat16": NO_HALF, "float16": NO_HALF}


def make(request, stem, source, entry, run):
    """Writes one case. `run` gives the outputs of a Pillow image by name, in a dtype."""
    name = f"{stem}--{entry['id']}"
    if not request.wants(name):
        return
    out = request.out / name
    out.mkdir(parents=True, exist_ok=True)
    config = entry.get("config", {})
    pixels, recipe = pixels_of(entry["seed"], entry["inputs"]["image"])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, single = (run(config, picture(pixels), dtype) for dtype in (torch.float64, torch.float32))
    manifest = {"schema": SCHEMA, "id": name, "title": entry["title"], "level": "preprocess"}
    manifest |= {"source": source | {"python": ".".join(platform.python_version_tuple()[:2])}}
    manifest |= {"profile": f"{source['package']}@{source['version']}", "config": config, "call": {"image": "image"}}
    manifest["inputs"] = {"image": {"dtype": "U8", "shape": list(pixels.shape), "axes": "h w c"}}
    manifest |= {"weights": {}, "ties": {}, "seed": entry["seed"], "generator": GENERATOR, "recipes": {"inputs.image": recipe}}
    manifest |= {"outputs": list(expected), "taps": [], "grads": [], "flags": [], "rules": entry["rules"]}
    manifest |= {"ship": bool(entry.get("ship")), "tolerance": tolerance(expected, single)}
    files.write_tensors(out / "inputs.safetensors", {"inputs.image": torch.from_numpy(pixels)})
    files.write_tensors(out / "expected.safetensors", {f"outputs.{key}": value for key, value in expected.items()})
    files.write_json(out / "case.json", manifest)


def read(path):
    return json.loads(path.read_text())


def ids(source):
    """The ids of all cases of a source whose case files are named after its classes, as manifests hold them."""
    for path in sorted((source.folder / "cases").glob("*.json")):
        for entry in read(path)["cases"]:
            yield {"id": f"{source.package}/{path.stem.removesuffix('-full')}--{entry['id']}"}
