"""Records the named activations (taps) of an unmodified module with forward hooks and a TorchFunctionMode.

A source's table of taps has two parts. `modules` lists, for each class, the torch functions whose n-th call inside its
forward pass is recorded, and the tap's name; calls inside a child that is not in the table (a Linear, a Softmax) count as
calls of the nearest ancestor that is. `sequentials` lists children whose outputs are recorded, as patterns of paths."""

import fnmatch

import torch
from torch.overrides import TorchFunctionMode


def tapped(root, table):
    """path -> functions to record, for every module of which anything is recorded."""
    found = {}
    for path, module in root.named_modules():
        kind = type(module).__name__
        if kind in table["modules"]:
            found[path] = table["modules"][kind]
        for pattern in table["sequentials"].get(kind, []):
            for child, _ in module.named_modules():
                if fnmatch.fnmatchcase(child, pattern) and child.count(".") == pattern.count("."):
                    found[f"{path}.{child}" if path else child] = {}
    return found


class Recorder(TorchFunctionMode):
    """`precision` is the dtype whose -finfo.max the release fills masked scores with; by default that of the tensor."""

    def __init__(self, root, table, precision=None):
        super().__init__()
        self.precision = precision
        self.taps = {}
        self.frames = []
        self.entered = {}
        self.hooks = []
        modules = dict(root.named_modules())
        for path, functions in tapped(root, table).items():
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
        if value.is_floating_point():
            value[value <= -torch.finfo(self.precision or value.dtype).max] = -torch.inf  # in place of the source's fill value
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
