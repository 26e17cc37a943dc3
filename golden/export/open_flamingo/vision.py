"""The image encoders of cases: open_clip's own tower, and a stand-in of one projection.

Flamingo takes a CLIP model whose `visual` returns the pooled output and the tokens of the patches."""

import contextlib

import torch
from einops import rearrange
from open_clip.transformer import QuickGELU, VisionTransformer
from torch import nn
from torch.nn.attention import SDPBackend, sdpa_kernel

ACTIVATIONS = {"quick_gelu": QuickGELU, "gelu": nn.GELU}
AFTER_POOL = {"raw": True, "ln_post": False}  # whether the last norm runs on the pooled output alone
torch.backends.mha.set_fastpath_enabled(False)  # one op for a whole layer, whose noise in half precision has no roundings (FORMAT.md §6)


class PatchTokens(nn.Module):
    """One token for each patch: a projection of its pixels. Returns what open_clip's tower returns, the pooled output and the tokens."""

    def __init__(self, patch_size, channels, width):
        super().__init__()
        self.patch_size = patch_size
        self.proj = nn.Linear(channels * patch_size**2, width, bias=False)

    def forward(self, x):
        size = self.patch_size
        tokens = self.proj(rearrange(x, "b c (h p) (w q) -> b (h w) (c p q)", p=size, q=size))
        return tokens.mean(1), tokens


def tower(act, tokens, **sizes):
    """open_clip's VisionTransformer with its tokens before (`raw`) or after (`ln_post`) the last norm."""
    kind = {"act_layer": ACTIVATIONS[act], "final_ln_after_pool": AFTER_POOL[tokens]}
    return VisionTransformer(**sizes, **kind, output_tokens=True)


CLASSES = {"PatchTokens": PatchTokens, "VisionTransformer": tower}


class Encoder(nn.Module):
    """A CLIP model of which only the image tower is there."""

    def __init__(self, config):
        super().__init__()
        config = dict(config)
        self.visual = CLASSES[config.pop("class")](**config)


@contextlib.contextmanager
def separate_products():
    """Attention of the tower is computed with separate products and a softmax: a fused kernel is one op, whose noise in half precision
    has no roundings of scores and attention (FORMAT.md §6)."""
    with sdpa_kernel(SDPBackend.MATH):
        yield
