"""The preprocessing of the checkpoints that Kosmos takes its image tower from: the means and deviations that open_clip lists for them, and the
pixels that open_clip's image_transform and transformers' CLIPImageProcessor make of a photograph with them."""

import numpy
import open_clip
import torch
from PIL import Image
from transformers import CLIPImageProcessor

from ..common import files
from ..common.source import GOLDEN, Check, Source, same_bytes

FOLDER = "kosmos-images"
CHECKPOINTS = ["laion2b_s32b_b82k", "openai"]
SIZE = 24


def home(cases):
    return cases.parent / "data" / FOLDER


class KosmosImages(Source):
    def export(self, request):
        if not request.wants(FOLDER):
            return []
        out = home(request.out)
        out.mkdir(parents=True, exist_ok=True)
        photograph = Image.open(GOLDEN / "data" / "cat-64.png").convert("RGB")
        presets, tensors = {}, {}
        for name in CHECKPOINTS:
            listed = open_clip.get_pretrained_cfg("ViT-L-14", name)
            mean, std = list(listed["mean"]), list(listed["std"])
            presets[name] = {"mean": mean, "std": std, "interpolation": listed["interpolation"], "resize_mode": listed["resize_mode"]}
            transform = open_clip.image_transform(SIZE, is_train=False, mean=mean, std=std)
            tensors[f"{name}.open_clip"] = transform(photograph).contiguous()
            processor = CLIPImageProcessor(size={"shortest_edge": SIZE}, crop_size=SIZE, image_mean=mean, image_std=std)
            pixels = processor(images=photograph, return_tensors="np").pixel_values[0]
            tensors[f"{name}.transformers"] = torch.from_numpy(numpy.ascontiguousarray(pixels))
        files.write_json(out / "presets.json", {"size": SIZE, "presets": presets})
        files.write_tensors(out / "expected.safetensors", tensors)
        return []

    def compare(self, committed, fresh, request):
        names = [path.name for path in sorted(home(fresh).iterdir())]
        same = {name: same_bytes(home(committed) / name, home(fresh) / name) for name in names}
        return [Check(f"{FOLDER}/{name}", [] if same[name] else ["differs from the file exported afresh"]) for name in names]


SOURCE = KosmosImages(__file__)
