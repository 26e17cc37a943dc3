"""Runs the released module of a case once and collects its outputs, taps and gradients."""

from contextlib import ExitStack

import numpy as np
import torch

from ..state import own_state
from .recorder import Recorder
from .rounded import Rounded
from .sequential import InSequence


def load(module, weights, precision=torch.float64):
    """Copies `weights`, rounded to a dtype, into the module. The keys must be exactly those of its own tensors; tied tensors follow."""
    state, _ = own_state(module)
    assert list(state) == list(weights), (list(state), list(weights))
    with torch.no_grad():
        for key, tensor in state.items():
            tensor.copy_(torch.from_numpy(weights[key]).to(precision))


def arguments(case, inputs, dtype, precision, wants_grads):
    """The forward pass's arguments as tensors: floats in `dtype`, rounded to `precision`, requiring a gradient if gradients are wanted."""
    given = {}
    for argument, name in case["call"].items():
        value = torch.from_numpy(np.ascontiguousarray(inputs[name]))
        given[argument] = value.to(precision).to(dtype) if value.is_floating_point() else value
        if wants_grads and value.is_floating_point():
            given[argument] = given[argument].requires_grad_(True)
    return given


def outputs(result):
    """Names -> tensors: a module that returns one tensor has the single output `out`."""
    named = {"out": result} if isinstance(result, torch.Tensor) else result
    return {f"outputs.{name}": value for name, value in named.items()}


def gradients(case, module, given, first, cotangent):
    """Derivatives of Σ first output ⊙ cotangent, and the weights whose `requires_grad` the source left on."""
    (first * torch.from_numpy(np.asarray(cotangent)).to(first.dtype)).sum().backward()
    found = {f"grads.inputs.{name}": given[argument].grad for argument, name in case["call"].items() if given[argument].is_floating_point()}
    state, _ = own_state(module)
    found |= {f"grads.weights.{key}": tensor.grad for key, tensor in state.items()}
    parameters = dict(module.named_parameters())
    return found, [key for key in state if key in parameters and parameters[key].requires_grad]


def as_array(value):
    """Floats as float64; integers and booleans keep their type."""
    value = value.detach()
    return (value.double() if value.is_floating_point() else value).numpy()


def run(source, case, weights, inputs, dtype=torch.float64, sequential=False, rounded=None, scale=1.0, wanted=("outputs", "taps", "grads")):
    """(names -> arrays in order of execution, names of the trainable weights or None). A fresh module is built for each
    run, because the released classes cache masks. With `rounded`, a dtype, the result of every op is rounded to it
    (see Rounded for `scale`)."""
    precision = rounded or dtype
    module = source.build(case["class"], case["config"]).to(dtype)
    load(module, weights, precision)
    given = arguments(case, inputs, dtype, precision, "grads" in wanted)
    recorder = Recorder(module, source.taps, precision) if "taps" in wanted else None
    with ExitStack() as modes:
        modes.enter_context(source.repaired(case.get("repair")))
        modes.enter_context(torch.set_grad_enabled("grads" in wanted))
        if sequential:
            modes.enter_context(InSequence())
        if rounded:
            modes.enter_context(Rounded(rounded, scale))
        if recorder:
            modes.enter_context(recorder)
        found = outputs(source.call(module, case["class"], given, case.get("positional", [])))
        first = next(iter(found.values()))
        if recorder:
            recorder.close()
            found |= {f"taps.{name}": value for name, value in recorder.taps.items()}
        trainable = None
        if "grads" in wanted:
            derivatives, trainable = gradients(case, module, given, first, inputs["cotangent"])
            found |= derivatives
    return {name: as_array(value) for name, value in found.items() if value is not None}, trainable


def output_shape(source, case, weights, inputs):
    """The shape of the first output."""
    found, _ = run(source, case, weights, inputs, wanted=("outputs",))
    return list(next(iter(found.values())).shape)
