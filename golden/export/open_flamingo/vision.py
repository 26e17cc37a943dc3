"""The image encoder that cases name in place of open_clip's."""

from einops import rearrange
from torch import nn


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


class Encoder:
    """A CLIP model as Flamingo takes it: it keeps the image tower, `visual`, alone."""

    def __init__(self, config):
        config = dict(config)
        assert config.pop("class") == "PatchTokens"
        self.visual = PatchTokens(**config)
