"""Modules that the repository imports and no case needs: plots, and initialisers, whose values the cases replace."""

import sys
import types


def unchanged(tensor, *_, **__):
    """In place of an initialiser."""
    return tensor


def install():
    layers = types.ModuleType("timm.models.layers")
    for name in ("lecun_normal_", "trunc_normal_", "variance_scaling_"):
        setattr(layers, name, unchanged)
    layers.to_2tuple = tuple
    modules = {"timm": types.ModuleType("timm"), "timm.models": types.ModuleType("timm.models"), "timm.models.layers": layers}
    plots, animation = types.ModuleType("matplotlib.pyplot"), types.ModuleType("matplotlib.animation")
    animation.ArtistAnimation = None
    modules |= {"matplotlib": types.ModuleType("matplotlib"), "matplotlib.pyplot": plots, "matplotlib.animation": animation}
    for name, module in modules.items():
        sys.modules.setdefault(name, module)
