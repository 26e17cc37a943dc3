"""torchscale: its decoder, which Kosmos-1 is built on, the parts of the decoder's layers, xPos and the relative position bias."""

from . import stubs

stubs.install()

import torch  # noqa: E402
from torchscale.component.relative_position_bias import RelativePositionBias  # noqa: E402
from torchscale.component.xpos_relative_position import XPOS  # noqa: E402

from ..common.cases.source import CaseSource  # noqa: E402
from . import decoder, flags  # noqa: E402


def of_config(**config):
    """In place of a class whose options are the members of a DecoderConfig; the flags say which of them vary."""


class Torchscale(CaseSource):
    package, profile = "torchscale", "torchscale@0.3.0"
    classes = {"XPOS": XPOS, "RelativePositionBias": RelativePositionBias} | dict.fromkeys(decoder.CLASSES, of_config)
    levels = {"Decoder": "model"}
    names = {"XPOS": "xpos"}

    def build(self, kind, config):
        return decoder.build(kind, config) if kind in decoder.CLASSES else super().build(kind, config)

    def call(self, module, kind, arguments, positional):
        if kind in decoder.CLASSES:
            return decoder.call(module, kind, arguments)
        plain = {name: value if value.is_floating_point() else int(value) for name, value in arguments.items()}
        if kind == "XPOS":
            if "downscale" in plain:
                plain["downscale"] = bool(plain["downscale"])
            return module(**plain)
        return {"out": module(**plain), "bucket": buckets(module, **plain)}

    def weight_recipe(self, key, shape, nth):
        """XPOS computes the buffer `scale`; it is stored as it is computed."""
        return {"file": True} if key.rsplit(".", 1)[-1] == "scale" else super().weight_recipe(key, shape, nth)

    def flags(self, case, inputs, weights, expected):
        return flags.flags(case, inputs)


def buckets(module, batch_size, qlen, klen, step=0):
    """The buckets that compute_bias looks up, from the release's own function."""
    distance = torch.arange(klen)[None] - torch.arange(step, step + qlen)[:, None]
    options = {"bidirectional": module.bidirectional, "num_buckets": module.num_buckets, "max_distance": module.max_distance}
    return module._relative_position_bucket(distance, **options)


SOURCE = Torchscale(__file__)
