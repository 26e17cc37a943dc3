"""vit-pytorch: the vision transformer that flamingo-pytorch's README uses as its image encoder."""

from ..common.cases.source import CaseSource
from . import classes, flags


class VitPytorch(CaseSource):
    package, profile = "vit-pytorch", "flamingo-pytorch@0.1.2"
    classes = {"ViT": classes.ViT, "Extractor": classes.Extractor}
    levels = {"ViT": "model", "Extractor": "model"}
    names = {"ViT": "vit"}

    def build(self, kind, config):
        if kind == "ViT":
            return classes.vit(config).eval()
        return classes.Extractor(**{**config, "vit": classes.vit(config["vit"])}).eval()

    def flags(self, case, inputs, weights, expected):
        return flags.flags(case, inputs, weights, expected)


SOURCE = VitPytorch(__file__)
