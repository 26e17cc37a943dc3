"""bitsandbytes' AdamW8bit for a model in float64: parameters, gradients and states of the optimiser are in float32, as it needs them."""

import bitsandbytes
import torch

from ..optimizers.source import without_library


class AdamW8bit:
    """Has what a step uses of torch's optimisers. The token embeddings are bitsandbytes' Embedding, which asks for states in 32 bits."""

    def __init__(self, model, **options):
        rows, width = model.embed.weight.shape
        table = bitsandbytes.nn.modules.Embedding(rows, width, padding_idx=model.embed.padding_idx)
        self.pairs = {}
        for name, parameter in model.named_parameters():
            copy = table.weight if name == "embed.weight" else torch.nn.Parameter(torch.empty_like(parameter, dtype=torch.float32))
            copy.data.copy_(parameter.detach())
            assert torch.equal(copy.double(), parameter), f"{name} is not in float32"
            self.pairs[name] = (parameter, copy)
        self.inner = bitsandbytes.optim.AdamW8bit([copy for _, copy in self.pairs.values()], **options)

    @property
    def param_groups(self):
        return self.inner.param_groups

    def step(self):
        for parameter, copy in self.pairs.values():
            copy.grad = None if parameter.grad is None else parameter.grad.float()
        with without_library(True):  # its quantiser in operators of torch, which gives the same bytes on every processor
            self.inner.step()
        with torch.no_grad():
            for parameter, copy in self.pairs.values():
                parameter.copy_(copy)

    def zero_grad(self):
        for parameter, _ in self.pairs.values():
            parameter.grad = None

    def state_of(self, name):
        return self.inner.state.get(self.pairs[name][1], {})
