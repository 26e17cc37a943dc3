"""golden/kosmosx-state-dicts.json: keys, order and shapes of Kosmos at its released size, as its constructor builds it, and the README's, which
is not multiway.

A key of a layer is listed once, with "#" for the layer's number; `layers` has the number of layers of each stack, all of which are alike. `ties`
are keys of the same tensor. `parameters` counts a tensor once, by the first part of its key. Nothing is allocated: the models are built on
torch's meta device. The image tower is transformers' with the sizes of CLIP's ViT-L/14, in place of downloaded weights."""

import json
import re
import types
from unittest import mock

import torch

from ..common.state import own_state
from . import released

NAME = "kosmosx-state-dicts.json"
CLIP = {"hidden_size": 1024, "intermediate_size": 4096, "num_hidden_layers": 24, "num_attention_heads": 16, "image_size": 224, "patch_size": 14, "hidden_act": "gelu"}
MODELS = {"Kosmos": True, "Kosmos without multiway": False}


def build(multiway):
    """The released constructor, with `multiway` in its configuration of the decoder."""
    loaded = lambda name: types.SimpleNamespace(vision_model=released.tower(**CLIP))
    settings = lambda **own: released.DecoderConfig(**{**own, "multiway": multiway})
    downloads = mock.patch.object(released.package, "CLIPModel", types.SimpleNamespace(from_pretrained=loaded))
    with torch.device("meta"), downloads, mock.patch.object(released.package, "DecoderConfig", settings):
        return released.Kosmos()


def stack(key):
    """(path of a stack, number of the layer, key with "#" for the number), of a key that is in a stack of layers."""
    found = re.match(r"(.*?layers)\.(\d+)\.(.*)", key)
    return found and (found[1], int(found[2]), f"{found[1]}.#.{found[3]}")


def shortened(state):
    """(keys with the layers of each stack once, layers of each stack)."""
    keys, layers = {}, {}
    for key, tensor in state.items():
        path, number, general = stack(key) or (None, 0, key)
        assert keys.setdefault(general, list(tensor.shape)) == list(tensor.shape), key
        if path:
            layers.setdefault(path, {}).setdefault(number, []).append(general)
    for path, found in layers.items():
        assert list(found) == list(range(len(found))) and all(own == found[0] for own in found.values()), path
    return keys, {path: len(found) for path, found in layers.items()}


def entry(model):
    state, ties = own_state(model)
    keys, layers = shortened(state)
    trained = {name: parameter.numel() for name, parameter in model.named_parameters()}
    parts = {}
    for name, count in trained.items():
        parts[name.split(".")[0]] = parts.get(name.split(".")[0], 0) + count
    return {"parameters": sum(trained.values()), "parts": parts, "layers": layers, "ties": ties, "keys": keys}


def write(path):
    entries = []
    for name, multiway in MODELS.items():
        found = entry(build(multiway))
        keys = ",\n".join(f"  {json.dumps(key)}: {json.dumps(shape)}" for key, shape in found.pop("keys").items())
        fields = [f" {json.dumps(field)}: {json.dumps(value)}" for field, value in found.items()]
        entries.append(f"{json.dumps(name)}: {{\n" + ",\n".join(fields) + f',\n "keys": {{\n{keys}\n }}\n}}')
    path.write_text("{\n" + ",\n".join(entries) + "\n}\n")
