"""open-flamingo 0.1.1: the first release of the models, in which text sees the image that follows it.

The repository has the tags 0.0.2 and 0.1.1 at one commit, 68d51df; PyPI has it as 0.0.2. Its modules go by another name here, because the
environment has a later release of the package. A block by itself takes `attend_previous`, an argument of its call, from the case; the model
always passes False, unless a random placement of images is switched on, which no case does."""

import functools
import importlib
import subprocess
import sys
import types

from ..open_flamingo import flamingo
from ..open_flamingo.source import BLOCKS, OpenFlamingoSource

REQUIREMENT = "open-flamingo==0.0.2"
ALIAS = "open_flamingo_v1"
MODULES = ("flamingo", "flamingo_lm", "helpers", "utils")


def install(folder):
    """The release's modules, from a folder of their own."""
    if not folder.exists():
        options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(folder)]
        subprocess.run([sys.executable, "-m", "pip", "install", *options, REQUIREMENT], check=True)
    package = types.ModuleType(ALIAS)
    package.__path__ = [str(folder / "open_flamingo" / "src")]
    sys.modules[ALIAS] = package
    return types.SimpleNamespace(**{name: importlib.import_module(f"{ALIAS}.{name}") for name in MODULES})


class OpenFlamingoV1(OpenFlamingoSource):
    profile = "open-flamingo@0.1.1"
    classes = dict.fromkeys(("Flamingo", *BLOCKS[1:]))  # its resampler is that of 2.0.1
    levels = {"Flamingo": "model"} | dict.fromkeys(BLOCKS, "block")
    names = {"Flamingo": "flamingo-v1", "MaskedCrossAttention": "masked-cross-attention-v1", "GatedCrossAttentionBlock": "gated-cross-attention-block-v1"}
    prefixes = tuple(names.values())

    def versions(self):
        _, torch, _ = super().versions()
        return REQUIREMENT.split("==")[1], torch, self.parts

    def export(self, request):
        self.released = install(request.packages / REQUIREMENT.replace("==", "-"))
        return super().export(request)

    def build(self, kind, config):
        self.parts = flamingo.LANGUAGE if kind == "Flamingo" else {}
        if kind == "Flamingo":
            return flamingo.build(self.released, config)
        own = {name: value for name, value in config.items() if name != "attend_previous"}
        module = getattr(self.released.helpers, kind)(**own).eval()
        if "attend_previous" in config:
            module.forward = functools.partial(module.forward, attend_previous=config["attend_previous"])
        return module

    def call(self, module, kind, arguments, positional):
        if kind == "Flamingo":
            return flamingo.call(module, **arguments)
        return super().call(module, kind, arguments, positional)


SOURCE = OpenFlamingoV1(__file__)
