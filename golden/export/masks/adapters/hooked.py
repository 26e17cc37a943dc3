"""Adapters of whole models: a hook records the input and the output of the cross-attention layer."""

import os

import torch

from ..effects import DIM
from .support import released

END = 2
IDS = 64  # ids reserved for each text, so that every position of both texts has its own embedding


def distinct(mask):
    """Computes the mask of each distinct prompt once, because the packages compute masks in loops over tokens."""

    def made(self, kinds, images):
        rows, which = kinds.unique(dim=0, return_inverse=True)
        return mask(self, rows, images)[which]

    return made


class Hooked:
    """Runs a model and records what its one cross-attention layer adds to x."""

    def watch(self, layer):
        self.seen = []

        def hook(_, args, kwargs, out):
            before = args[0] if args else kwargs["hidden_states"]
            self.seen.append((out[0] if isinstance(out, tuple) else out) - before)

        layer.register_forward_hook(hook, with_kwargs=True)

    def taken(self, x):
        """x plus what the layer added; the input of the layer itself may differ from x by a self-attention before it."""
        added, self.seen[:] = torch.cat(self.seen, 1), []
        return x + added

    def ids_of(self, x):
        """Ids whose embeddings are set to the rows of x; prompts share a few texts."""
        b, length, _ = x.shape
        texts, which = x.reshape(b, -1).unique(dim=0, return_inverse=True)
        with torch.no_grad():
            for t, text in enumerate(texts.reshape(-1, length, DIM)):
                self.embedding.weight[t * IDS : t * IDS + length] = text
        return which[:, None] * IDS + torch.arange(length)

    def generated(self, x, ids, first, **inputs):
        """Runs the package's own generate, forced to choose the tokens of `ids`."""
        from transformers import GenerationConfig, LogitsProcessor, LogitsProcessorList

        class Forced(LogitsProcessor):
            def __call__(self, input_ids, scores):
                at = min(input_ids.shape[1], ids.shape[1] - 1)
                out = torch.full_like(scores, -torch.inf)
                out[torch.arange(len(ids)), ids[:, at]] = 0
                return out

        config = GenerationConfig(max_new_tokens=ids.shape[1] - first + 1, do_sample=False, use_cache=True, eos_token_id=None, pad_token_id=0)
        self.model.generate(
            ids[:, :first], generation_config=config, logits_processor=LogitsProcessorList([Forced()]),
            attention_mask=torch.ones(ids.shape[0], first, dtype=torch.long), **inputs,
        )
        return self.taken(x)


def quiet_transformers(folder):
    """transformers, checked to be the release in `folder`, without network access and warnings."""
    os.environ["HF_HUB_OFFLINE"] = "1"
    transformers = released("transformers", folder)
    transformers.logging.set_verbosity_error()
