"""A torch dispatch mode that rounds the result of every op to a format of lower precision."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


class Rounded(TorchDispatchMode):
    """Rounds the floating-point results of every op, forward and backward, to a format. The ops themselves compute in the
    type of their operands: sums are not rounded term by term, and a LayerNorm or softmax is one op, as in PyTorch's kernels.

    With `scale`, from 1 to 2, a number that the format does not hold is rounded to a number of the format divided by `scale`.
    These are as dense, so that each rounding is as large as in the format, but goes another way: as in an implementation that
    fuses or orders ops differently."""

    def __init__(self, dtype, scale=1.0):
        super().__init__()
        self.dtype, self.scale = dtype, scale

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            tree_map_only(torch.Tensor, self.round, out)
        return out

    def round(self, value):
        if value.is_floating_point():
            nearest = value.to(self.dtype).to(value.dtype)
            largest = torch.finfo(self.dtype).max
            beside = (value * self.scale).to(self.dtype).to(value.dtype) / self.scale
            rounded = torch.where((nearest == value) | (value.abs() > largest / 2), nearest, beside)
            rounded[value == -torch.finfo(value.dtype).max] = -largest  # the releases' fill value
            if not torch.equal(rounded, value):
                value.copy_(rounded)
