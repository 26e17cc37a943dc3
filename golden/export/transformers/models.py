"""Language models of transformers: how a case builds one and calls it.

Besides the package's own configuration a case may give `rotary_precision`, `cached` and `generate`:
  rotary_precision  "float32": rotary angles are computed in float32, as the package does whatever the type of the model; "float64": in
                    the precision of the model. Cases have float64: torch's sines and cosines in float32 depend on the processor
                    and are one ulp off in one of twenty, so that no implementation could agree with them to 1e-12
  cached            {prefill, step}: the text is read again in passes with a cache; the output is `cached_logits`
  generate          arguments of `generate`; the output is `sequences`
Norms, the softmax and the loss, which the package always computes in float32, are computed in float64 where the model is in float64:
otherwise no result would be exact enough to be compared. Logits of padding, which differ from backend to backend, are set to 0."""

import contextlib

import torch
from transformers import LlamaConfig, LlamaForCausalLM

CONFIGS = {"LlamaForCausalLM": (LlamaForCausalLM, LlamaConfig)}
OWN = ("class", "rotary_precision", "cached", "generate")


@contextlib.contextmanager
def float32_is(dtype):
    """Where the package asks for float32 it gets `dtype`."""
    saved = torch.float32, torch.float, torch.Tensor.float
    torch.float32 = torch.float = dtype
    torch.Tensor.float = lambda self: self.to(dtype)
    try:
        yield
    finally:
        torch.float32, torch.float, torch.Tensor.float = saved


FLOAT32 = torch.float32


def upcast(module):
    """The context in which a model in float64 computes everything in float64; for the others none."""
    dtype = next(module.parameters()).dtype
    return float32_is(dtype) if dtype == torch.float64 else contextlib.nullcontext()


def with_precision(rotary, exact):
    """Makes a rotary embedding compute in float32, from frequencies in float32, whatever the type of the model; with `exact` it computes
    in float64 where the model is in float64."""
    forward, frequencies = rotary.forward, {kind: rotary.inv_freq.to(kind) for kind in (FLOAT32, torch.float64)}

    def in_precision(x, position_ids):
        kind = torch.float64 if exact and x.dtype == torch.float64 else FLOAT32
        with float32_is(kind):
            rotary.inv_freq = frequencies[kind]
            return forward(x, position_ids)

    rotary.forward = in_precision


def build(config, kind=None):
    """The model of a case, in evaluation mode."""
    released, settings = CONFIGS[kind or config["class"]]
    own = {name: value for name, value in config.items() if name not in OWN}
    exact = config.get("rotary_precision", "float32") == "float64"
    with float32_is(torch.float64) if exact else contextlib.nullcontext():
        model = released(settings(**own, attn_implementation="eager")).eval()
    with_precision(model.model.rotary_emb, exact)
    return model


def zeroed(logits, mask):
    return logits if mask is None else logits.masked_fill(~mask.bool()[..., None], 0)


def in_passes(forward, ids, mask, prefill, step):
    """Logits of a text that is read in passes: the first `prefill` tokens, then `step` at a time."""
    cache, parts, start = None, [], 0
    while start < ids.shape[1]:
        end = min(ids.shape[1], start + (step if start else prefill))
        known = None if mask is None else mask[:, :end]
        result = forward(input_ids=ids[:, start:end], attention_mask=known, past_key_values=cache, use_cache=True)
        cache, start = result.past_key_values, end
        parts.append(result.logits)
    return torch.cat(parts, dim=1)


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
            found["cached_logits"] = zeroed(in_passes(model, input_ids, mask, **config["cached"]), mask)
    return found
