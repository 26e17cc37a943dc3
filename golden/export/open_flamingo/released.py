"""The package's modules, and what has to be there before they are imported.

The package imports open_clip and with it torchvision, of whose compiled part nothing here runs; without the libraries of a graphics
card it is not loaded, and then torchvision misses the declarations of operators that it describes."""

import types

import torch

declared = torch.library.Library("torchvision", "FRAGMENT")
for name in ("nms", "qnms"):
    if not hasattr(torch.ops.torchvision, name):
        declared.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
from open_flamingo.src import factory, flamingo, flamingo_lm, helpers, utils  # noqa: E402

PACKAGE = types.SimpleNamespace(flamingo=flamingo, flamingo_lm=flamingo_lm, helpers=helpers, utils=utils)


def layers_of(model):
    """The attribute that holds a language model's layers, which the package knows by the name of the class."""
    return factory._infer_decoder_layers_attr_name(model)
