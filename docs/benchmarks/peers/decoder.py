"""A LLaMA with random weights that decodes with a cache, as `flamboyance bench --only decode` builds it: 32,000 tokens, heads of width
64, feed-forward layers of four times the width. The names of its weights are those of transformers' LlamaForCausalLM."""

import torch
from torch import nn
from torch.nn.functional import scaled_dot_product_attention, silu

TOKENS, HEAD, THETA, EPSILON = 32_000, 64, 10_000.0, 1e-6


def rotated(x, cos, sin):
    first, second = x.chunk(2, -1)
    return x * cos + torch.cat((-second, first), -1) * sin


class Attention(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.heads = max(1, round(width / HEAD))
        self.q_proj, self.k_proj, self.v_proj, self.o_proj = (nn.Linear(width, width, bias=False) for _ in range(4))

    def forward(self, x, cos, sin, keys, values, at):
        """One token; its key and value are written to the cache at position `at`."""
        split = lambda y: y.view(1, 1, self.heads, -1).transpose(1, 2)
        q, k = (rotated(split(project(x)), cos, sin) for project in (self.q_proj, self.k_proj))
        keys[:, :, at : at + 1], values[:, :, at : at + 1] = k, split(self.v_proj(x))
        seen = scaled_dot_product_attention(q, keys[:, :, : at + 1], values[:, :, : at + 1])
        return self.o_proj(seen.transpose(1, 2).reshape(1, 1, -1))


class FeedForward(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.gate_proj, self.up_proj = (nn.Linear(width, 4 * width, bias=False) for _ in range(2))
        self.down_proj = nn.Linear(4 * width, width, bias=False)

    def forward(self, x):
        return self.down_proj(silu(self.gate_proj(x)) * self.up_proj(x))


class Layer(nn.Module):
    def __init__(self, width):
        super().__init__()
        self.self_attn, self.mlp = Attention(width), FeedForward(width)
        self.input_layernorm, self.post_attention_layernorm = (nn.RMSNorm(width, eps=EPSILON) for _ in range(2))

    def forward(self, x, *cached):
        x = x + self.self_attn(self.input_layernorm(x), *cached)
        return x + self.mlp(self.post_attention_layernorm(x))


class Model(nn.Module):
    def __init__(self, layers, width, tokens):
        super().__init__()
        self.embed_tokens = nn.Embedding(tokens, width)
        self.layers = nn.ModuleList(Layer(width) for _ in range(layers))
        self.norm = nn.RMSNorm(width, eps=EPSILON)


class Decoder(nn.Module):
    """`room` is the number of tokens that the cache can hold; the first `cached` of them are arbitrary numbers."""

    def __init__(self, layers, width, cached, room, tokens=TOKENS):
        super().__init__()
        self.model, self.lm_head = Model(layers, width, tokens), nn.Linear(width, tokens, bias=False)
        heads = max(1, round(width / HEAD))
        shape = (2, 1, heads, room, width // heads)
        self.cache = [torch.randn(shape) for _ in range(layers)]
        self.at = cached
        speeds = THETA ** (-torch.arange(0, width // heads, 2).double() / (width // heads))
        angles = torch.outer(torch.arange(room).double(), torch.cat((speeds, speeds)))
        self.cos, self.sin = angles.cos().float(), angles.sin().float()

    def step(self, token):
        """Reads one token; returns the logits of the next one."""
        x = self.model.embed_tokens(torch.tensor([[token]]))
        for layer, (keys, values) in zip(self.model.layers, self.cache):
            x = layer(x, self.cos[self.at], self.sin[self.at], keys, values, self.at)
        self.at += 1
        return self.lm_head(self.model.norm(x))[0, 0]
