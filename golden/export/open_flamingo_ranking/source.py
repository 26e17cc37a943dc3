"""open-flamingo: `get_rank_classifications` of the evaluation (`eval/models/open_flamingo.py`), on the model that a case describes.

The release's method takes texts and images; here a tokenizer gives the ids of the case for them. `use_cache` reads the prompt once, and the
classes behind it from a cache that they share: transformers' caches grow in place, so that a class is also read behind the classes before it."""

import contextlib

import torch
from transformers import BatchEncoding

from ..open_flamingo import flamingo
from ..open_flamingo.released import PACKAGE
from ..open_flamingo.source import OpenFlamingoSource
from ..transformers import models
from open_flamingo.eval.models.open_flamingo import EvalModel  # isort: skip

NAME = "get_rank_classifications"


class Tokenizer:
    """The ids of the prompts and of the classes, which the method names by their numbers."""

    def __init__(self, prompts, mask, classes):
        self.prompts, self.mask, self.classes = prompts, mask, classes

    def __call__(self, text, **_):
        if isinstance(text, int):
            return BatchEncoding({"input_ids": torch.tensor([self.classes[text]])})
        return BatchEncoding({"input_ids": self.prompts, "attention_mask": self.mask})


def evaluator(model, tokenizer):
    """The release's evaluation model, without the loading of its constructor."""
    made = EvalModel.__new__(EvalModel)
    made.model, made.tokenizer, made.device = model, tokenizer, "cpu"
    made.autocast, made.cast_dtype, made.image_processor = contextlib.nullcontext, None, lambda image: image
    return made


class Ranking(OpenFlamingoSource):
    profile = "open-flamingo@2.0.1"
    classes = {NAME: EvalModel.get_rank_classifications}
    levels = {NAME: "decode"}
    names = {NAME: "get-rank-classifications"}
    prefixes = tuple(names.values())

    def versions(self):
        version, torch, _ = super().versions()
        return version, torch, flamingo.LANGUAGE

    def build(self, kind, config):
        model = flamingo.build(PACKAGE, config["model"])
        model.case = config
        return model

    def call(self, module, kind, arguments, positional):
        config, (vision_x, lang_x, mask) = module.case, (arguments[name] for name in ("vision_x", "lang_x", "attention_mask"))
        evaluate = evaluator(module, Tokenizer(lang_x, mask, config["classes"]))
        images = [list(row[:, 0]) for row in vision_x]
        with models.upcast(module), flamingo.vision.separate_products():
            found = evaluate.get_rank_classifications(
                batch_text=[""] * len(lang_x),
                batch_images=images,
                all_class_names=range(len(config["classes"])),
                use_cache=config.get("use_cache", False),
                normalize_length=config["normalize_length"],
            )
        return {"logprobs": found}


SOURCE = Ranking(__file__)
