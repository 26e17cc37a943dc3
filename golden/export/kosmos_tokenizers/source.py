"""Tokenizers of Kosmos: ids and texts of 10,000 lines as digests, and what the published class makes of samples."""

import json

import regex
import sentencepiece
import transformers

from ..common import files
from ..common.source import Check, Source, same_bytes
from ..tokenizers.source import BLOCK, blocks, ids_text
from . import corpus, published
from .fairseq import Dictionary

FOLDER = "kosmos-tokenizers"
IMAGES = ["<image>", "</image>"]
T5 = {"vocab_size": 900, "pad_id": 0, "eos_id": 1, "unk_id": 2, "bos_id": -1}
KOSMOS = {"vocab_size": 1200}
#: Lines for the fast tokenizer.
FAST_LINES = 3000


def home(cases):
    return cases.parent / "data" / FOLDER


def write_t5(out):
    (out / "t5").mkdir(parents=True, exist_ok=True)
    (out / "t5" / "spiece.model").write_bytes(corpus.trained(**T5))
    given = {"additional_special_tokens": IMAGES, "extra_ids": 0, "model_max_length": 10**6}
    return transformers.T5Tokenizer.from_pretrained(out / "t5", **given)


def write_fast(out):
    """tokenizer.json of a folder of T5, which T5TokenizerFast makes of spiece.model."""
    path = str(out / "t5" / "spiece.model")
    fast = transformers.T5TokenizerFast(vocab_file=path, add_prefix_space=True, additional_special_tokens=IMAGES, extra_ids=0)
    (out / "t5-fast").mkdir(exist_ok=True)
    parts = json.loads(fast.backend_tokenizer.to_str())
    parts["added_tokens"] = [token for token in parts["added_tokens"] if token["content"] not in IMAGES]
    (out / "t5-fast" / "tokenizer.json").write_text(json.dumps(parts, ensure_ascii=False, separators=(",", ":")) + "\n")
    return fast


def write_kosmos(out):
    """The pieces and scores of a model whose special pieces are those of Kosmos, as JSON."""
    model = sentencepiece.SentencePieceProcessor(model_proto=corpus.trained(**KOSMOS))
    kinds = [2 if model.is_unknown(i) else 3 if model.is_control(i) else 1 for i in range(len(model))]
    pieces = [[model.id_to_piece(i), model.get_score(i), kind] for i, kind in enumerate(kinds)]
    (out / "kosmos").mkdir(exist_ok=True)
    (out / "kosmos" / "pieces.json").write_text(json.dumps({"pieces": pieces}, ensure_ascii=False, separators=(",", ":")) + "\n")
    return Dictionary(model)


def results(ids, decode, skip=None):
    found = {"ids": blocks(ids, ids_text), "decoded": blocks([decode(one) for one in ids], "\n".join)}
    return found if skip is None else {**found, "skipped": blocks([skip(one) for one in ids], "\n".join)}


def of_one_character(text):
    """Whether every grapheme cluster is one character. The library replaces a longer one by what its first characters are normalized to."""
    return all(len(cluster) == 1 for cluster in regex.findall(r"\X", text))


class KosmosTokenizers(Source):
    def export(self, request):
        if not request.wants(FOLDER):
            return []
        out = home(request.out)
        out.mkdir(parents=True, exist_ok=True)
        transformers.logging.set_verbosity_error()
        texts = corpus.texts()
        t5, fast, kosmos = write_t5(out), write_fast(out), write_kosmos(out)
        slow_ids = [t5(text).input_ids for text in texts]
        lines = [i for i, text in enumerate(texts[:FAST_LINES]) if of_one_character(text)]
        fast_ids = [fast(texts[i]).input_ids for i in lines]
        found = {
            "t5": results(slow_ids, t5.decode, lambda ids: t5.decode(ids, skip_special_tokens=True)),
            "t5-fast": results(fast_ids, fast.decode, lambda ids: fast.decode(ids, skip_special_tokens=True)),
            "kosmos": results([kosmos.encode(text) for text in texts], kosmos.decode),
        }
        described = {"block": BLOCK, "swaps": corpus.SWAPS, "texts": corpus.TEXTS, "fastLines": lines}
        shown = {text: {"t5": slow_ids[i - len(corpus.TEXTS)], "kosmos": kosmos.encode(text)} for i, text in enumerate(corpus.TEXTS)}
        sizes = {"t5": len(t5), "kosmos": len(kosmos.symbols)}
        files.write_json(out / "lines.json", {**described, "sizes": sizes, "ids": shown, "results": found})
        files.write_json(out / "published.json", {"results": published.published(t5)})
        return []

    def compare(self, committed, fresh, request):
        checks = []
        for path in sorted(home(fresh).rglob("*.*")):
            name = path.relative_to(home(fresh))
            same = same_bytes(home(committed) / name, path)
            checks.append(Check(f"{FOLDER}/{name}", [] if same else ["differs from the file exported afresh"]))
        return checks


SOURCE = KosmosTokenizers(__file__)
