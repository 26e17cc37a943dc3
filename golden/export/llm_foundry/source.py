"""llm-foundry: MosaicML's own MPT, built from a case's config (the package's own names) and called as transformers/models.py says.

Attention runs on attn_impl "torch", whatever the case says. The softmax and the slopes of the position biases, which the package computes in
float32, are in float64 where the model is: otherwise no result would be exact enough to be compared."""

import copy
import warnings

from ..common.cases.source import CaseSource
from ..common.source import Check, same_bytes
from ..transformers import models
from . import flags, release, state_dicts

warnings.filterwarnings("ignore", module="llmfoundry")


class LlmFoundry(CaseSource):
    package, profile = "llm-foundry", "llm-foundry@0.22.0"
    classes = {"MPTForCausalLM": release.MPTForCausalLM}
    levels = {"MPTForCausalLM": "model"}
    names = {"MPTForCausalLM": "mosaic-mpt-for-causal-lm"}

    def build(self, kind, config):
        own = copy.deepcopy({name: value for name, value in config.items() if name not in models.OWN})
        own["attn_config"] = {**own.get("attn_config", {}), "attn_impl": "torch"}  # the package writes defaults into the object
        model = release.Generating(release.MPTConfig(**own)).eval()
        model.case = config
        return model

    def call(self, module, kind, arguments, positional):
        cached = dict(module.case.get("cached", {}))
        contents = cached.pop("contents", False)
        with release.spread_products():
            found = models.call(module, module.case | ({"cached": cached} if contents else {}), **arguments)
            return found | (cache_contents(module, cached, **arguments) if contents else {})

    def flags(self, case, inputs, weights, expected):
        return flags.flags(case, inputs)

    def finish(self, out, made):
        super().finish(out, made)
        state_dicts.write(out.parent / state_dicts.NAME)

    def compare(self, committed, fresh, request):
        checks = super().compare(committed, fresh, request)
        if request.complete:
            same = same_bytes(committed.parent / state_dicts.NAME, fresh.parent / state_dicts.NAME)
            checks.append(Check(state_dicts.NAME, [] if same else ["differs"]))
        return checks


def cache_contents(model, passes, input_ids, attention_mask, labels=None):
    """Keys and values of every layer after the last pass, b h s k; the package keeps keys as b h k s. Those of padding are set to 0."""
    mask, last = attention_mask.long(), []

    def forward(**arguments):
        result = model(**arguments)
        last[:] = result.past_key_values
        return result

    with models.upcast(model):
        models.in_passes(forward, input_ids, mask, **passes)
    found = {}
    for i, (keys, values) in enumerate(last):
        found |= {f"cache.{i}.keys": keys.transpose(2, 3), f"cache.{i}.values": values}
    return {name: models.zeroed(tensor, mask[:, None]) for name, tensor in found.items()}


SOURCE = LlmFoundry(__file__)
