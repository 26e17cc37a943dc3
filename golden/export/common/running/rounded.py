"""A torch dispatch mode that rounds the result of every op to a format of lower precision."""

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_map_only


class Rounded(TorchDispatchMode):
    """Rounds the floating-point results of every op, forward and backward, to a format. The ops themselves compute in the
    type of their operands: sums are not rounded term by term, and a LayerNorm or softmax is one op, as in PyTorch's kernels."""

    def __init__(self, dtype):
        super().__init__()
        self.dtype = dtype

    def __torch_dispatch__(self, func, types, args=(), kwargs=None):
        out = func(*args, **(kwargs or {}))
        if not func.is_view:
            tree_map_only(torch.Tensor, self.round, out)
        return out

    def round(self, value):
        if value.is_floating_point():
            rounded = value.to(self.dtype).to(value.dtype)
            rounded[value == -torch.finfo(value.dtype).max] = -torch.finfo(self.dtype).max  # the releases' fill value
            if not torch.equal(rounded, value):
                value.copy_(rounded)
