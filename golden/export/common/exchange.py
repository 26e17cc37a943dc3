"""Exchanges state dicts with the TypeScript models of a source (its exchange.json), in both directions.

A file that exchange.mjs writes must load strictly here, and a file written here must come back bit for bit."""

import json
import subprocess
import tempfile

import torch
from safetensors.torch import load_file, save_file

from .source import EXPORT, Check


def typescript(task, folder, name):
    subprocess.run(["node", str(EXPORT / "exchange.mjs"), task, folder, name], check=True)


def received(source, entry, folder):
    """Loads what exchange.mjs wrote, then writes a fresh state dict for it to read."""
    kind = entry["class"]
    model = source.build(kind, entry["config"])
    state = load_file(f"{folder}/{kind}.safetensors")
    if sorted(state) != sorted(model.state_dict()):
        yield f"{kind}: other keys"
        return
    model.load_state_dict(state, strict=True)
    torch.manual_seed(1)
    fresh = source.build(kind, entry["config"]).state_dict()
    # safetensors refuses tensors that share memory, as tied weights do
    save_file({key: tensor.clone() for key, tensor in fresh.items()}, f"{folder}/torch-{kind}.safetensors")


def returned(entry, folder):
    kind = entry["class"]
    sent, back = (load_file(f"{folder}/torch-{kind}{end}.safetensors") for end in ("", ".again"))
    if sent.keys() != back.keys():
        yield f"{kind}: other keys came back"
    yield from (f"{kind}: {key} came back different" for key in sorted(sent.keys() & back.keys()) if not torch.equal(sent[key], back[key]))


def check(source):
    """The checks of the source's exchange.json; none if it has no such file."""
    path = source.folder / "exchange.json"
    if not path.exists():
        return []
    models = json.loads(path.read_text())["models"]
    with tempfile.TemporaryDirectory() as folder:
        typescript("write", folder, source.folder.name)
        found = [complaint for entry in models for complaint in received(source, entry, folder)]
        if not found:
            typescript("read", folder, source.folder.name)
            found = [complaint for entry in models for complaint in returned(entry, folder)]
    return [Check(f"state dicts of {', '.join(entry['class'] for entry in models)}, both directions", found)]
