"""What no mode that measures noise may change: masks, and the Fourier features, which are in float32 whatever the precision of a case: the noise of a precision is that of the
network, and its positions are data. torch's float32 sines depend on the processor; here they are the nearest float32 numbers."""

import contextlib

import torch
from perceiver_io import output_queries, perceiver, position_encoding
from torch.utils._python_dispatch import _disable_current_modes

encode = position_encoding.FourierPositionEncoding.forward
unravel = output_queries.unravel_index
outer = perceiver.make_cross_attention_mask
asked = {}  # the outputs of the query that is being made
case = {"dtype": torch.float64}  # the type of the arithmetic around the features


@contextlib.contextmanager
def new_tensors(dtype=None):
    """Tensors that the repository makes have the type of the case where that is a half precision, and otherwise float32."""
    half = dtype is None and case["dtype"] in (torch.bfloat16, torch.float16)
    before = torch.get_default_dtype()
    torch.set_default_dtype(case["dtype"] if half else torch.float32)
    try:
        yield
    finally:
        torch.set_default_dtype(before)


class NearestSines:
    """torch, with sines and cosines of float32 tensors that are computed in float64 and rounded."""

    def __getattr__(self, name):
        found = getattr(torch, name)
        return (lambda x: found(x.double()).float()) if name in ("sin", "cos") else found


def remembering(indices, shape):
    asked["points"] = (indices, shape)
    return unravel(indices, shape)


def in_float32(module, batch_size, pos=None):
    with torch._C.DisableTorchFunction(), _disable_current_modes(), new_tensors(torch.float32):
        points = asked.pop("points", None)
        if points:
            indices, shape = points
            pos = (-1 + 2 * unravel(indices, shape) / torch.tensor(shape)[None, :])[None]
        return encode(module, batch_size, pos if pos is None else pos.float()).to(case["dtype"])


def masks(query_mask, kv_mask):
    with torch._C.DisableTorchFunction():
        return outer(query_mask, kv_mask)


def install():
    position_encoding.torch = NearestSines()
    perceiver.make_cross_attention_mask = masks
    output_queries.unravel_index = remembering
    position_encoding.FourierPositionEncoding.forward = in_float32
