"""Small pictures in every mode that Pillow opens PNG and JPEG files in, and the bytes that both packages make of them; and digests of what they make of
images of many sizes."""

import hashlib
import json

from ..open_clip import released  # first: it prepares the torchvision that the others import

import numpy as np  # noqa: E402
import torch  # noqa: E402
from PIL import Image  # noqa: E402

from ..common import files  # noqa: E402
from ..common.values.recipes import DATA  # noqa: E402
from ..open_clip import preprocessing  # noqa: E402
from ..transformers_clip.source import processed  # noqa: E402

SIDE = 24
SIZES = [(1, 1), (1, 2), (2, 1), (1, 300), (300, 1), (3, 3), (3, 40), (5, 7), (7, 5), (16, 16), (16, 17), (17, 16), (16, 47), (49, 16), (23, 24), (24, 23),
         (31, 95), (97, 33), (64, 48), (48, 64), (100, 60), (61, 101), (2, 255), (240, 3), (128, 127), (127, 128), (200, 50), (51, 203), (90, 90), (33, 99)]
TARGETS = (16, 5, 31)


def pixels_of(height, width):
    """Bytes of the generator of Park and Miller (Communications of the ACM 31, 1988), which any language computes exactly."""
    state, found = 1 + 1000 * height + width, []
    for _ in range(3 * height * width):
        state = state * 16807 % 2147483647
        found.append(state % 256)
    return np.array(found, np.uint8).reshape(height, width, 3)


def gradient(width, height, step):
    return Image.fromarray(np.fromfunction(lambda y, x: (step * (x + 2 * y)) % 256, (height, width)).astype(np.uint8))


def pictures():
    """(name, picture, options of `save`): of the photograph in golden/data, cut so that its sides are odd."""
    photograph = Image.open(DATA / "cat-64.png").convert("RGB").crop((0, 3, 61, 50))
    grey = photograph.convert("L")
    alpha = gradient(61, 47, 5)
    transparent = photograph.copy()
    transparent.putalpha(alpha)
    grey_alpha = Image.merge("LA", (grey, alpha))
    yield "rgb.png", photograph, {}
    yield "rgb.jpg", photograph, {"quality": 90}
    yield "grey.png", grey, {}
    yield "grey.jpg", grey, {"quality": 90}
    yield "inks.jpg", photograph.convert("CMYK"), {"quality": 95}
    yield "palette.png", photograph.quantize(40), {}
    yield "palette-transparent.png", photograph.quantize(40), {"transparency": 3}
    yield "one-bit.png", grey.convert("1"), {}
    yield "alpha.png", transparent, {}
    yield "grey-alpha.png", grey_alpha, {}
    yield "transparent-colour.png", photograph, {"transparency": photograph.getpixel((5, 5))}
    yield "transparent-grey.png", grey, {"transparency": grey.getpixel((5, 5))}
    yield "alpha-same-size.png", transparent.crop((0, 0, SIDE, SIDE)), {}


def by_open_clip(image, side):
    """The bytes after the crop, in RGB."""
    transform = released.image_transform(side, is_train=False)
    after = preprocessing.steps_of(transform, image)[1]
    return after[-1]  # MaybeConvertMode


def by_transformers(image, side):
    config = {"size": side, "crop_size": side, "do_rescale": False, "do_normalize": False}
    return processed(config, image, torch.float64)["pixel_values"].permute(1, 2, 0).to(torch.uint8).contiguous()


def digest(pixels):
    return hashlib.sha256(pixels.numpy().tobytes()).hexdigest()


def digests():
    for height, width in SIZES:
        image = Image.fromarray(pixels_of(height, width))
        for side in TARGETS:
            yield {"height": height, "width": width, "side": side, "openClip": digest(by_open_clip(image, side)), "clip": digest(by_transformers(image, side))}


def export(out):
    out.mkdir(parents=True, exist_ok=True)
    expected = {}
    for name, picture, options in pictures():
        picture.save(out / name, **options)
        for package, function in (("open-clip", by_open_clip), ("clip", by_transformers)):
            with Image.open(out / name) as image:
                expected[f"{package}.{name}"] = function(image, SIDE)
    files.write_tensors(out / "expected.safetensors", expected)
    lines = ",\n".join(json.dumps(one) for one in digests())
    (out / "sizes.json").write_text(f"[\n{lines}\n]\n")
