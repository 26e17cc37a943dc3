"""Modules that the package and torchscale import and no case needs: memory savings of fairscale, stochastic depth of timm, bitsandbytes.

The Embedding of bitsandbytes looks rows up as torch's does; it also asks its optimisers for states in 32 bits."""

import sys
import types

import torch


def module(name, **members):
    found = types.ModuleType(name)
    vars(found).update(members)
    return sys.modules.setdefault(name, found)


def install():
    module("fairscale")
    module("fairscale.nn", checkpoint_wrapper=None, wrap=None)
    module("timm")
    module("timm.models")
    module("timm.models.layers", drop_path=None)
    modules = module("bitsandbytes.nn.modules", Embedding=torch.nn.Embedding)
    nn = module("bitsandbytes.nn", modules=modules)
    module("bitsandbytes", nn=nn)
