"""Watches a module run without touching it: forward hooks for module outputs, a TorchFunctionMode for the rest.

taps.json says what is kept: for a class, the n-th call of a torch function inside its forward and the tap's name.
Calls inside an untapped child (a Linear, a Softmax) count as the nearest tapped ancestor's."""

import fnmatch
import json
from pathlib import Path

import torch
from torch.overrides import TorchFunctionMode

TABLE = json.loads((Path(__file__).parent / "taps.json").read_text())


def tapped(root):
    """path -> functions to keep, for every module whose output or inside is tapped."""
    found = {}
    for path, module in root.named_modules():
        kind = type(module).__name__
        if kind in TABLE["modules"]:
            found[path] = TABLE["modules"][kind]
        for pattern in TABLE["sequentials"].get(kind, []):
            for child, _ in module.named_modules():
                if fnmatch.fnmatchcase(child, pattern) and child.count(".") == pattern.count("."):
                    found[f"{path}.{child}" if path else child] = {}
    return found


class Recorder(TorchFunctionMode):
    def __init__(self, root):
        super().__init__()
        self.taps = {}
        self.frames = []
        self.entered = {}
        self.hooks = []
        modules = dict(root.named_modules())
        for path, functions in tapped(root).items():
            self.hooks.append(modules[path].register_forward_pre_hook(self.enter(path, functions)))
            self.hooks.append(modules[path].register_forward_hook(self.leave))

    def enter(self, path, functions):
        def hook(module, args):
            self.entered[path] = self.entered.get(path, 0) + 1
            again = f"@{self.entered[path]}" if self.entered[path] > 1 else ""
            self.frames.append({"path": path, "again": again, "functions": functions, "counts": {}})

        return hook

    def leave(self, module, args, output):
        frame = self.frames.pop()
        if frame["path"]:
            self.keep(frame["path"] + frame["again"], output)

    def keep(self, name, value):
        value = value.detach().clone()
        value[value <= -torch.finfo(value.dtype).max] = -torch.inf  # the source's fill, independent of the precision
        self.taps.pop(name, None)
        self.taps[name] = value

    def __torch_function__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if self.frames:
            frame, called = self.frames[-1], func.__name__.strip("_")
            if called in frame["functions"]:
                nth = frame["counts"][called] = frame["counts"].get(called, 0) + 1
                name = frame["functions"][called].get(str(nth))
                if name:
                    self.keep(".".join(filter(None, [frame["path"], name])) + frame["again"], out)
        return out

    def close(self):
        for hook in self.hooks:
            hook.remove()
