"""Runs one package of packages.json on every short prompt and records the effects of each row.

python -m golden.export.masks.evaluation NAME OUT FOLDER …: the folders are put on the module path; the first is the package's."""

import importlib
import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

from .effects import REFUSED, effects, shrink, strings
from .source import ENTRIES, LONGEST

IMAGES = range(0, 5)


class Evaluation:
    """Rows of effects by group, such as `full.2` (whole prompts, two images), and what was raised."""

    def __init__(self, layer):
        self.layer = layer
        self.tensors, self.refusals = {}, {}

    def keep(self, group, parts):
        """`parts` are pairs (rows, what was raised or None)."""
        self.tensors[group] = torch.cat([rows.flatten() for rows, _ in parts])
        raised = {shrink(why) for _, why in parts if why}
        if raised:
            self.refusals[group] = sorted(raised)

    def rows(self, kinds, images, call):
        """The effects for a batch of prompts. If the batch raises, prompts run one by one, so that one that raises does not
        affect the others."""
        refuses = getattr(self.layer, "refuses", None)
        if refuses is not None and images > 0 and (out := refuses(kinds, images)).any():
            rows = torch.full(kinds.shape, REFUSED, dtype=torch.uint8)
            why = None
            if not out.all():
                rows[~out], why = self.rows(kinds[~out], images, call)
            return rows, why or "the processor: more image tokens than images"
        rows, why = effects(kinds, images, call)
        if why is None or len(kinds) == 1:
            return rows, why
        each = [effects(kinds[i : i + 1], images, call) for i in range(len(kinds))]
        return torch.cat([r for r, _ in each]), next((w for _, w in each if w), None)

    def full(self, letters=2, longest=LONGEST["full"], name="full"):
        """Whole prompts, without a cache."""
        for n in IMAGES:
            self.keep(f"{name}.{n}", [self.rows(strings(l, letters), n, self.layer.full) for l in range(1, longest + 1)])

    def cached(self, how, longest=LONGEST["cached"]):
        """Prompts decoded with a cache; what a package does without an image is in full.0."""
        for n in IMAGES[1:]:
            parts = [self.passes(strings(l), n, first, how) for l in range(2, longest + 1) for first in range(1, l)]
            self.keep(f"{how}.{n}", parts)

    def passes(self, kinds, images, first, how):
        """The rows after the first pass, [prompts, length - first]."""
        length = kinds.shape[1]
        sizes = [first] + ([1] * (length - first) if how == "steps" else [length - first])
        prompt = length if how == "chunks" else first
        call = lambda k, x, media, feed: self.layer.passes(k, x, media, feed, prompt, sizes)
        if not getattr(self.layer, "batch_dependent", False):
            rows, why = self.rows(kinds, images, call)
            return rows[:, first:], why
        rows, why = torch.empty(len(kinds), length, dtype=torch.uint8), None
        for ending in strings(length - first):  # a step depends on all prompts of its batch: a batch has one ending
            same = (kinds[:, first:] == ending).all(1)
            rows[same], refused = self.rows(kinds[same], images, call)
            why = why or refused
        return rows[:, first:], why

    def pairs(self, length=3, first=1):
        """Two prompts in one batch, decoded one token at a time: whether one changes which images the other sees."""
        sizes = [first] + [1] * (length - first)
        call = lambda k, x, media, feed: self.layer.passes(k, x, media, feed, first, sizes)
        for n in IMAGES[1:]:
            parts = []
            for one in strings(length):
                for other in strings(length):
                    rows, why = self.rows(torch.stack([one, other]), n, call)
                    parts.append((rows[:, first:], why))
            self.keep(f"pairs.{n}", parts)


def evaluate(entry, folder):
    module, name = entry["adapter"].split(".")
    adapter = getattr(importlib.import_module(f"golden.export.masks.adapters.{module}"), name)
    evaluation = Evaluation(adapter(folder, entry["options"]))
    evaluation.full()
    if entry.get("ends"):
        evaluation.full(3, LONGEST["ends"], "ends")
    for how in entry["cached"]:
        evaluation.cached(how)
    if entry["cached"]:
        evaluation.pairs()
    return evaluation


def main(name, out, *folders):
    torch.set_num_threads(1)
    entry = next(entry for entry in ENTRIES if entry["name"] == name)
    sys.path[:0] = folders
    found = evaluate(entry, Path(folders[0]).resolve())
    save_file(found.tensors, Path(out) / f"{name}.safetensors")
    written = {field: entry[field] for field in ("name", "convention", "package", "version", "options")}
    written["torch"] = torch.__version__.split("+")[0]
    written["rows"] = {group: group for group in found.tensors}
    written["refuses"] = found.refusals
    (Path(out) / f"{name}.json").write_text(json.dumps(written))
    count = lambda f: sum(int(f(rows)) for rows in found.tensors.values())
    print(name, count(len), "rows,", count(lambda rows: (rows == REFUSED).sum()), "refused", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
