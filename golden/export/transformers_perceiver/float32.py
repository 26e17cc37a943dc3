"""Fourier features are in float32 whatever the precision of a case, as in the package, with the nearest float32 numbers to sines and cosines: torch's own
depend on the processor. Modes that measure noise do not change them: the noise of a precision is that of the network."""

import contextlib

import torch
from torch.utils._python_dispatch import _disable_current_modes
from transformers.models.perceiver import modeling_perceiver as perceiver

encode = perceiver.generate_fourier_features
positions = perceiver.build_linear_positions
running = {"dtype": torch.float64}


@contextlib.contextmanager
def default_dtype(dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


@contextlib.contextmanager
def case(dtype):
    """New tensors have the type of the case where that is a half precision, and otherwise float32, as in the package."""
    running["dtype"] = dtype
    with default_dtype(dtype if dtype in (torch.bfloat16, torch.float16) else torch.float32):
        yield


class NearestSines:
    """torch, with sines and cosines of float32 tensors that are computed in float64 and rounded."""

    def __getattr__(self, name):
        found = getattr(torch, name)
        return (lambda x: found(x.double()).float()) if name in ("sin", "cos") else found


@contextlib.contextmanager
def outside_modes():
    with torch._C.DisableTorchFunction(), _disable_current_modes(), default_dtype(torch.float32):
        yield


def features(pos, num_bands, max_resolution=(224, 224), concat_pos=True, sine_only=False):
    with outside_modes():
        perceiver.torch = NearestSines()
        try:
            return encode(pos.float(), num_bands, max_resolution, concat_pos, sine_only).to(running["dtype"])
        finally:
            perceiver.torch = torch


def linear(index_dims, output_range=(-1.0, 1.0)):
    with outside_modes():
        return positions(index_dims, output_range)


def install():
    perceiver.generate_fourier_features = features
    perceiver.build_linear_positions = linear
