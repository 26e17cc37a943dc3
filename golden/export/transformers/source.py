"""transformers: language models, built from a case's config (the package's own names) and called as models.py says."""

import shutil

from ..common.cases.source import CaseSource
from . import models


class Transformers(CaseSource):
    package, profile = "transformers", "transformers@4.57.6"
    classes = {name: released for name, (released, _) in models.CONFIGS.items()}
    levels = {name: "model" for name in classes}
    names = {"LlamaForCausalLM": "llama-for-causal-lm"}

    def build(self, kind, config):
        model = models.build(config, kind)
        model.case = config
        return model

    def call(self, module, kind, arguments, positional):
        return models.call(module, module.case, **arguments)

    def finish(self, out, made):
        """Removes the cases that no longer exist. The folder also holds Mllama's rows, which are no case (source mllama)."""
        ids = {case["id"] for case in made}
        for manifest in (out / self.package).glob("*/case.json"):
            if f"{self.package}/{manifest.parent.name}" not in ids:
                shutil.rmtree(manifest.parent)


SOURCE = Transformers(__file__)
