"""kosmosx: the language model by itself, at commit f927983 of the repository, which has the version of the release.

The release's constructor takes no arguments and has 320002 embeddings and 32002 outputs; here the sizes are arguments."""

from ..kosmosx.source import Kosmosx

from ..kosmosx import released  # isort: skip


class KosmosLanguage(Kosmosx):
    package = "kosmosx-language"  # the folder; cases name the package
    classes = {"KosmosLanguage": released.KosmosLanguage}
    levels = {"KosmosLanguage": "model"}

    def versions(self):
        return released.VERSION, released.torch.__version__.split("+")[0], {"package": "kosmosx"}

    def build(self, kind, config):
        return released.language(config).eval()

    def call(self, module, kind, arguments, positional):
        with released.upcast(module):
            return {"logits": module(**arguments)}

    def flags(self, case, inputs, weights, expected):
        """Its defaults and its defects are in the titles of the cases."""
        return sorted([*case.get("flags", []), *(["Raises"] if case.get("raises") else []), *(["Gradients"] if case.get("grads") else [])])


SOURCE = KosmosLanguage(__file__)
