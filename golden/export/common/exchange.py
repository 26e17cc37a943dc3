"""Exchanges state dicts with the TypeScript models of a source (its exchange.json), in both directions.

A file that exchange.mjs writes must load strictly here, and a file written here must come back bit for bit."""

import json
import subprocess

import torch
from safetensors.torch import load_file, save_file

from .source import EXPORT, Check


def typescript(task, folder, name):
    """Runs exchange.mjs; whether it succeeded."""
    return subprocess.run(["node", str(EXPORT / "exchange.mjs"), task, str(folder), name]).returncode == 0


def received(source, entry, folder):
    """Loads what exchange.mjs wrote, then writes a fresh state dict for it to read; yields what is wrong."""
    kind = entry["class"]
    model = source.build(kind, entry["config"])
    state = load_file(folder / f"{kind}.safetensors")
    if sorted(state) != sorted(model.state_dict()):
        yield "other keys"
        return
    try:
        model.load_state_dict(state, strict=True)
    except RuntimeError as error:
        yield str(error)
        return
    torch.manual_seed(1)
    fresh = source.build(kind, entry["config"]).state_dict()
    # safetensors refuses tensors that share memory, as tied weights do
    save_file({key: tensor.clone() for key, tensor in fresh.items()}, folder / f"torch-{kind}.safetensors")


def returned(entry, folder):
    """Compares what was sent with what exchange.mjs wrote again; yields what is wrong."""
    sent, back = (load_file(folder / f"torch-{entry['class']}{end}.safetensors") for end in ("", ".again"))
    if sent.keys() != back.keys():
        yield "other keys came back"
    yield from (f"{key} came back different" for key in sorted(sent.keys() & back.keys()) if not torch.equal(sent[key], back[key]))


def checks(source, folder):
    """One check for each model of the source's exchange.json and each direction."""
    models = json.loads((source.folder / "exchange.json").read_text())["models"]
    name = source.folder.name
    if not typescript("write", folder, name):
        return [Check(f"state dicts of {name}", ["exchange.mjs write fails"])]
    to = [Check(f"{entry['class']} to PyTorch", list(received(source, entry, folder))) for entry in models]
    if any(check.complaints for check in to):
        return to
    if not typescript("read", folder, name):
        return [*to, Check(f"state dicts of {name}", ["exchange.mjs read fails"])]
    return [*to, *(Check(f"{entry['class']} from PyTorch", list(returned(entry, folder))) for entry in models)]
