"""What several adapters need. An adapter runs a package's own layer: it builds the layer, gives it inputs and, for cached
passes, puts it into a language model of identity layers."""

import importlib
import importlib.machinery
import sys
import types
from pathlib import Path

import torch
from torch import nn

IMAGE = 1
HEADS = dict(dim_head=4, heads=2)


def released(name, folder):
    """Imports a module and checks that it is the one in `folder`, not another release of the same package."""
    module = importlib.import_module(name)
    assert Path(module.__file__).resolve().is_relative_to(folder), module.__file__
    return module


def bare_package(name, folder):
    """Makes `name` importable without running its __init__, which imports far more than the layer needs."""
    module = types.ModuleType(name)
    module.__path__ = [str(folder)]
    sys.modules[name] = module


class Dummies(types.ModuleType):
    """Replaces a module that the layer's file imports but the layer does not use: every name in it is an empty class."""

    def __getattr__(self, name):
        if name.startswith("__"):
            raise AttributeError(name)
        return type(name, (nn.Module,), {})


def dummies(*names):
    for name in names:
        sys.modules[name] = Dummies(name)
        sys.modules[name].__path__ = []
        sys.modules[name].__spec__ = importlib.machinery.ModuleSpec(name, None)


def randomised(module, seed=3):
    """The module in float64 with random weights, large enough for every effect to be measurable."""
    generator = torch.Generator().manual_seed(seed)
    module.double().eval()
    with torch.no_grad():
        for weight in module.parameters():
            weight.copy_(torch.randn(weight.shape, generator=generator, dtype=torch.float64) * 0.4)
    return module


def set_gates(attention, feed_forward):
    def set_(feed):
        with torch.no_grad():
            attention.fill_(0.7)
            feed_forward.fill_(0.6 if feed else 0.0)

    return set_
