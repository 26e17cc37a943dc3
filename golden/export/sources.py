"""The released classes, built from a case's config (the source's own argument names)."""

import contextlib
import importlib.machinery
import importlib.util
import sys

import flamingo_pytorch.flamingo_palm as palm
import flamingo_pytorch.flamingo_pytorch as flamingo
import torch
from torch import nn

# vit_pytorch's __init__ imports every model it has, and with them torchvision, which we neither need nor install:
# the package is entered without running that file; vit.py and extractor.py are the released ones.
_spec = importlib.machinery.ModuleSpec("vit_pytorch", None, is_package=True)
_spec.submodule_search_locations = list(importlib.util.find_spec("vit_pytorch").submodule_search_locations)
sys.modules["vit_pytorch"] = importlib.util.module_from_spec(_spec)
from vit_pytorch.extractor import Extractor  # noqa: E402
from vit_pytorch.vit import ViT  # noqa: E402

FROM = {
    flamingo: [
        "FeedForward",
        "PerceiverAttention",
        "PerceiverResampler",
        "MaskedCrossAttention",
        "GatedCrossAttentionBlock",
    ],
    palm: ["LayerNorm", "RotaryEmbedding", "SwiGLU", "ParallelTransformerBlock", "FlamingoPaLM"],
}
CLASSES = {name: getattr(module, name) for module, names in FROM.items() for name in names}
CLASSES |= {"ViT": ViT, "Extractor": Extractor}
PACKAGE = {name: "vit-pytorch" if name in ("ViT", "Extractor") else "flamingo-pytorch" for name in CLASSES}
LEVEL = {"FlamingoPaLM": "model", "ViT": "model", "Extractor": "model", "GatedCrossAttentionBlock": "block"}
LEVEL |= {"PerceiverResampler": "block", "ParallelTransformerBlock": "block", "SwiGLU": "op"}


def encoder(config):
    """Stand-in encoders have no parameters: the release cannot be built without one, though text needs none."""
    config = dict(config)
    kind = config.pop("class")
    if kind == "Identity":
        return nn.Identity()
    return Extractor(vit(config), return_embeddings_only=True)


def vit(config):
    return ViT(**{name: tuple(value) if isinstance(value, list) else value for name, value in config.items()})


def build(kind, config):
    config = dict(config)
    if kind == "ViT":
        return vit(config).eval()
    if "vit" in config:
        config["vit"] = vit({name: value for name, value in config["vit"].items() if name != "class"})
    if "img_encoder" in config:
        config["img_encoder"] = encoder(config["img_encoder"])
    return CLASSES[kind](**config).eval()


def own_state(module):
    """(key -> tensor, ties): a tensor reachable by two keys stands under the first, the others are ties."""
    first, state, ties = {}, {}, {}
    for key, value in module.state_dict(keep_vars=True).items():
        if id(value) in first:
            ties[key] = first[id(value)]
        else:
            first[id(value)] = key
            state[key] = value
    return state, ties


@contextlib.contextmanager
def repaired(repair):
    """`embeds=` reads an undefined global `video`; a case may define it as data (None), and says so in its flags."""
    if repair == "video":
        palm.video = None
    try:
        yield
    finally:
        if repair == "video":
            del palm.video


def call(module, kind, arguments, positional):
    if kind == "RotaryEmbedding":
        arguments = {"max_seq_len": int(arguments["max_seq_len"]), "device": torch.device("cpu")}
    ordered = [arguments[name] for name in positional]
    return module(*ordered, **{name: value for name, value in arguments.items() if name not in positional})
