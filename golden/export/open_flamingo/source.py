"""open-flamingo: the released Flamingo, its blocks, and what its training loop does to labels and gradients."""

import shutil

from .released import PACKAGE  # first: see there

from ..common.cases import compare, coverage
from ..common.cases.source import CaseSource
from ..common.source import Check
from ..common.values import recipes
from . import flamingo, training
from .flags import flags

BLOCKS = ("PerceiverResampler", "MaskedCrossAttention", "GatedCrossAttentionBlock")


class OpenFlamingoSource(CaseSource):
    """Several sources write to the folder of this package; each owns the cases of its classes, by the names in `prefixes`."""

    package = "open-flamingo"
    prefixes = ()

    def weight_recipe(self, key, shape, nth):
        """As everywhere; the joint projection of an open_clip tower is named like no other weight, and is one."""
        return recipes.weight_recipe(key.replace(".in_proj_", "."), shape, nth)

    def flags(self, case, inputs, weights, expected):
        return flags(case, inputs)

    def owned(self, root):
        folders = sorted(path.parent for path in (root / self.package).glob("*/case.json"))
        return [folder for folder in folders if folder.name.split("--")[0] in self.prefixes]

    def finish(self, out, made):
        ids = {case["id"] for case in made}
        for folder in self.owned(out):
            if f"{self.package}/{folder.name}" not in ids:
                shutil.rmtree(folder)
        if self.wanted:
            coverage.write(out.parent / "COVERAGE.md", self.package, coverage.section(self, made))

    def compare(self, committed, fresh, request):
        checks = compare.cases(committed, fresh, self.package, complete=False)
        made = {folder.name for folder in self.owned(fresh)}
        missing = [folder.name for folder in self.owned(committed) if folder.name not in made] if request.complete else []
        checks += [Check(name, ["is no longer made"]) for name in missing]
        if request.complete and self.wanted:
            checks.append(coverage.check(committed.parent, fresh.parent, self.package))
        return checks


class OpenFlamingo(OpenFlamingoSource):
    profile = "open-flamingo@2.0.1"
    classes = {"Flamingo": PACKAGE.flamingo.Flamingo} | {name: getattr(PACKAGE.helpers, name) for name in BLOCKS} | training.CLASSES
    levels = {"Flamingo": "model", "train_labels": "op", "embedding_gradient_mask": "op"} | dict.fromkeys(BLOCKS, "block")
    names = {"train_labels": "train-labels", "embedding_gradient_mask": "embedding-gradient-mask"}
    prefixes = ("flamingo", "perceiver-resampler", "masked-cross-attention", "gated-cross-attention-block", *names.values())

    def versions(self):
        """Those of the class that was built last: only Flamingo has a language model."""
        version, torch, _ = super().versions()
        return version, torch, self.parts

    def build(self, kind, config):
        self.parts = flamingo.LANGUAGE if kind == "Flamingo" else {}
        return flamingo.build(PACKAGE, config) if kind == "Flamingo" else super().build(kind, config)

    def call(self, module, kind, arguments, positional):
        if kind != "Flamingo":
            return super().call(module, kind, arguments, positional)
        return flamingo.call(module, **arguments)


SOURCE = OpenFlamingo(__file__)
