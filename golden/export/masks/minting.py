"""Runs one source on every short prompt: python minting.py NAME FOLDER OUT. One process a source, so that releases of one
package do not meet."""

import json
import sys
from pathlib import Path

import torch
from safetensors.torch import save_file

import adapters_flamingo as flamingo
from effects import REFUSED, judge, shrink, strings
from sources import SOURCES

LONGEST, IMAGES = 8, range(0, 5)
LONGEST_ENDS = 5


def adapter(name, folder, options):
    if name in ("idefics", "mllama", "llama_models", "torchtune"):
        import adapters_llama as llama

        return {"idefics": llama.Idefics, "mllama": llama.Mllama, "llama_models": llama.LlamaModels, "torchtune": llama.Torchtune}[name](
            folder, options
        )
    return {
        "flamingo_pytorch": flamingo.FlamingoPytorch,
        "open_flamingo_1": flamingo.OpenFlamingo1,
        "open_flamingo_2": flamingo.OpenFlamingo2,
        "flamingo_mini": flamingo.FlamingoMini,
        "otter": flamingo.Otter,
    }[name](folder, options)


class Mint:
    def __init__(self, source, layer):
        self.source, self.layer = source, layer
        self.tensors, self.refusals = {}, {}

    def keep(self, key, parts):
        rows = [rows.flatten() for rows, _ in parts]
        self.tensors[key] = torch.cat(rows)
        said = {shrink(why) for _, why in parts if why}
        if said:
            self.refusals[key] = sorted(said)

    def judged(self, kinds, images, call):
        """A prompt that raises must not take others with it: one by one, where the batch raises."""
        refuses = getattr(self.layer, "refuses", None)
        if refuses is not None and images > 0 and (out := refuses(kinds, images)).any():
            rows = torch.full(kinds.shape, REFUSED, dtype=torch.uint8)
            why = None
            if not out.all():
                rows[~out], why = self.judged(kinds[~out], images, call)
            return rows, why or "the processor: more image tokens than images"
        rows, why = judge(kinds, images, call)
        if why is None or len(kinds) == 1:
            return rows, why
        each = [judge(kinds[i : i + 1], images, call) for i in range(len(kinds))]
        return torch.cat([r for r, _ in each]), next((w for _, w in each if w), None)

    def full(self, letters=2, longest=LONGEST, name="full"):
        for n in IMAGES:
            self.keep(f"{name}.{n}", [self.judged(strings(l, letters), n, self.layer.full) for l in range(1, longest + 1)])

    def cached(self, how, longest=LONGEST):
        for n in IMAGES:
            if n == 0:
                continue  # what a package does without an image, full.0 says
            parts = [
                self.passes(strings(l), n, prompt, how)
                for l in range(2, longest + 1)
                for prompt in range(1, l)
            ]
            self.keep(f"{how}.{n}", parts)

    def passes(self, kinds, images, first, how):
        """Rows after the first pass, [prompts, length - first]."""
        length = kinds.shape[1]
        sizes = [first] + ([1] * (length - first) if how == "steps" else [length - first])
        prompt = length if how == "chunks" else first
        call = lambda k, x, media, feed: self.layer.passes(k, x, media, feed, prompt, sizes)
        if not getattr(self.layer, "alone", False):
            rows, why = self.judged(kinds, images, call)
            return rows[:, first:], why
        rows, why = torch.empty(len(kinds), length, dtype=torch.uint8), None
        for ending in strings(length - first):  # a step of these looks at all prompts of a batch: give it one ending at a time
            same = (kinds[:, first:] == ending).all(1)
            rows[same], refused = self.judged(kinds[same], images, call)
            why = why or refused
        return rows[:, first:], why


    def pairs(self, length=3, first=1):
        """Two prompts in one batch, decoded one token at a time: does one change what the other sees?"""
        sizes = [first] + [1] * (length - first)
        call = lambda k, x, media, feed: self.layer.passes(k, x, media, feed, first, sizes)
        for n in IMAGES[1:]:
            parts = []
            for one in strings(length):
                for other in strings(length):
                    rows, why = self.judged(torch.stack([one, other]), n, call)
                    parts.append((rows[:, first:], why))
            self.keep(f"pairs.{n}", parts)


def main(name, folder, out):
    torch.set_num_threads(1)
    source = next(s for s in SOURCES if s["name"] == name)
    mint = Mint(source, adapter(source["adapter"], Path(folder).resolve(), source["options"]))
    mint.full()
    if source.get("ends"):
        mint.full(3, LONGEST_ENDS, "ends")
    for how in source["cached"]:
        mint.cached(how)
    if source["cached"]:
        mint.pairs()
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    save_file(mint.tensors, out / f"{name}.safetensors")
    entry = {key: source[key] for key in ("name", "convention", "package", "version", "options")}
    entry["torch"] = torch.__version__.split("+")[0]
    entry["rows"] = {key: key for key in mint.tensors}
    entry["refuses"] = mint.refusals  # what it raised, by group of rows
    (out / f"{name}.json").write_text(json.dumps(entry))
    count = lambda f: sum(int(f(t)) for t in mint.tensors.values())
    print(name, count(len), "rows,", count(lambda t: (t == REFUSED).sum()), "refused", flush=True)


if __name__ == "__main__":
    main(*sys.argv[1:])
