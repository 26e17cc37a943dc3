"""What the models are trained on: descriptions and licences that packages ship, and fragments of many scripts."""

import io
from importlib import metadata
from pathlib import Path

import sentencepiece

from ..tokenizers.lines import FRAGMENTS, lines

DESCRIBED = ("numpy", "regex", "charset-normalizer")
#: Texts of `lines` that become special tokens of Kosmos.
SWAPS = [["word", "</image>"], ["[MASK]", "<mask>"], ["<|im_end|>", "</doc>"]]
#: Further texts, of special tokens beside text and beside each other.
TEXTS = [
    "", " ", "<image>", "</image>", "<image></image>", "<image> text </image> more", "a<image></image>b", " a <image> </image> b ", "<image", "image>", "</s>", "a</s>", "</s> a",
    "a </s></s>", "<unk>x", "<pad>", "§ <pad>", "<s> a </s>", "<image></image>Question: what is this? Answer:", "An image of<image></image><image></image> and</image>", "\u0000<image>\u0001", "🙂<image>🙂",
    "<mask></doc></chunk></line>", "▁", "a▁b", "a" * 300, " " * 300 + "a" + " " * 300, "\n\n<image>\n", "<unk>", "<unk><unk> a", "a\u2581<image>\u2581", "</s><image>", "<image></s>", "<pad><pad>", "x<s>",
]


def corpus():
    described = "".join(metadata.distribution(name).read_text("METADATA") for name in DESCRIBED)
    licences = Path(str(metadata.distribution("numpy")._path)) / "licenses" / "LICENSE.txt"
    return (described + licences.read_text()).splitlines() + FRAGMENTS


def trained(**options):
    """The bytes of a unigram model with SentencePiece's normalization by default, nmt_nfkc."""
    stream = io.BytesIO()
    given = {"num_threads": 1, "minloglevel": 2, "character_coverage": 0.999, **options}
    sentencepiece.SentencePieceTrainer.train(sentence_iterator=iter(corpus()), model_writer=stream, **given)
    return stream.getvalue()


def texts():
    """10,000 lines with special tokens of Kosmos among them, then TEXTS."""

    def swapped(text):
        for old, new in SWAPS:
            text = text.replace(old, new)
        return text

    return [swapped(text) for text in lines()] + TEXTS
