"""A source of case folders: released classes, and case files in `cases/` that say how to run them."""

import contextlib
import importlib.metadata
import json
import shutil
import time

import torch

from ..source import Source
from ..values import recipes
from . import compare, coverage
from .make import make
from .manifest import identity


class CaseSource(Source):
    """Subclasses set the attributes and override what their package needs."""

    package = ""  # the name in case.json, and the folder below golden/cases
    profile = ""
    classes = {}  # name in the case files -> the released class
    levels = {}  # name -> op, block or model; the others are modules
    names = {}  # name -> what ids call it, where that is not the name in kebab case
    other_versions = {}  # field of case.json's `source` -> another package whose version is recorded there

    def __init__(self, file):
        super().__init__(file)
        self.axes, self.rules, self.wanted = (self.table(name) for name in ("axes", "rules", "coverage"))
        self.taps = {"modules": {}, "sequentials": {}} | self.table("taps")

    def table(self, name, folder=None):
        """tables/NAME.json of the source, or of another folder; empty if there is none."""
        path = (folder or self.folder) / "tables" / f"{name}.json"
        return json.loads(path.read_text()) if path.exists() else {}

    def build(self, kind, config):
        """The released class in evaluation mode, from a case's config."""
        return self.classes[kind](**config).eval()

    def call(self, module, kind, arguments, positional):
        """The forward pass: a tensor, or a dictionary of named tensors."""
        ordered = [arguments[name] for name in positional]
        return module(*ordered, **{name: value for name, value in arguments.items() if name not in positional})

    def repaired(self, repair):
        """A context in which a defect of the release that a case names is repaired."""
        assert repair is None, f"{self.package} has no repair {repair}"
        return contextlib.nullcontext()

    def weight_recipe(self, key, shape, nth):
        return recipes.weight_recipe(key, shape, nth)

    def flags(self, case, inputs, weights, expected):
        """The features that the case exercises, computed from its tensors."""
        return sorted(case.get("flags", []))

    def versions(self):
        """(the package's version, torch's, those of `other_versions`). A source that needs a checkout overrides this."""
        version = lambda name: importlib.metadata.version(name).split("+")[0]
        others = {field: version(name) for field, name in self.other_versions.items()}
        return version(self.package), version("torch"), others

    def case_files(self, request):
        return request.files or sorted((self.folder / "cases").glob("*.json"))

    def export(self, request):
        torch.manual_seed(0)
        began, made = time.time(), []
        for path in self.case_files(request):
            spec = json.loads(path.read_text())
            for entry in spec["cases"]:
                if not request.wants(identity(self, spec["class"], entry), entry.get("full")):
                    continue
                since = time.time()
                torch.set_num_threads(2 if entry.get("full") else 1)  # fixed: the number of threads changes the last bits
                made.append(make(self, spec["class"], entry, request.out, request.keep))
                print(f"{time.time() - since:6.1f} s  {made[-1]['id']}", flush=True)
        if request.complete:
            self.finish(request.out, made)
        print(f"{self.package}: {len(made)} cases in {time.time() - began:.0f} s", flush=True)
        return []

    def finish(self, out, made):
        """After a complete export: removes the cases that no longer exist and writes the source's part of COVERAGE.md."""
        ids = {case["id"] for case in made}
        for folder in (out / self.package).glob("*"):
            if f"{self.package}/{folder.name}" not in ids:
                shutil.rmtree(folder)
        if self.wanted:
            coverage.write(out.parent / "COVERAGE.md", self.package, coverage.section(self, made))

    def compare(self, committed, fresh, request):
        checks = compare.cases(committed, fresh, self.package, request.complete)
        if request.complete and self.wanted:
            checks.append(coverage.check(committed.parent, fresh.parent, self.package))
        return checks
