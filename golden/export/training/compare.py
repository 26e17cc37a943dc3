"""The format of a training case, and its comparison with one that was exported before."""

from ..common import files

SCHEMA = "flamboyance-training/1"
TOLERANCE = 1e-11


def differences(old, new):
    """The differences between two folders: manifests and inputs must be equal, expected values within the tolerance."""
    manifest = "training.json"
    if not all((folder / manifest).exists() for folder in (old, new)) or (old / manifest).read_text() != (new / manifest).read_text():
        yield f"{manifest} differs"
    for part, within in (("inputs.safetensors", 0), ("expected.safetensors", TOLERANCE)):
        x, y = (files.read_tensors(folder / part) for folder in (old, new))
        if x.keys() != y.keys() or not all(close(x[name], y[name], within) for name in x):
            yield f"{part} differs"


def close(x, y, within):
    if x.shape != y.shape or x.dtype != y.dtype:
        return False
    return x.numel() == 0 or bool((x.double() - y.double()).abs().max() <= within * x.double().abs().max())
