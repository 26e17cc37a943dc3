"""Modules that torchscale imports and no case needs: wrappers of fairscale that save memory while training, and timm's drop_path, which does
nothing in evaluation mode."""

import sys
import types


def as_is(module, *_, **__):
    """In place of a wrapper."""
    return module


def drop_path(x, drop_prob=0.0, training=False):
    assert not training, "cases are run in evaluation mode"
    return x


def install():
    fairscale, layers = types.ModuleType("fairscale.nn"), types.ModuleType("timm.models.layers")
    fairscale.checkpoint_wrapper = fairscale.wrap = as_is
    layers.drop_path = drop_path
    modules = {"fairscale": types.ModuleType("fairscale"), "fairscale.nn": fairscale}
    modules |= {"timm": types.ModuleType("timm"), "timm.models": types.ModuleType("timm.models"), "timm.models.layers": layers}
    for name, module in modules.items():
        sys.modules.setdefault(name, module)
