"""A torch function mode in which every product is summed strictly in sequence, in the forward and the backward pass, as a plain loop would."""

import torch
from torch.overrides import TorchFunctionMode

TILE = 1 << 17  # output elements computed at a time, so that the running sums stay in the processor's cache


def summed_in_sequence(a, b):
    """a [batch, m, k] · b [batch, k, n]: each product is rounded, then added to the running sum in ascending order of k."""
    b, out = b.contiguous(), a.new_zeros(a.shape[0], a.shape[1], b.shape[2])
    rows = max(1, TILE // max(1, a.shape[0] * b.shape[2]))
    for start in range(0, a.shape[1], rows):
        tile, left = out[:, start : start + rows], a[:, start : start + rows]
        for k in range(a.shape[2]):
            tile += left[:, :, k : k + 1] * b[:, k : k + 1, :]
    return out


class Product(torch.autograd.Function):
    @staticmethod
    def forward(ctx, a, b):
        ctx.save_for_backward(a, b)
        return summed_in_sequence(a, b)

    @staticmethod
    def backward(ctx, g):
        a, b = ctx.saved_tensors
        return summed_in_sequence(g, b.transpose(1, 2)), summed_in_sequence(a.transpose(1, 2), g)


def einsum(equation, x, y):
    """An einsum of two operands. Letters are grouped into batch (in both), m (in x only), n (in y only) and k (summed)."""
    ins, out = equation.replace(" ", "").split("->")
    left, right = ins.split(",")
    if "..." in out:
        dots = "".join(chr(ord("A") + i) for i in range(x.ndim - len(left.replace("...", ""))))
        left, right, out = (part.replace("...", dots) for part in (left, right, out))
    size = dict(zip(left, x.shape)) | dict(zip(right, y.shape))
    batch = [a for a in left if a in right and a in out]
    m, n = [a for a in left if a not in right], [a for a in right if a not in left]
    k = [a for a in left if a in right and a not in out]
    span = lambda letters: int(torch.tensor([size[a] for a in letters]).prod()) if letters else 1
    x = x.permute([left.index(a) for a in batch + m + k]).reshape(span(batch), span(m), span(k))
    y = y.permute([right.index(a) for a in batch + k + n]).reshape(span(batch), span(k), span(n))
    product = Product.apply(x, y).reshape([size[a] for a in batch + m + n])
    return product.permute([(batch + m + n).index(a) for a in out])


def linear(x, weight, bias=None):
    out = Product.apply(x.reshape(1, -1, x.shape[-1]), weight.t()[None])
    out = out.reshape(*x.shape[:-1], weight.shape[0])
    return out if bias is None else out + bias


def matmul(a, b):
    lead = "zyxwvu"[: a.ndim - 2]
    return einsum(f"{lead}ik,{lead}kj->{lead}ij", a, b)


class InSequence(TorchFunctionMode):
    replaced = {"einsum": einsum, "linear": linear, "matmul": matmul}

    def __torch_function__(self, func, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        return self.replaced.get(func.__name__.strip("_"), func)(*args, **kwargs)
