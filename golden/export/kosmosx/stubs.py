"""bitsandbytes, whose Embedding looks rows up as torch's does. It also asks bitsandbytes' optimisers for states in 32 bits."""

import sys
import types

import torch


def install():
    modules = types.ModuleType("bitsandbytes.nn.modules")
    modules.Embedding = torch.nn.Embedding
    nn, package = types.ModuleType("bitsandbytes.nn"), types.ModuleType("bitsandbytes")
    nn.modules, package.nn = modules, nn
    for module in (modules, nn, package):
        sys.modules.setdefault(module.__name__, module)
