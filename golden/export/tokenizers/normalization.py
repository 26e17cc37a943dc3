"""SentencePiece's normalization of every code point of planes 0 and 1, alone and between letters, as digests of blocks."""

import hashlib

from .models import processor, sentencepiece_model

NAMES = ("nmt_nfkc", "nmt_nfkc_cf", "nfkc", "nfkc_cf", "identity")
BLOCK, LAST = 0x1000, 0x20000


def texts(block):
    points = (point for point in range(block, block + BLOCK) if not 0xD800 <= point < 0xE000)
    return [text for point in points for text in (chr(point), f"a{chr(point)}b")]


def digest(parts):
    return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:12]


def digests():
    """For each normalizer, one digest for every 4,096 code points; surrogates, which are no characters, are left out."""
    found = {}
    for name in NAMES:
        model = processor(sentencepiece_model(normalization_rule_name=name))
        found[name] = [digest([model.normalize(text) for text in texts(block)]) for block in range(0, LAST, BLOCK)]
    return found
