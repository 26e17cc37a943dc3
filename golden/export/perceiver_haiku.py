"""golden/data/perceiver-haiku.pickle: the parameters of a small language model as DeepMind's code names them, for
spec/models/perceiver-io/59-checkpoints.spec.ts.

    python golden/export/perceiver_haiku.py golden/data/perceiver-haiku.pickle     # numpy 2.4.6

The modules and the shapes are those that `load_haiku_params` of JOBR0/PerceiverIO_Pytorch reads at commit 0a2a7c3. A number is a function of the
parameter's position in the file and of its own position in the parameter (`fill`)."""

import pickle
import sys
from pathlib import Path

import numpy as np

VOCABULARY, LENGTH, WIDTH, LATENTS, CHANNELS, QK = 9, 5, 8, 2, 16, 256
PRIME = 65521


def fill(nth, shape):
    i = np.arange(np.prod(shape), dtype=np.int64)
    return ((((i * i + nth * i) % PRIME * 7919 + nth * 104729) % PRIME) / PRIME - 0.5).astype(np.float32).reshape(shape)


def linear(name, inputs, outputs):
    return {name: {"w": (inputs, outputs), "b": (outputs,)}}


def attention(name, q, kv, value, norms):
    parts = [linear(f"{name}/attention/linear", q, QK), linear(f"{name}/attention/linear_1", kv, QK)]
    parts += [linear(f"{name}/attention/linear_2", kv, value), linear(f"{name}/attention/linear_3", value, q)]
    parts += [linear(f"{name}/mlp/linear", q, q), linear(f"{name}/mlp/linear_1", q, q)]
    parts += [{f"{name}/layer_norm{'_' * (i > 0)}{i or ''}": {"scale": (n,), "offset": (n,)}} for i, n in enumerate(norms)]
    return {key: shapes for part in parts for key, shapes in part.items()}


SHAPES = {
    "embed": {"embeddings": (VOCABULARY, WIDTH)},
    "trainable_position_encoding": {"pos_embs": (LENGTH, WIDTH)},
    "perceiver_encoder/~/trainable_position_encoding": {"pos_embs": (LATENTS, CHANNELS)},
    **attention("perceiver_encoder/~/cross_attention", CHANNELS, WIDTH, CHANNELS, [CHANNELS, WIDTH, CHANNELS]),
    **attention("perceiver_encoder/~/self_attention", CHANNELS, CHANNELS, CHANNELS, [CHANNELS, CHANNELS]),
    **attention("perceiver_encoder/~/self_attention_1", CHANNELS, CHANNELS, CHANNELS, [CHANNELS, CHANNELS]),
    "basic_decoder/~/trainable_position_encoding": {"pos_embs": (LENGTH, WIDTH)},
    **attention("basic_decoder/cross_attention", WIDTH, CHANNELS, WIDTH, [WIDTH, CHANNELS, WIDTH]),
    "embedding_decoder": {"bias": (VOCABULARY,)},
}
nth, parameters = 0, {}
for module, shapes in SHAPES.items():
    parameters[module] = {}
    for name, shape in shapes.items():
        nth += 1
        parameters[module][name] = fill(nth, shape)
Path(sys.argv[1]).write_bytes(pickle.dumps(parameters, protocol=4))
