"""Language models of transformers: how a case builds one and calls it.

Besides the package's own configuration a case may give `rotary_precision`, `cached` and `generate`:
  rotary_precision  "float32": rotary angles are computed in float32, as the package does whatever the type of the model, but with the
                    nearest float32 numbers to sines and cosines: torch's own depend on the processor and are one ulp off in one
                    of twenty, so that no implementation could agree with them to 1e-12; "float64": in the precision of the model
  cached            {prefill, step, contents}: the text is read again in passes with a cache; the output is `cached_logits`, and with
                    `contents` also what the cache holds at the end, as `cache.<layer>.keys` and `cache.<layer>.values`, b g s k
  generate          arguments of `generate`; the output is `sequences`
Norms, the softmax and the loss, which the package always computes in float32, are computed in float64 where the model is in float64:
otherwise no result would be exact enough to be compared. Logits of padding, which differ from backend to backend, are set to 0."""

import contextlib

import torch

from transformers.modeling_utils import no_init_weights

from . import architectures
from .precision import float32_is, upcast

OWN = ("class", "rotary_precision", "cached", "generate")


def build(config, kind=None):
    """The model of a case, in evaluation mode."""
    released, settings, prepare = architectures.CLASSES[kind or config["class"]]
    own = {name: value for name, value in config.items() if name not in OWN}
    exact = config.get("rotary_precision", "float32") == "float64"
    with float32_is(torch.float64) if exact else contextlib.nullcontext(), no_init_weights():
        model = released(settings(**own, attn_implementation="eager")).eval()
    model.tie_weights()  # construction leaves it out, together with initial values, which norms without weights have none of
    prepare(model, exact)
    return model


def zeroed(logits, mask):
    return logits if mask is None else logits.masked_fill(~mask.bool()[..., None], 0)


def cache_contents(cache, mask):
    """Keys and values of every layer, with those of padding set to 0."""
    real = None if mask is None else mask[:, None]
    kept = [(f"cache.{i}.{name}", getattr(layer, name)) for i, layer in enumerate(cache.layers) for name in ("keys", "values")]
    return {name: zeroed(tensor, real) for name, tensor in kept}


def in_passes(forward, ids, mask, prefill, step, contents=False):
    """`cached_logits` of a text that is read in passes, the first `prefill` tokens, then `step` at a time; and what the cache holds."""
    cache, parts, start = None, [], 0
    while start < ids.shape[1]:
        end = min(ids.shape[1], start + (step if start else prefill))
        known = None if mask is None else mask[:, :end]
        result = forward(input_ids=ids[:, start:end], attention_mask=known, past_key_values=cache, use_cache=True)
        cache, start = result.past_key_values, end
        parts.append(result.logits)
    found = {"cached_logits": zeroed(torch.cat(parts, dim=1), mask)}
    return found | cache_contents(cache, mask) if contents else found


def call(model, config, input_ids, attention_mask=None, labels=None):
    """The outputs of a language model by name."""
    mask = None if attention_mask is None else attention_mask.long()
    with upcast(model):
        if "generate" in config:
            return {"sequences": model.generate(input_ids=input_ids, attention_mask=mask, do_sample=False, **config["generate"])}
        result = model(input_ids=input_ids, attention_mask=mask, labels=labels, use_cache=False)
        found = {"logits": zeroed(result.logits, mask)}
        if labels is not None:
            found["loss"] = result.loss
        if "cached" in config:
            found |= in_passes(model, input_ids, mask, **config["cached"])
    return found
