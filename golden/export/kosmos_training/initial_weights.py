"""What the released classes draw: statistics and quantiles of their initial weights."""

import json
import math

import bitsandbytes
import torch

from ..kosmosx.released import Decoder, DecoderConfig, PositionalEmbedding
from torchscale.component.embedding import TextEmbedding
from torchscale.component.multihead_attention import MultiheadAttention

NAME = "magneto-initial-weights.json"
WIDTH, INNER, LAYERS, WORDS, ROWS = 64, 96, 3, 300, 70
QUANTILES = torch.linspace(0.05, 0.95, 19, dtype=torch.float64)
SIZES = {"decoder_embed_dim": WIDTH, "decoder_ffn_embed_dim": INNER, "decoder_attention_heads": 4, "decoder_layers": LAYERS, "vocab_size": WORDS}
OPTIONS = {
    "sub-ln": {},
    "multiway": {"multiway": True},
    "pre-ln": {"subln": False},
    "deepnorm": {"deepnorm": True, "subln": False, "decoder_normalize_before": False},
    "bert, sub-ln": {"bert_init": True, "rel_pos_buckets": 32, "max_rel_pos": 50},
}


def statistics(values):
    """Of all values that are not 0: their number, the deviation from 0, the largest magnitude, and 19 quantiles; and how many are 0."""
    values = values.detach().double().flatten()
    drawn = values[values != 0]
    found = {"zeros": int((values == 0).sum()), "values": drawn.numel()}
    if drawn.numel() == 0:
        return found
    rounded = lambda x: float(f"{float(x):.9g}")
    return found | {
        "deviation": rounded(drawn.square().mean().sqrt()),
        "largest": rounded(drawn.abs().max()),
        "quantiles": [rounded(x) for x in torch.quantile(drawn, QUANTILES)],
    }


def decoder(options):
    """The whole decoder. Layers have one distribution, so that their tensors are put together."""
    tables = {"embed_tokens": TextEmbedding(WORDS, WIDTH, padding_idx=3), "embed_positions": PositionalEmbedding(ROWS, WIDTH, 1)}
    model = Decoder(DecoderConfig(**SIZES, **options), **tables)
    groups = {}
    for name, parameter in model.named_parameters():
        if "norm" in name or name.endswith("inner_attn_ln.weight") or "_ln." in name:
            continue
        parts = name.split(".")
        groups.setdefault(".".join(part for part in parts if not part.isdigit()), []).append(parameter.detach().flatten())
    return {name: statistics(torch.cat(tensors)) for name, tensors in groups.items()}


def attention():
    """`reset_parameters`, which no line of the package calls."""
    made = MultiheadAttention(DecoderConfig(**SIZES), WIDTH, 4, self_attention=True)
    made.reset_parameters()
    return {name: statistics(one) for name, one in made.named_parameters()}


def papers():
    """torch's own Xavier initialisation with the gains of the papers."""
    drawn = lambda gain: statistics(torch.nn.init.xavier_normal_(torch.empty(INNER, WIDTH), gain=gain))
    return {"1": drawn(1.0), "sub-ln": drawn(math.sqrt(math.log(2 * LAYERS))), "deepnorm": drawn((8 * LAYERS) ** -0.25)}


def write(path):
    found = {}
    torch.manual_seed(16)
    for name, options in OPTIONS.items():
        found[name] = decoder(options)
    found["reset_parameters"] = attention()
    found["papers"] = papers()
    found["bitsandbytes"] = {"weight": statistics(bitsandbytes.nn.modules.Embedding(WORDS, WIDTH, padding_idx=1).weight)}
    sizes = {"width": WIDTH, "inner": INNER, "layers": LAYERS, "words": WORDS, "rows": ROWS}
    lines = [f'  {json.dumps(name)}: {json.dumps(tensors)}' for name, tensors in found.items()]
    path.write_text(f'{{\n "sizes": {json.dumps(sizes)},\n "models": {{\n' + ",\n".join(lines) + "\n }\n}\n")
