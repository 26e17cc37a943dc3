"""Mints the training cases from torch: python training.py [--out DIR] [--verify CASES]

A case is a folder under golden/cases/training: training.json, inputs.safetensors and expected.safetensors (FORMAT.md §9)."""

import argparse
import importlib.metadata
import json
import sys
from pathlib import Path

import numpy as np
import torch
from torch.nn.functional import cross_entropy

import files
import recipes
import runs
import sources

HERE = Path(__file__).resolve().parent
IGNORED, IMAGE = -100, 3
SCHEDULE_STEPS = 15


def scheduler(optimizer, kind="constant", warmup=0, steps=None, floor=0.0):
    """The same factors out of torch's own schedulers."""
    after = {
        "constant": lambda: torch.optim.lr_scheduler.ConstantLR(optimizer, factor=1, total_iters=0),
        "linear": lambda: torch.optim.lr_scheduler.LinearLR(optimizer, 1, max(floor, 0.0), steps - warmup),
        "cosine": lambda: ClampedCosine(optimizer, steps - warmup, floor),
    }
    if warmup == 0:
        return after[kind]()
    rise = torch.optim.lr_scheduler.LinearLR(optimizer, 1 / (warmup + 1), 1, warmup)
    return torch.optim.lr_scheduler.SequentialLR(optimizer, [rise, after[kind]()], [warmup])


class ClampedCosine(torch.optim.lr_scheduler.CosineAnnealingLR):
    """torch's cosine rises again after its end; training that goes on stays at the floor. The minimum is a rate, not a factor."""

    def __init__(self, optimizer, steps, floor):
        super().__init__(optimizer, steps, eta_min=floor * optimizer.param_groups[0]["initial_lr" if "initial_lr" in optimizer.param_groups[0] else "lr"])

    def get_lr(self):
        return [group["lr"] for group in self.optimizer.param_groups] if self.last_epoch > self.T_max else super().get_lr()


def factors(options):
    parameter = torch.nn.Parameter(torch.zeros(1, dtype=torch.float64))
    optimizer = torch.optim.SGD([parameter], lr=1.0)
    schedule, found = scheduler(optimizer, **options), []
    for _ in range(SCHEDULE_STEPS):
        found.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        schedule.step()
    return torch.tensor(found, dtype=torch.float64)


def texts(case):
    """steps parts b l, image tokens where the layout has an I; the other ids start above them."""
    layout = case["layout"]
    shape = [case["steps"], len(case["parts"]), len(layout), len(layout[0])]
    ids = recipes.make(case["seed"], "inputs.text", shape, {"low": IMAGE + 1, "high": case["config"]["num_tokens"]})
    for b, row in enumerate(layout):
        for at, mark in enumerate(row):
            if mark == "I":
                ids[:, :, b, at] = IMAGE
    return torch.from_numpy(ids)


def targets_of(text):
    targets = torch.full_like(text, IGNORED)
    targets[..., :-1] = text[..., 1:]
    return targets.masked_fill(targets == IMAGE, IGNORED)


def optimizer_of(case, named):
    options = dict(case["optimizer"])
    kind, rate = options.pop("kind"), options.pop("learningRate")
    decay = options.pop("weightDecay", 0)
    plain = [key for key in named if case.get("undecayed") and named[key].dim() < 2]
    groups = [{"params": [named[key] for key in named if key not in plain], "weight_decay": decay}]
    groups += [{"params": [named[key] for key in plain], "weight_decay": 0}] if plain else []
    spelt = {"betas": "betas", "epsilon": "eps", "momentum": "momentum", "dampening": "dampening", "nesterov": "nesterov"}
    known = {spelt[name]: tuple(value) if isinstance(value, list) else value for name, value in options.items()}
    classes = {"adamw": torch.optim.AdamW, "sgd": torch.optim.SGD}
    return classes[kind](groups, lr=rate, foreach=False, **known)


