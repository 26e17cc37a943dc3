"""The optimiser, the schedule and the rest of a step of each recipe, as its source has them."""

from dataclasses import dataclass
from typing import Callable

import torch
from transformers import get_linear_schedule_with_warmup

from . import eight_bit, scripts


@dataclass
class Recipe:
    optimizer: object
    schedule: object
    named: dict  # the parameters that the optimiser has
    clip: Callable = lambda: None  # clips all gradients of the model, and returns their norm
    advances: bool = True  # whether the schedule is ever advanced


def freeze_tower(model):
    """train_kosmos.py: everything of CLIP but the last layer of its encoder."""
    model.clip_model.requires_grad_(False)
    for name, parameter in model.clip_model.encoder.layers[-1].named_parameters():
        parameter.requires_grad_(name != "self_attn.k_proj.bias")  # the gradient of a bias of keys is 0 but for rounding


def owned(model, optimizer):
    """The names of an optimiser's parameters."""
    ids = {id(parameter) for group in optimizer.param_groups for parameter in group["params"]}
    return {name: one for name, one in model.named_parameters() if id(one) in ids}


def paper(model, case):
    """AdamW as the paper states it. Weights of linear layers and convolutions decay, which it leaves open."""
    freeze_tower(model)
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    layers = {id(one.weight) for one in model.modules() if isinstance(one, (torch.nn.Linear, torch.nn.Conv2d))}
    groups = [
        {"params": [one for one in trained.values() if id(one) in layers], "weight_decay": 0.01},
        {"params": [one for one in trained.values() if id(one) not in layers], "weight_decay": 0.0},
    ]
    optimizer = torch.optim.AdamW(groups, lr=case["learningRate"], betas=(0.9, 0.98), eps=1e-6, foreach=False)
    schedule = get_linear_schedule_with_warmup(optimizer, 375, case["scheduleSteps"])
    return Recipe(optimizer, schedule, trained)


def kosmosx(model, case):
    """train.py: the optimiser has the weights of linear layers; clip_grad_norm_ is given all parameters, and zero_grad those of the optimiser."""
    found = scripts.functions()
    rates = {"learning_rate": case["learningRate"], "weight_decay": 0.1, "beta_1": 0.90, "beta_2": 0.95}
    optimizer = found["decoupled_optimizer"](model, **rates, optimizer_type="lion", use_fsdp=False, accelerator=scripts.Printer())
    steps = case["scheduleSteps"]
    schedule = found["get_lr_scheduler_with_warmup"](optimizer, "cosine", int(steps * 0.01), steps)
    clip = lambda: torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0, foreach=False)
    return Recipe(optimizer, schedule, owned(model, optimizer), clip)


def reimplementation(model, case):
    """train_kosmos.py: AdamW8bit of all parameters, and a schedule that is never advanced."""
    freeze_tower(model)
    optimizer = eight_bit.AdamW8bit(model, lr=case["learningRate"], weight_decay=0.01)
    schedule = get_linear_schedule_with_warmup(optimizer.inner, 0, case["scheduleSteps"])
    trained = {name: one for name, one in model.named_parameters() if one.requires_grad}
    return Recipe(optimizer, schedule, trained, advances=False)


RECIPES = {"paper": paper, "kosmosx@0.3.1": kosmosx, "KOSMOS_reimplementation@4300dc6": reimplementation}
