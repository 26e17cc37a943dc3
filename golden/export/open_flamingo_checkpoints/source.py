"""Checkpoints that open-flamingo writes for small models, and keys and shapes of the released models' state dicts. They have no case.json, so
they are in golden/data, beside the cases and not among them.

The code of the tag v0.1.1, which PyPI has as 0.0.2, runs in a process of its own: both releases cannot share one."""

import argparse
import contextlib
import io
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import torch

from ..common import files
from ..common.source import Check, Source, same_bytes
from ..masks.install import pip

FOLDER = "open-flamingo-checkpoints"
STATE_DICTS = "open-flamingo-state-dicts.json"
OLD = "0.0.2"


def home(cases):
    """The folder of the files beside a folder of cases."""
    return cases.parent / "data" / FOLDER


def trainable(model):
    from open_flamingo.train.train_utils import filter_state_dict_to_trainable

    with contextlib.redirect_stdout(io.StringIO()):  # a warning for each tensor that is frozen and tied
        return filter_state_dict_to_trainable(model, model.state_dict())


def write_released(out):
    """As in a released checkpoint.pt: the trainable part of a state dict. And every tensor of the model, to compare with."""
    from . import models

    kept = {}
    for name in models.LANGUAGE:
        model = models.build(name)
        torch.save(trainable(model), out / f"{name}.pt")
        files.write_tensors(out / f"{name}.expected.safetensors", models.named_once(model))
        frozen = trainable(models.build(name, freeze_lm_embeddings=True))
        kept[name] = {"trained": list(trainable(model)), "frozen": list(frozen)}
    files.write_json(out / "kept.json", kept)


def write_training(out):
    """As open_flamingo/train/train.py does it in one process: the model is wrapped, which gives all names a prefix."""
    from open_flamingo.train.train_utils import save_checkpoint

    from . import models

    model = torch.nn.DataParallel(models.build("opt"))
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=0)  # the step makes moments, and leaves the weights
    schedule = torch.optim.lr_scheduler.ConstantLR(optimizer)
    for parameter in trained:
        parameter.grad = torch.ones_like(parameter)
    optimizer.step()
    with tempfile.TemporaryDirectory() as folder:
        options = {"fsdp": False, "rank": 0, "run_name": folder, "report_to_wandb": False, "delete_previous_checkpoint": False}
        with contextlib.redirect_stdout(io.StringIO()):
            save_checkpoint(model, optimizer, schedule, 3, argparse.Namespace(**options))
        shutil.move(f"{folder}/checkpoint_3.pt", out / "training.pt")


def write_others(out):
    """A whole state dict, and one whose names have the fields of activation checkpointing."""
    from torch.distributed.algorithms._checkpoint.checkpoint_wrapper import checkpoint_wrapper

    from . import models

    model = models.build("llama")
    torch.save(model.state_dict(), out / "everything.pt")
    layers = model.lang_encoder.model.layers
    layers[1].gated_cross_attn_layer = checkpoint_wrapper(layers[1].gated_cross_attn_layer)
    state = {f"module.{name}": parameter.detach() for name, parameter in model.named_parameters() if parameter.requires_grad}
    torch.save(state, out / "checkpointed.pt")


def write_old(out):
    """Runs in a process whose open_flamingo is the old one."""
    from . import models, state_dicts

    from open_flamingo.train.train_utils import get_checkpoint

    model = models.build("llama")
    torch.save(get_checkpoint(model), out / "llama-0.1.1.pt")
    torch.save(model.state_dict(), out / "everything-0.1.1.pt")
    files.write_tensors(out / "llama-0.1.1.expected.safetensors", models.named_once(model))
    (out / "old.json").write_text(json.dumps(state_dicts.entries("0.1.1")))


def run_old(out, packages):
    """Writes what the old release writes; the sentence why not, if it cannot."""
    packages.mkdir(parents=True, exist_ok=True)
    old = pip(packages / f"open-flamingo-{OLD}", f"open-flamingo=={OLD}")
    words = [sys.executable, "-m", "golden.export.open_flamingo_checkpoints.source", str(out), str(old)]
    done = subprocess.run(words, capture_output=True, text=True)
    return [] if done.returncode == 0 else [f"open-flamingo {OLD} could not be run: {done.stderr[-2000:]}"]


class Checkpoints(Source):
    def export(self, request):
        out = home(request.out)
        if not request.wants(FOLDER):
            return []
        from . import state_dicts

        shutil.rmtree(out, ignore_errors=True)
        out.mkdir(parents=True)
        write_released(out)
        write_training(out)
        write_others(out)
        problems = run_old(out, request.packages)
        if problems:
            return problems
        found = state_dicts.entries("2.0.1") | json.loads((out / "old.json").read_text())
        os.remove(out / "old.json")
        state_dicts.write(request.out.parent / STATE_DICTS, found)
        return []

    def compare(self, committed, fresh, request):
        """The same bytes; and the package loads what is written here."""
        from . import written

        paths = [path.relative_to(fresh.parent) for path in sorted(home(fresh).iterdir())]
        same = [
            Check(str(name), [] if same_bytes(committed.parent / name, fresh.parent / name) else ["differs from the file exported afresh"])
            for name in [*paths, STATE_DICTS]
        ]
        return [*same, *written.checks(home(committed))]


SOURCE = Checkpoints(__file__)

if __name__ == "__main__":
    sys.path[:0] = sys.argv[2:]
    write_old(Path(sys.argv[1]))
