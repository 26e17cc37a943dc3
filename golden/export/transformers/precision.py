"""The precision of a language model's arithmetic: what the package always computes in float32, in float64 where a case needs it."""

import contextlib

import torch

FLOAT32 = torch.float32


@contextlib.contextmanager
def float32_is(dtype):
    """Where the package asks for float32, or for no type at all, it gets `dtype`."""
    saved, default = (torch.float32, torch.float, torch.Tensor.float), torch.get_default_dtype()
    torch.float32 = torch.float = dtype
    torch.Tensor.float = lambda self: self.to(dtype)
    torch.set_default_dtype(dtype)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = saved
        torch.set_default_dtype(default)


def nearest(function):
    def rounded(x):
        return function(x.double()).float() if x.dtype == FLOAT32 else function(x)

    return rounded


@contextlib.contextmanager
def nearest_sines():
    """Sines and cosines of float32 tensors are computed in float64 and rounded: torch's own depend on the processor."""
    owners = [(owner, name, getattr(owner, name)) for owner in (torch, torch.Tensor) for name in ("sin", "cos")]
    for owner, name, function in owners:
        setattr(owner, name, nearest(function))
    try:
        yield
    finally:
        for owner, name, function in owners:
            setattr(owner, name, function)


def upcast(module):
    """The context in which a model in float64 computes everything in float64; for the others none."""
    dtype = next(module.parameters()).dtype
    return float32_is(dtype) if dtype == torch.float64 else contextlib.nullcontext()


def with_precision(rotary, exact):
    """Makes a rotary embedding compute in float32, from frequencies in float32, whatever the type of the model, with the nearest float32 numbers
    to sines and cosines; with `exact` it computes in float64 where the model is in float64."""
    forward, frequencies = rotary.forward, {kind: rotary.inv_freq.to(kind) for kind in (FLOAT32, torch.float64)}

    def in_precision(x, position_ids):
        kind = torch.float64 if exact and x.dtype == torch.float64 else FLOAT32
        with float32_is(kind), nearest_sines():
            rotary.inv_freq = frequencies[kind]
            return forward(x, position_ids)

    rotary.forward = in_precision