def train(case, weights, text, images):
    """The released model, torch's optimiser: what changes, after each step."""
    module = sources.build("FlamingoPaLM", case["config"]).double().train()
    runs.load(module, weights)
    call = lambda step, part: module(text[step, part], **({} if images is None else {"images": images[step, part]}))
    call(0, 0).sum().backward()  # the release freezes in its forward pass: what has a gradient now is what it trains
    state, _ = sources.own_state(module)
    named = {key: value for key, value in state.items() if value.requires_grad and value.grad is not None}
    module.zero_grad()
    optimizer = optimizer_of(case, named)
    schedule = scheduler(optimizer, **case["schedule"])
    targets, found = targets_of(text), {"loss": [], "norm": [], "rate": []}
    after = {}
    for step in range(case["steps"]):
        total = 0.0
        for part, weight in enumerate(case["parts"]):
            logits = call(step, part)
            loss = cross_entropy(logits.flatten(0, 1), targets[step, part].flatten(), ignore_index=IGNORED) * weight
            loss.backward()
            total += loss.item()
        norm = torch.nn.utils.clip_grad_norm_(named.values(), case.get("clipAt", torch.inf), foreach=False)
        found["loss"].append(total)
        found["norm"].append(norm.item())
        found["rate"].append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        optimizer.zero_grad()
        schedule.step()
        for key, value in named.items():
            after.setdefault(f"weights.{key}", []).append(value.detach().clone())
            for buffer, moment in optimizer.state[value].items():
                if buffer in ("exp_avg", "exp_avg_sq", "momentum_buffer"):
                    after.setdefault(f"{buffer}.{key}", []).append(moment.detach().clone())
    frozen = [key for key, value in state.items() if key not in named]
    assert all(torch.equal(state[key], torch.from_numpy(weights[key])) for key in frozen)
    series = {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}
    return list(named), series | {name: torch.stack(values) for name, values in after.items()}


def mint(case, out):
    folder = out / "training" / case["id"]
    folder.mkdir(parents=True, exist_ok=True)
    state, ties = sources.own_state(sources.build("FlamingoPaLM", case["config"]))
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    recipe = recipes.weight_recipes(shapes, {})
    value = lambda key: state[key].detach().double().numpy() if "file" in recipe[key] else recipes.make(case["seed"], f"weights.{key}", shapes[key], recipe[key])
    weights, text, images = {key: value(key) for key in shapes}, texts(case), None
    if "images" in case:
        shape = [case["steps"], len(case["parts"]), len(case["layout"]), case["images"], *case["image"]]
        images = torch.from_numpy(recipes.make(case["seed"], "inputs.images", shape, dict(recipes.TWO)))
    trained, expected = train(case, weights, text, images)
    given = {f"weights.{key}": weights[key] for key in shapes} | {"inputs.text": text.numpy(), "inputs.targets": targets_of(text).numpy()}
    given |= {} if images is None else {"inputs.images": images.numpy()}
    files.write_tensors(folder / "inputs.safetensors", {name: files.stored(one) for name, one in given.items()})
    files.write_tensors(folder / "expected.safetensors", expected)
    version = lambda name: importlib.metadata.version(name).split("+")[0]
    source = {"package": "flamingo-pytorch", "version": version("flamingo-pytorch"), "class": "FlamingoPaLM", "torch": version("torch")}
    files.write_json(folder / "training.json", {"schema": "flamboyance-training/1", **case, "source": source, "ties": ties, "trained": trained})


def mint_schedules(schedules, out):
    folder = out / "training" / "schedules"
    folder.mkdir(parents=True, exist_ok=True)
    files.write_tensors(folder / "expected.safetensors", {f"factors.{i}": factors(options) for i, options in enumerate(schedules)})
    files.write_json(folder / "training.json", {"schema": "flamboyance-training/1", "id": "schedules", "schedules": schedules})


def mint_all(out):
    torch.set_num_threads(1)
    spec = json.loads((HERE / "training.json").read_text())
    for case in spec["cases"]:
        mint(case, out)
    mint_schedules(spec["schedules"], out)
    print(f"{len(spec['cases']) + 1} training cases", flush=True)


def differences(old, new):
    """What differs between two folders of training cases: manifests and inputs by a bit, expected values by more than 1e-11."""
    for folder in sorted({path.name for root in (old, new) for path in root.glob("*")}):
        a, b = old / folder, new / folder
        if not (a / "training.json").exists() or (a / "training.json").read_text() != (b / "training.json").read_text():
            yield f"{folder}: training.json differs"
        for part, within in (("inputs.safetensors", 0), ("expected.safetensors", 1e-11)):
            x, y = (files.read_tensors(root / part) for root in (a, b))
            far = lambda name: (x[name].double() - y[name].double()).abs().max() > within * x[name].double().abs().max()
            if x.keys() != y.keys() or any(x[name].shape != y[name].shape or far(name) for name in x):
                yield f"{folder}: {part} differs"


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=HERE.parent / "cases")
    parser.add_argument("--verify", type=Path, help="compare with these cases what was made; exit 1 if they differ")
    options = parser.parse_args()
    mint_all(options.out)
    found = list(differences(options.verify / "training", options.out / "training")) if options.verify else []
    print("\n".join([*found, f"{len(found)} training cases differ"]) if options.verify else "done")
    sys.exit(1 if found else 0)


if __name__ == "__main__":
    main()
