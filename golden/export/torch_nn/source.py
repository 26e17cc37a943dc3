"""PyTorch's own layers, which language models and image encoders are made of."""

from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.nn.functional import scaled_dot_product_attention

from ..common.cases.source import CaseSource
from . import flags

ATTENTION = "scaled_dot_product_attention"


class Attention(nn.Module):
    """torch's function as a module without parameters. It computes with separate products and a softmax: in a fused kernel, which is
    one op, the noise of half precision would be without the roundings of scores and attention (FORMAT.md §6)."""

    def __init__(self, scale=None):
        super().__init__()
        self.scale = scale

    def forward(self, query, key, value, attn_mask=None):
        with sdpa_kernel(SDPBackend.MATH):
            return scaled_dot_product_attention(query, key, value, attn_mask=attn_mask, scale=self.scale)


NAMES = ["LayerNorm", "RMSNorm", "Conv2d", "MaxPool2d", "BatchNorm2d", "GELU", "SiLU", "ReLU", "CrossEntropyLoss"]


class TorchNN(CaseSource):
    package, profile = "torch", "torch@2.13.0"
    classes = {name: getattr(nn, name) for name in NAMES} | {ATTENTION: Attention}
    levels = {name: "op" for name in ("GELU", "SiLU", "ReLU", "MaxPool2d")}
    names = {"RMSNorm": "rms-norm", "BatchNorm2d": "batch-norm-2d", "GELU": "gelu", "SiLU": "silu", "ReLU": "relu"}
    names |= {ATTENTION: "attention", "Conv2d": "conv-2d", "MaxPool2d": "max-pool-2d", "CrossEntropyLoss": "cross-entropy"}

    def build(self, kind, config):
        given = {name: tuple(value) if isinstance(value, list) else value for name, value in config.items()}
        return self.classes[kind](**given).eval()

    def weight_recipe(self, key, shape, nth):
        if key == "running_var":
            return {"mean": 1, "exponent": -8, "bits": 8}  # 0.5 to 1.5: a variance is positive
        if key == "num_batches_tracked":
            return {"low": 3, "high": 4}  # an integer
        return super().weight_recipe(key, shape, nth)

    def flags(self, case, inputs, weights, expected):
        return flags.flags(case, inputs, self.classes[case["class"]])


SOURCE = TorchNN(__file__)
