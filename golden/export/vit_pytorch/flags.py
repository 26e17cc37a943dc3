"""What a case of the vision transformer exercises, computed from its own tensors."""

from ..common.cases import flags as common


def encoder_flags(config):
    vit, found = config.get("vit", config), set()
    if vit.get("heads") == 1 and vit.get("dim_head") == vit["dim"]:
        found.add("NoOutputProjection")
    if vit.get("dropout") or vit.get("emb_dropout"):
        found.add("DropoutInEval")
    if isinstance(vit["image_size"], list):
        found.add("NotSquare")
    return found


def flags(case, inputs, weights, expected):
    found = set(case.get("flags", []))
    if case.get("raises"):
        return sorted(found | {"Raises"})
    found |= common.head_flags(case["config"]) | encoder_flags(case["config"])
    found |= common.common_flags(case, weights, common.recorded(expected))
    return sorted(found)
