"""Classifies each row of a layer by its effects, which are found by changing the layer's inputs: one byte a row.

Bits 0-3: image 1..4 changes what attention adds to the row. Bit 4: the row's own text changes it. Bit 5: the feed-forward
changes the row. Bit 6: NaN. 255: the source refuses the prompt. Nothing here reads a mask."""

import itertools

import torch

LATENTS, DIM, VISUAL = 2, 16, 12
WEIGHTED, FED, NAN, REFUSED = 16, 32, 64, 255
LEAST = 1e-9  # in float64 an effect is of the order of 0.1, and a rounding error of the order of 1e-16


def strings(length, letters=2):
    """Every string of that length in numerical order: [letters ** length, length]."""
    rows = list(itertools.product(range(letters), repeat=length))
    return torch.tensor(rows, dtype=torch.long).reshape(letters**length, length)


def randoms(seed):
    generator = torch.Generator().manual_seed(seed)
    return lambda *shape: torch.randn(*shape, generator=generator, dtype=torch.float64)


def variants(kinds, images, seed=7):
    """The prompts repeated in one batch: unchanged, with each image in turn changed, and with the text changed."""
    randn = randoms(seed)
    length = kinds.shape[1]
    x, other = randn(length, DIM), randn(length, DIM)
    media, changed = randn(images, LATENTS, VISUAL), randn(images, LATENTS, VISUAL)
    texts, pictures = [x], [media]
    for m in range(images):
        one = media.clone()
        one[m] = changed[m]
        texts.append(x)
        pictures.append(one)
    texts.append(other)
    pictures.append(media)
    b = kinds.shape[0]
    again = len(texts)
    return (
        kinds.repeat(again, 1),
        torch.stack(texts).repeat_interleave(b, 0),
        torch.stack(pictures).repeat_interleave(b, 0),
        again,
    )


def effects(kinds, images, call):
    """(U8 [prompts, length], the exception as text or None). `call(kinds, x, media, feed)` returns the layer's output."""
    many, x, media, again = variants(kinds, images)
    b, length = kinds.shape
    try:
        with torch.no_grad():
            out = call(many, x, media, False)
            fed = call(many, x, media, True)
    except REFUSALS as refusal:
        return torch.full((b, length), REFUSED, dtype=torch.uint8), f"{type(refusal).__name__}: {refusal}"
    added = (out - x).reshape(again, b, length, -1)
    differs = lambda one, other: ((one - other).abs() > LEAST).any(-1)
    effect = torch.zeros(b, length, dtype=torch.long)
    for m in range(images):
        effect |= differs(added[1 + m], added[0]).long() << m
    effect |= differs(added[-1], added[0]).long() * WEIGHTED
    effect |= differs(fed.reshape(again, b, length, -1)[0], out.reshape(again, b, length, -1)[0]).long() * FED
    broken = added[0].isnan().any(-1)
    effect[broken] = NAN | FED
    return effect.to(torch.uint8), None


class Refused(Exception):
    """The source's own check rejects the prompt before any layer runs."""


REFUSALS = (Refused, RuntimeError, IndexError, ValueError, AssertionError, AttributeError, TypeError)


def shrink(text, most=160):
    """The first line of a message, shortened; shapes vary between prompts."""
    return text.splitlines()[0][:most]
