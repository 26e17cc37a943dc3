"""KosmosTokenizer of kosmosx 0.3.1, run without the rest of its module, on another tokenizer than the one that it downloads."""

import ast
import logging
from importlib import metadata
from types import SimpleNamespace

import torch

SAMPLES = [["a"], ["A picture of two dogs.", "x"], ["The quick brown fox jumps over the lazy dog.", "", "<image> </s>"], ["do</s>", "do n't do n't do n't"]]
LENGTHS = [1984, 6, 2]


def class_of_kosmosx():
    """The class, from the source that the package installs: its module needs packages that the class does not."""
    path = metadata.distribution("kosmosx").locate_file("kosmosx/model.py")
    tree = ast.parse(path.read_text())
    tree.body = [node for node in tree.body if isinstance(node, ast.ClassDef) and node.name == "KosmosTokenizer"]
    names = {"torch": torch, "logging": logging}
    exec(compile(tree, str(path), "exec"), names)
    return names["KosmosTokenizer"]


def published(tokenizer):
    """What `tokenize` returns, but for the pixels."""
    kosmos = class_of_kosmosx().__new__(class_of_kosmosx())
    kosmos.tokenizer = tokenizer
    kosmos.im_idx, kosmos.im_end_idx = tokenizer.convert_tokens_to_ids(["<image>", "</image>"])
    kosmos.processor = lambda **_: SimpleNamespace(pixel_values=None)
    results = []
    for most in LENGTHS:
        tokenizer.model_max_length = most
        for texts in SAMPLES:
            made = kosmos.tokenize({"target_text": texts, "image": None})
            lists = {name: made[name].tolist() for name in ("text_tokens", "labels", "attention_mask")}
            results.append({"model_max_length": most, "target_text": texts, **lists})
    return results
