"""Position encodings of transformers, as modules without parameters: the released functions and classes, on the inputs of a case.

They compute in float32 whatever the type of the model, and so do these cases. torch's float32 sines and cosines depend on the processor, and are one
unit in the last place off in one of twenty; here they are the nearest float32 numbers (`nearest_sines`)."""

import torch
from transformers import GPTNeoXConfig
from transformers.models.gpt_neox import modeling_gpt_neox as neox
from transformers.models.gptj import modeling_gptj as gptj
from transformers.models.mpt.modeling_mpt import build_mpt_alibi_tensor
from transformers.models.perceiver.modeling_perceiver import PerceiverFourierPositionEncoding

from .precision import nearest_sines


class NeoXRotary(torch.nn.Module):
    """GPT-NeoX rotates a part of each head, by halves; x: b h l k."""

    def __init__(self, head_dim, rotary_pct=0.25, rotary_emb_base=10000):
        super().__init__()
        settings = {"hidden_size": head_dim, "num_attention_heads": 1, "rotary_pct": rotary_pct, "rotary_emb_base": rotary_emb_base}
        self.rotary = [neox.GPTNeoXRotaryEmbedding(GPTNeoXConfig(**settings))]  # a list, so that no buffer is converted

    def forward(self, x, position_ids):
        cos, sin = self.rotary[0](x, position_ids)
        return neox.apply_rotary_pos_emb(x, x, cos, sin)[0]


class GPTJRotary(torch.nn.Module):
    """GPT-J rotates neighbours of the first `rotary_dim` dimensions; x: b l h k."""

    def __init__(self, rotary_dim, max_positions):
        super().__init__()
        self.rotary_dim, self.max_positions = rotary_dim, max_positions

    def forward(self, x, position_ids):
        table = gptj.create_sinusoidal_positions(self.max_positions, self.rotary_dim)
        sin, cos = torch.split(table[position_ids].to(x.dtype), self.rotary_dim // 2, dim=-1)
        rotated = gptj.apply_rotary_pos_emb(x[..., : self.rotary_dim], sin, cos)
        return torch.cat([rotated, x[..., self.rotary_dim :]], dim=-1)


class MptAlibi(torch.nn.Module):
    def __init__(self, num_heads, alibi_bias_max=8):
        super().__init__()
        self.num_heads, self.alibi_bias_max = num_heads, alibi_bias_max

    def forward(self, sequence_length):
        return build_mpt_alibi_tensor(self.num_heads, int(sequence_length), self.alibi_bias_max)


class Fourier(torch.nn.Module):
    def __init__(self, num_bands, max_resolution, concat_pos=True, sine_only=False):
        super().__init__()
        self.encoding = PerceiverFourierPositionEncoding(num_bands, tuple(max_resolution), concat_pos, sine_only)

    def forward(self, index_dims):
        return self.encoding([int(n) for n in index_dims], 1, torch.device("cpu"), torch.float32)


CLASSES = {
    "GPTNeoXRotaryEmbedding": NeoXRotary,
    "GPTJRotaryEmbedding": GPTJRotary,
    "MptAlibi": MptAlibi,
    "PerceiverFourierPositionEncoding": Fourier,
}


def call(module, arguments):
    with nearest_sines():
        return module(**arguments)
