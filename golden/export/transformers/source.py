"""transformers: language models, built from a case's config (the package's own names) and called as models.py says, and position
encodings (positions.py), and generation from a table (generation.py)."""

import shutil

from ..common.cases.source import CaseSource
from ..common.source import Check, same_bytes
from . import architectures, generation, models, positions, state_dicts


class Transformers(CaseSource):
    package, profile = "transformers", "transformers@4.57.6"
    classes = {name: released for name, (released, *_) in architectures.CLASSES.items()} | positions.CLASSES | generation.CLASSES
    levels = {name: "model" for name in architectures.CLASSES} | {"TableLM": "decode", "LogitsProcessorList": "op"}
    names = {
        "TableLM": "table-lm",
        "LlamaForCausalLM": "llama-for-causal-lm",
        "GPTNeoXForCausalLM": "gpt-neox-for-causal-lm",
        "MptForCausalLM": "mpt-for-causal-lm",
        "OPTForCausalLM": "opt-for-causal-lm",
        "GPTJForCausalLM": "gptj-for-causal-lm",
        "GPTNeoXRotaryEmbedding": "gpt-neox-rotary-embedding",
        "GPTJRotaryEmbedding": "gptj-rotary-embedding",
    }

    def build(self, kind, config):
        if kind in positions.CLASSES:
            return positions.CLASSES[kind](**config)
        if kind in generation.CLASSES:
            return generation.CLASSES[kind](**config)
        model = models.build(config, kind)
        model.case = config
        return model

    def call(self, module, kind, arguments, positional):
        if kind in positions.CLASSES:
            return positions.call(module, arguments)
        if kind in generation.CLASSES:
            return module.call(**arguments)
        return models.call(module, module.case, **arguments)

    def finish(self, out, made):
        """Removes the cases that no longer exist, and writes the list of state dicts. The folder also holds Mllama's rows, which are no case (source mllama)."""
        ids = {case["id"] for case in made}
        for manifest in (out / self.package).glob("*/case.json"):
            if f"{self.package}/{manifest.parent.name}" not in ids:
                shutil.rmtree(manifest.parent)
        state_dicts.write(out.parent / state_dicts.NAME)

    def compare(self, committed, fresh, request):
        checks = super().compare(committed, fresh, request)
        if request.complete:
            same = same_bytes(committed.parent / state_dicts.NAME, fresh.parent / state_dicts.NAME)
            checks.append(Check(state_dicts.NAME, [] if same else ["differs"]))
        return checks


SOURCE = Transformers(__file__)
