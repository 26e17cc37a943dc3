"""The released classes of vit-pytorch, and the image encoders that other sources build from them."""

import importlib.machinery
import importlib.util
import sys

from torch import nn


def without_init(name):
    """Makes a package importable without running its __init__. That of vit_pytorch imports every model it has, and with
    them torchvision, which is neither needed nor installed; vit.py and extractor.py are the released files."""
    spec = importlib.machinery.ModuleSpec(name, None, is_package=True)
    spec.submodule_search_locations = list(importlib.util.find_spec(name).submodule_search_locations)
    sys.modules[name] = importlib.util.module_from_spec(spec)


without_init("vit_pytorch")
from vit_pytorch.extractor import Extractor  # noqa: E402
from vit_pytorch.vit import ViT  # noqa: E402


def vit(config):
    return ViT(**{name: tuple(value) if isinstance(value, list) else value for name, value in config.items() if name != "class"})


def encoder(config):
    """The `img_encoder` of a case. `Identity` has no parameters: the release cannot be built without an encoder, though a
    text does not need one."""
    return nn.Identity() if config["class"] == "Identity" else Extractor(vit(config), return_embeddings_only=True)
