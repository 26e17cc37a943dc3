"""StableAdamW as Kosmos-X trains with it: steps on one tensor with the gradients of a case."""

import contextlib
import io

import torch

from .released import StableAdamW


class Steps(torch.nn.Module):
    def __init__(self, **options):
        super().__init__()
        self.options = {name: tuple(value) if name == "betas" else value for name, value in options.items()}

    def forward(self, p0, **gradients):
        """p1 after the gradient g0, and so on."""
        parameter = torch.nn.Parameter(p0.detach().clone())
        with contextlib.redirect_stdout(io.StringIO()):  # it greets
            optimizer = StableAdamW([parameter], **self.options)
        found = {}
        for i in range(len(gradients)):
            parameter.grad = gradients[f"g{i}"].detach().clone()
            optimizer.step()
            found[f"p{i + 1}"] = parameter.detach().clone()
        return found
