"""Training of a Kosmos: steps of the recipes on the released classes, in float64 (FORMAT.md §9), and initial weights."""

import importlib.metadata
import json

import bitsandbytes  # first: kosmosx's exporter stands a stub where it is not imported  # noqa: F401

from ..kosmosx import released  # then this: see there

import torch  # isort: skip
from torch.nn import CrossEntropyLoss
from torch.nn.functional import cross_entropy, one_hot

from ..common import files
from ..common.running.runs import load
from ..common.source import Check, Source, same_bytes
from ..common.state import own_state
from ..common.values import recipes
from ..kosmosx import model as forward
from ..kosmosx.source import SOURCE as KOSMOSX
from ..training.compare import SCHEMA, differences
from . import initial_weights
from .recipes import RECIPES

IGNORED, SPECIAL = -100, 3  # ids below SPECIAL are <s>, padding and </s>
KEPT = ("exp_avg", "exp_avg_sq", "state1", "state2", "absmax1", "absmax2")


def texts(case):
    """Ids with axes steps, parts, b and l: `<s> <image> </image> words </s>` and padding, by the marks of the layout, and their targets."""
    config, layout = case["config"], case["layout"]
    marks = {"s": config["bos_token_id"], "I": config["image_token_id"], "e": config["image_end_token_id"], "x": config["eos_token_id"], "p": config["pad_token_id"]}
    shape = [case["steps"], len(layout), len(layout[0]), len(layout[0][0])]
    ids = torch.from_numpy(recipes.make(case["seed"], "inputs.ids", shape, {"low": SPECIAL, "high": config["image_token_id"]}))
    for part, rows in enumerate(layout):
        for b, row in enumerate(rows):
            for at, mark in enumerate(row):
                if mark in marks:
                    ids[:, part, b, at] = marks[mark]
    return ids


def targets_of(case, ids):
    """The next id from `</image>` on, with the vectors of the image in their places; none for padding."""
    vectors = case["config"]["perceive"]["num_latents"]
    places = torch.full((*ids.shape[:-1], vectors), IGNORED)
    following = torch.full_like(ids, IGNORED)
    following[..., 2:-1] = ids[..., 3:]  # two tokens stand before </image>
    following = following.masked_fill(following == case["config"]["pad_token_id"], IGNORED)
    return torch.cat([following[..., :2], places, following[..., 2:]], dim=-1)


def logits_of(model, case, ids, images):
    with released.upcast(model):
        return forward.decoded(model, case["config"], ids, images)


def published_loss(case, logits, ids):
    """train_kosmos.py: labels are the text without the tokens of the image."""
    labels = torch.cat([ids[:, :1], ids[:, 3:]], dim=1)
    vectors, words = case["config"]["perceive"]["num_latents"], case["config"]["output_projection"]["out_features"]
    text = torch.cat([logits[:, :1], logits[:, vectors + 3 :]], dim=1)
    return CrossEntropyLoss()(text[:, :-1], one_hot(labels[:, 1:], words).to(text.dtype))


def step_loss(model, case, ids, images, targets):
    """The loss of one step, summed over its parts, with the gradients accumulated in the model."""
    total, counts = 0.0, [int((part != IGNORED).sum()) for part in targets]
    for part, count in enumerate(counts):
        logits = logits_of(model, case, ids[part], images[part])
        if case["loss"] == "published":
            loss = published_loss(case, logits, ids[part])
        else:
            loss = cross_entropy(logits.flatten(0, 1), targets[part].flatten(), ignore_index=IGNORED)
        loss = loss * (count / sum(counts) if case["mean"] == "targets" else 1 / len(counts))
        loss.backward()
        total += loss.item()
    return total


def norm_of(parameters):
    return torch.nn.utils.get_total_norm([one.grad for one in parameters if one.grad is not None])


def state_of(recipe, name, parameter):
    optimizer = recipe.optimizer
    return optimizer.state_of(name) if hasattr(optimizer, "state_of") else optimizer.state[parameter]


