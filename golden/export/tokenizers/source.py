"""Tokenizers: ids and texts of 10,000 lines as digests, chat templates, normalization, and cases of SentencePiece's unigram model."""

import contextlib
import hashlib
import importlib.metadata
import json
import platform

import torch

from ..common import files
from ..common.cases import compare
from ..common.cases.manifest import GENERATOR, SCHEMA
from ..common.source import Check, Source, same_bytes
from . import chat, lines, models, normalization

FOLDER = "tokenizers"
BLOCK = 100
NO_HALF = "a tokenizer computes ids"
#: Models of SentencePiece without its large character maps; the last has a small one of its own.
RULES = "0041 030A\t00C5\n0061 0062 0063\t0064\n0061 0062\t0065\nFF21\t0041\n2000\t0020\n007F\t\n"
MODELS = {
    "unigram": {"normalization_rule_name": "identity", "byte_fallback": True, "vocab_size": 800, "user_defined_symbols": ["<image>", "  ", "word"]},
    "bpe": {"normalization_rule_name": "identity", "byte_fallback": True, "vocab_size": 800, "model_type": "bpe", "user_defined_symbols": ["<image>"]},
    "suffix": {"normalization_rule_name": "identity", "treat_whitespace_as_suffix": True, "remove_extra_whitespaces": False},
}


def home(cases):
    return cases.parent / "data" / FOLDER


def digest(text):
    return hashlib.sha256(text.encode()).hexdigest()[:12]


def blocks(items, join):
    return [digest(join(items[at : at + BLOCK])) for at in range(0, len(items), BLOCK)]


def ids_text(ids):
    return json.dumps(ids, separators=(",", ":"))


def results(encode, decode, texts):
    ids = [encode(text) for text in texts]
    return {"ids": blocks(ids, ids_text), "decoded": blocks([decode(one) for one in ids], "\n".join)}


def with_rules(folder):
    """A model with a character map of a few rules."""
    path = folder / "rules.tsv"
    path.write_text(RULES)
    with contextlib.chdir(folder):  # the model holds the path
        data = models.sentencepiece_model(normalization_rule_tsv=path.name)
    path.unlink()
    return data


def write_lines(out):
    texts = lines.lines()
    found = {}
    for name, make in models.TOKENIZERS.items():
        tokenizer = make()
        (out / name).mkdir(parents=True, exist_ok=True)
        parts = json.loads(tokenizer.to_str())
        (out / name / "tokenizer.json").write_text(json.dumps(parts, ensure_ascii=False, separators=(",", ":")) + "\n")
        found[name] = results(
            lambda text: tokenizer.encode(text).ids, lambda ids: tokenizer.decode(ids, skip_special_tokens=False), texts
        )
    for name, data in {**{name: models.sentencepiece_model(**options) for name, options in MODELS.items()}, "rules": with_rules(out)}.items():
        (out / f"{name}.model").write_bytes(data)
        model = models.processor(data)
        found[f"{name}.model"] = results(model.encode, model.decode, texts)
    described = {**lines.described(), "block": BLOCK, "first": texts[:3], "results": found}
    files.write_json(out / "lines.json", described)


class Tokenizers(Source):
    def export(self, request):
        out = home(request.out)
        if request.wants(FOLDER):
            out.mkdir(parents=True, exist_ok=True)
            write_lines(out)
            files.write_json(out / "chat.json", chat.rendered())
            files.write_json(out / "normalization.json", {"block": normalization.BLOCK, "digests": normalization.digests()})
        for path in request.files or sorted((self.folder / "cases").glob("*.json")):
            for entry in json.loads(path.read_text())["cases"]:
                name = f"sentencepiece/unigram--{entry['id']}"
                if request.wants(name):
                    make(name, entry, request.out)
        return []

    def compare(self, committed, fresh, request):
        checks = list(compare.cases(committed, fresh, "sentencepiece", request.complete))
        for path in sorted(home(fresh).rglob("*.*")):
            name = path.relative_to(home(fresh))
            same = same_bytes(home(committed) / name, path)
            checks.append(Check(f"{FOLDER}/{name}", [] if same else ["differs from the file exported afresh"]))
        return checks


def make(name, entry, out):
    """A case: the pieces of a model that SentencePiece trains with the entry's options, and the ids of the texts."""
    normalizer = entry["options"].get("normalization_rule_name", "nmt_nfkc")
    model = models.processor(models.sentencepiece_model(**{"vocab_size": 320, "character_coverage": 0.99, **entry["options"]}))
    options = entry["options"]
    ids = [model.encode(text) for text in entry["texts"]]
    pieces = [[model.id_to_piece(i), model.get_score(i), kind(model, i, options)] for i in range(len(model))]
    config = {"pieces": pieces, "normalizer": normalizer}
    flags = {"add_dummy_prefix": True, "remove_extra_whitespaces": True, "unk_surface": " ⁇ "}
    config |= {name: options.get(name, otherwise) for name, otherwise in flags.items()}
    config |= {name: options[name] for name in ("byte_fallback", "treat_whitespace_as_suffix") if name in options}
    config |= {"texts": entry["texts"], "decoded": [model.decode(one) for one in ids]}
    version = importlib.metadata.version
    source = {"package": "sentencepiece", "version": version("sentencepiece"), "class": "Unigram"}
    source |= {"torch": version("torch").split("+")[0], "python": ".".join(platform.python_version_tuple()[:2])}
    outputs = {f"ids.{i}": torch.tensor(one, dtype=torch.int64) for i, one in enumerate(ids)}
    manifest = {"schema": SCHEMA, "id": name, "title": entry["title"], "level": "preprocess", "source": source}
    manifest |= {"profile": f"sentencepiece@{source['version']}", "config": config, "call": {}, "inputs": {}, "weights": {}, "ties": {}}
    manifest |= {"seed": entry["seed"], "generator": GENERATOR, "recipes": {}, "outputs": list(outputs), "taps": [], "grads": []}
    manifest |= {"flags": [], "rules": entry["rules"], "ship": bool(entry.get("ship"))}
    noise = {f"outputs.{output}": 0 for output in outputs}
    manifest |= {"tolerance": {"policy": "noise", "K": 8, "noise": noise, "bfloat16": NO_HALF, "float16": NO_HALF}}
    folder = out / name
    folder.mkdir(parents=True, exist_ok=True)
    files.write_tensors(folder / "inputs.safetensors", {})
    files.write_tensors(folder / "expected.safetensors", {f"outputs.{name}": ids for name, ids in outputs.items()})
    files.write_json(folder / "case.json", manifest)


def kind(model, piece, options):
    """The type of a piece, by its number in model files."""
    tests = ((2, model.is_unknown), (3, model.is_control), (5, model.is_unused), (6, model.is_byte))
    special = next((number for number, test in tests if test(piece)), None)
    return special or (4 if model.id_to_piece(piece) in options.get("user_defined_symbols", ()) else 1)


SOURCE = Tokenizers(__file__)
