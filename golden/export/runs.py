"""One run of the real module: outputs, taps, gradients."""

from contextlib import ExitStack

import numpy as np
import torch

import sources
from recorder import Recorder
from sequential import InSequence


def load(module, weights):
    """Every own tensor of the module from `weights` (ties follow by themselves); all of them, or it is a bug."""
    state, _ = sources.own_state(module)
    assert list(state) == list(weights), (list(state), list(weights))
    with torch.no_grad():
        for key, tensor in state.items():
            tensor.copy_(torch.from_numpy(weights[key]))


def run(case, weights, inputs, dtype=torch.float64, sequential=False, wanted=("outputs", "taps", "grads")):
    """Names -> float64 arrays, in the order of execution; a fresh module each time (the source caches masks)."""
    module = sources.build(case["class"], case["config"]).to(dtype)
    load(module, weights)
    given = {}
    for argument, name in case["call"].items():
        value = torch.from_numpy(np.ascontiguousarray(inputs[name]))
        given[argument] = value.to(dtype) if value.is_floating_point() else value
        if "grads" in wanted and value.is_floating_point():
            given[argument] = given[argument].requires_grad_(True)
    recorder = Recorder(module) if "taps" in wanted else None
    with ExitStack() as modes:
        modes.enter_context(sources.repaired(case.get("repair")))
        modes.enter_context(torch.set_grad_enabled("grads" in wanted))
        if sequential:
            modes.enter_context(InSequence())
        if recorder:
            modes.enter_context(recorder)
        out = sources.call(module, case["class"], given, case.get("positional", []))
        found = {"outputs.out": out}
        if recorder:
            recorder.close()
            found |= {f"taps.{name}": value for name, value in recorder.taps.items()}
        trainable = None
        if "grads" in wanted:
            cotangent = torch.from_numpy(np.asarray(inputs["cotangent"])).to(dtype)
            (out * cotangent).sum().backward()
            for argument, name in case["call"].items():
                found[f"grads.inputs.{name}"] = given[argument].grad if given[argument].is_floating_point() else None
            state, _ = sources.own_state(module)
            found |= {f"grads.weights.{key}": tensor.grad for key, tensor in state.items()}
            parameters = dict(module.named_parameters())
            trainable = [key for key in state if key in parameters and parameters[key].requires_grad]
    plain = {name: value.detach().double().numpy() for name, value in found.items() if value is not None}
    return plain, trainable


def output_shape(case, weights, inputs):
    return list(run(case, weights, inputs, wanted=("outputs",))[0]["outputs.out"].shape)
