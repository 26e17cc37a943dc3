"""Training runs: PyTorch's optimisers and schedulers on the released FlamingoPaLM (FORMAT.md §9)."""

import importlib.metadata
import json

import torch
from torch.nn.functional import cross_entropy

from ..common import files
from ..common.running.runs import load
from ..common.source import Check, Source
from ..common.state import own_state
from ..common.values import recipes
from ..flamingo_pytorch.source import SOURCE as FLAMINGO
from .compare import SCHEMA, differences
from .optimizers import factors, optimizer_of, scheduler

IGNORED, IMAGE = -100, 3


def texts(case):
    """Ids with axes steps, parts, b and l: image tokens where the layout has an I, and larger ids elsewhere."""
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


def losses(case, call, targets, step):
    """The loss of one step, summed over the parts of its batch, with the gradients accumulated in the module."""
    total = 0.0
    for part, weight in enumerate(case["parts"]):
        logits = call(step, part)
        loss = cross_entropy(logits.flatten(0, 1), targets[step, part].flatten(), ignore_index=IGNORED) * weight
        loss.backward()
        total += loss.item()
    return total


def trainable(module, call):
    """The tensors that the release trains: it freezes parameters in its forward pass, so those that then get a gradient."""
    call(0, 0).sum().backward()
    state, _ = own_state(module)
    named = {key: value for key, value in state.items() if value.requires_grad and value.grad is not None}
    module.zero_grad()
    return state, named


def train(case, weights, text, images):
    """(names of the trained tensors, series of their values and of the optimiser's state after each step)."""
    module = FLAMINGO.build("FlamingoPaLM", case["config"]).double().train()
    load(module, weights)
    call = lambda step, part: module(text[step, part], **({} if images is None else {"images": images[step, part]}))
    state, named = trainable(module, call)
    optimizer = optimizer_of(case, named)
    schedule = scheduler(optimizer, **case["schedule"])
    targets, found, after = targets_of(text), {"loss": [], "norm": [], "rate": []}, {}
    for step in range(case["steps"]):
        found["loss"].append(losses(case, call, targets, step))
        norm = torch.nn.utils.clip_grad_norm_(named.values(), case.get("clipAt", torch.inf), foreach=False)
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
    frozen = [key for key in state if key not in named]
    assert all(torch.equal(state[key], torch.from_numpy(weights[key])) for key in frozen)
    series = {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}
    return list(named), series | {name: torch.stack(values) for name, values in after.items()}


def initial(case):
    """(weights before the first step, ties)."""
    state, ties = own_state(FLAMINGO.build("FlamingoPaLM", case["config"]))
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    recipe = recipes.weight_recipes(shapes, {}, FLAMINGO.weight_recipe)
    weights = {}
    for key, shape in shapes.items():
        computed = "file" in recipe[key]
        weights[key] = state[key].detach().double().numpy() if computed else recipes.make(case["seed"], f"weights.{key}", shape, recipe[key])
    return weights, ties


def images_of(case):
    if "images" not in case:
        return None
    shape = [case["steps"], len(case["parts"]), len(case["layout"]), case["images"], *case["image"]]
    return torch.from_numpy(recipes.make(case["seed"], "inputs.images", shape, dict(recipes.TWO)))


def make(case, out):
    folder = out / "training" / case["id"]
    folder.mkdir(parents=True, exist_ok=True)
    (weights, ties), text, images = initial(case), texts(case), images_of(case)
    trained, expected = train(case, weights, text, images)
    given = {f"weights.{key}": value for key, value in weights.items()}
    given |= {"inputs.text": text.numpy(), "inputs.targets": targets_of(text).numpy()}
    given |= {} if images is None else {"inputs.images": images.numpy()}
    files.write_tensors(folder / "inputs.safetensors", {name: files.stored(one) for name, one in given.items()})
    files.write_tensors(folder / "expected.safetensors", expected)
    version = lambda name: importlib.metadata.version(name).split("+")[0]
    source = {"package": "flamingo-pytorch", "version": version("flamingo-pytorch"), "class": "FlamingoPaLM", "torch": version("torch")}
    files.write_json(folder / "training.json", {"schema": SCHEMA, **case, "source": source, "ties": ties, "trained": trained})


def make_schedules(schedules, out):
    folder = out / "training" / "schedules"
    folder.mkdir(parents=True, exist_ok=True)
    files.write_tensors(folder / "expected.safetensors", {f"factors.{i}": factors(options) for i, options in enumerate(schedules)})
    files.write_json(folder / "training.json", {"schema": SCHEMA, "id": "schedules", "schedules": schedules})


class Training(Source):
    def export(self, request):
        torch.set_num_threads(1)
        spec = json.loads((self.folder / "cases.json").read_text())
        for case in spec["cases"]:
            if request.wants(f"training/{case['id']}"):
                make(case, request.out)
        if request.wants("training/schedules"):
            make_schedules(spec["schedules"], request.out)
        return []

    def compare(self, committed, fresh, request):
        roots = [fresh, committed] if request.complete else [fresh]
        ids = sorted({path.name for root in roots for path in (root / "training").glob("*")})
        return [Check(f"training/{name}", list(differences(committed / "training" / name, fresh / "training" / name))) for name in ids]


SOURCE = Training(__file__)