def train(case, weights, ids, images, targets):
    """(names of the optimiser's parameters, series of their values and of its state after each step)."""
    model = KOSMOSX.build("Kosmos", case["config"]).double()
    load(model, weights)
    for name in case.get("noise", []):  # the gradient is 0 but for rounding
        model.get_parameter(name).requires_grad_(False)
    recipe = RECIPES[case["recipe"]](model, case)
    for _ in range(case.get("from", 0)):
        recipe.schedule.step()
    found, after = {"loss": [], "norm": [], "rate": []}, {}
    for step in range(case["steps"]):
        found["loss"].append(step_loss(model, case, ids[step], images[step], targets[step]))
        norm = recipe.clip()
        found["norm"].append(float(norm_of(recipe.named.values()) if norm is None else norm))
        found["rate"].append(recipe.optimizer.param_groups[0]["lr"])
        recipe.optimizer.step()
        if recipe.advances:
            recipe.schedule.step()
        recipe.optimizer.zero_grad()
        for name, parameter in recipe.named.items():
            after.setdefault(f"weights.{name}", []).append(parameter.detach().clone())
            for buffer, value in state_of(recipe, name, parameter).items():
                if buffer in KEPT:
                    after.setdefault(f"{buffer}.{name}", []).append(value.detach().clone())
    state, _ = own_state(model)
    assert all(torch.equal(state[key], torch.from_numpy(value)) for key, value in weights.items() if key not in recipe.named)
    series = {name: torch.tensor(values, dtype=torch.float64) for name, values in found.items()}
    return list(recipe.named), series | {name: narrow(torch.stack(values)) for name, values in after.items()}


def narrow(values):
    """In float32 where that is exact, as it is with an optimiser that works in it."""
    return files.stored(values.numpy()) if values.is_floating_point() and torch.equal(values.float().double(), values.double()) else values


def initial(case):
    """Weights before the first step; the float32 numbers that recipes give are exact in every precision."""
    state, _ = own_state(KOSMOSX.build("Kosmos", case["config"]))
    shapes = {key: list(tensor.shape) for key, tensor in state.items()}
    recipe = recipes.weight_recipes(shapes, {}, KOSMOSX.weight_recipe)
    computed = {key: state[key].detach().double().numpy() for key in shapes if "file" in recipe[key]}
    return {key: computed[key] if key in computed else recipes.make(case["seed"], f"weights.{key}", shapes[key], recipe[key]) for key in shapes}


def make(case, out):
    folder = out / "kosmos-training" / case["id"]
    folder.mkdir(parents=True, exist_ok=True)
    weights, ids = initial(case), texts(case)
    shape = [*ids.shape[:3], 3, *[case["config"]["clip_model"]["image_size"]] * 2]
    images = torch.from_numpy(recipes.make(case["seed"], "inputs.images", shape, dict(recipes.TWO)))
    targets = targets_of(case, ids)
    trained, expected = train(case, weights, ids, images, targets)
    given = {f"weights.{key}": value for key, value in weights.items()}
    given |= {"inputs.ids": ids.numpy(), "inputs.targets": targets.numpy(), "inputs.images": images.numpy()}
    files.write_tensors(folder / "inputs.safetensors", {name: files.stored(one) for name, one in given.items()})
    files.write_tensors(folder / "expected.safetensors", expected)
    version = lambda name: importlib.metadata.version(name).split("+")[0]
    packages = {name: version(name) for name in ("torchscale", "transformers", "flamingo-pytorch", "bitsandbytes", "lion-pytorch", "torch")}
    source = {"package": "kosmosx", "version": version("kosmosx"), "class": "Kosmos", **packages}
    files.write_json(folder / "training.json", {"schema": SCHEMA, **case, "source": source, "trained": trained})


class KosmosTraining(Source):
    def export(self, request):
        torch.set_num_threads(1)
        spec = json.loads((self.folder / "cases.json").read_text())
        for case in spec["cases"]:
            if request.wants(f"kosmos-training/{case['id']}"):
                make({"config": spec["configs"][case["config"]], **{key: value for key, value in case.items() if key != "config"}}, request.out)
        if request.complete:
            initial_weights.write(request.out.parent / initial_weights.NAME)
        return []

    def compare(self, committed, fresh, request):
        roots = [fresh, committed] if request.complete else [fresh]
        ids = sorted({path.name for root in roots for path in (root / "kosmos-training").glob("*")})
        checks = [
            Check(f"kosmos-training/{name}", list(differences(committed / "kosmos-training" / name, fresh / "kosmos-training" / name)))
            for name in ids
        ]
        if request.complete:
            same = same_bytes(committed.parent / initial_weights.NAME, fresh.parent / initial_weights.NAME)
            checks.append(Check(initial_weights.NAME, [] if same else ["differs"]))
        return checks


SOURCE = KosmosTraining(__file__)
