"""The weights of SmolLM2's folder: rounding, and the order of the rows of queries and keys."""

import unittest

import numpy
import torch

from golden.export.smollm2.folder.layout import bfloat16, transformers_name, unpermuted

HEADS, DIM, WIDTH = 3, 8, 5


def turned(pairs, position):
    """Rotates pairs of components, [heads, pairs, 2], by the angles position / 100000^(2 i / DIM)."""
    angles = position / 1e5 ** (2 * numpy.arange(DIM // 2) / DIM)
    cos, sin = numpy.cos(angles), numpy.sin(angles)
    return numpy.stack([pairs[..., 0] * cos - pairs[..., 1] * sin, pairs[..., 1] * cos + pairs[..., 0] * sin], -1)


def neighbours(vector):
    return vector.reshape(HEADS, DIM // 2, 2)


def halves(vector):
    return vector.reshape(HEADS, 2, DIM // 2).swapaxes(1, 2)


class Weights(unittest.TestCase):
    def test_attention_is_the_same_with_neighbours_before_and_halves_after(self):
        random = numpy.random.default_rng(1)
        q, k = random.standard_normal((2, HEADS * DIM, WIDTH))
        x, y = random.standard_normal((2, WIDTH))
        before = (turned(neighbours(q @ x), 7) * turned(neighbours(k @ y), 3)).sum((1, 2))
        after = (turned(halves(unpermuted(q, HEADS) @ x), 7) * turned(halves(unpermuted(k, HEADS) @ y), 3)).sum((1, 2))
        numpy.testing.assert_allclose(after, before, rtol=1e-12)

    def test_rows_stay_in_their_head(self):
        rows = numpy.repeat(numpy.arange(HEADS), DIM)[:, None].astype("f4")
        numpy.testing.assert_array_equal(unpermuted(rows, HEADS), rows)

    def test_bfloat16_is_torchs(self):
        values = numpy.random.default_rng(2).standard_normal(10_000).astype("f4")
        ties = (numpy.arange(0x3F800000, 0x3F900000, 0x8000, dtype="u4")).view("f4")  # half of them between two numbers
        for x in (values, ties, -ties, numpy.array([0, -0.0, 1e-40, 3.4e38], "f4")):
            wanted = torch.from_numpy(x).to(torch.bfloat16).view(torch.int16).numpy().view("u2")
            numpy.testing.assert_array_equal(bfloat16(x), wanted)

    def test_a_weight_that_is_not_finite_is_refused(self):
        for x in (numpy.inf, numpy.nan):
            with self.assertRaisesRegex(ValueError, "not finite"):
                bfloat16(numpy.array([1, x], "f4"))

    def test_names(self):
        self.assertEqual(transformers_name("blk.12.attn_output.weight"), "model.layers.12.self_attn.o_proj.weight")
        self.assertEqual(transformers_name("blk.0.ffn_norm.weight"), "model.layers.0.post_attention_layernorm.weight")
        self.assertEqual(transformers_name("token_embd.weight"), "model.embed_tokens.weight")
