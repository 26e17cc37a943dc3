"""What a case of the vision transformer exercises, computed from its own tensors."""

from ..common.cases import flags as common
from . import classes


def pair(size):
    return tuple(size) if isinstance(size, list) else (size, size)


def image_flags(vit, height, width):
    """The grid of patches, and images smaller than the model is for."""
    (tall, wide), (high, broad) = pair(vit["image_size"]), pair(vit["patch_size"])
    found = {"NotSquareGrid"} if tall // high != wide // broad else set()
    return found | ({"SmallerImage"} if height < tall or width < wide else set())


def encoder_flags(config, height, width):
    vit = config.get("vit", config)
    tokens = (height // pair(vit["patch_size"])[0]) * (width // pair(vit["patch_size"])[1]) + (vit.get("pool", "cls") == "cls")
    values = vit.get("channels", 3) * pair(vit["patch_size"])[0] * pair(vit["patch_size"])[1]
    found = image_flags(vit, height, width) | common.size_flags(tokens, tokens, values) | common.depth_flags(vit["depth"])
    found |= common.option_flags(classes.ViT, {name: value for name, value in vit.items() if name != "class"})
    if vit.get("heads") == 1 and vit.get("dim_head") == vit["dim"]:
        found.add("NoOutputProjection")
    if vit.get("dropout") or vit.get("emb_dropout"):
        found.add("DropoutInEval")
    if isinstance(vit["image_size"], list):
        found.add("NotSquare")
    if vit["num_classes"] == 0:
        found.add("NoClasses")
    return found


def flags(case, inputs, weights, expected):
    found = set(case.get("flags", []))
    if case.get("raises"):
        return sorted(found | {"Raises"})
    found |= common.head_flags(case["config"]) | encoder_flags(case["config"], *inputs["img"].shape[-2:])
    found |= common.common_flags(case, weights, common.recorded(expected))
    return sorted(found)
