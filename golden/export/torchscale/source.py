"""torchscale: xPos and the relative position bias, which Kosmos-1 and other models of this library use."""

import torch
from torchscale.component.relative_position_bias import RelativePositionBias
from torchscale.component.xpos_relative_position import XPOS

from ..common.cases.source import CaseSource
from . import flags


class Torchscale(CaseSource):
    package, profile = "torchscale", "torchscale@0.3.0"
    classes = {"XPOS": XPOS, "RelativePositionBias": RelativePositionBias}
    names = {"XPOS": "xpos"}

    def call(self, module, kind, arguments, positional):
        plain = {name: value if value.is_floating_point() else int(value) for name, value in arguments.items()}
        if kind == "XPOS":
            if "downscale" in plain:
                plain["downscale"] = bool(plain["downscale"])
            return module(**plain)
        return {"out": module(**plain), "bucket": buckets(module, **plain)}

    def weight_recipe(self, key, shape, nth):
        """XPOS computes the buffer `scale`; it is stored as it is computed."""
        return {"file": True} if key == "scale" else super().weight_recipe(key, shape, nth)

    def flags(self, case, inputs, weights, expected):
        return flags.flags(case, inputs)


def buckets(module, batch_size, qlen, klen, step=0):
    """The buckets that compute_bias looks up, from the release's own function."""
    distance = torch.arange(klen)[None] - torch.arange(step, step + qlen)[:, None]
    options = {"bidirectional": module.bidirectional, "num_buckets": module.num_buckets, "max_distance": module.max_distance}
    return module._relative_position_bucket(distance, **options)


SOURCE = Torchscale(__file__)
