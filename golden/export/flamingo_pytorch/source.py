"""flamingo-pytorch: the released classes, built from a case's config (the source's own argument names)."""

import contextlib

import flamingo_pytorch.flamingo_palm as palm
import flamingo_pytorch.flamingo_pytorch as flamingo
import torch

from ..common.cases.source import CaseSource
from ..common.source import EXPORT, Check, same_bytes
from ..vit_pytorch import classes as vit
from . import flags, state_dicts

BLOCKS = ["FeedForward", "PerceiverAttention", "PerceiverResampler", "MaskedCrossAttention", "GatedCrossAttentionBlock"]
MODELS = ["LayerNorm", "RotaryEmbedding", "SwiGLU", "ParallelTransformerBlock", "FlamingoPaLM"]


class FlamingoPytorch(CaseSource):
    package, profile = "flamingo-pytorch", "flamingo-pytorch@0.1.2"
    other_versions = {"vitPytorch": "vit-pytorch"}
    classes = {name: getattr(module, name) for module, names in ((flamingo, BLOCKS), (palm, MODELS)) for name in names}
    levels = {
        "FlamingoPaLM": "model",
        "GatedCrossAttentionBlock": "block",
        "PerceiverResampler": "block",
        "ParallelTransformerBlock": "block",
        "SwiGLU": "op",
    }
    names = {"FlamingoPaLM": "flamingo-palm", "SwiGLU": "swiglu", "LayerNorm": "palm-layer-norm"}

    def __init__(self, file):
        super().__init__(file)
        encoder = self.table("taps", EXPORT / "vit_pytorch")  # an image encoder records what it records on its own
        self.taps = {part: {**encoder[part], **self.taps[part]} for part in encoder}

    def build(self, kind, config):
        config = dict(config)
        if "img_encoder" in config:
            config["img_encoder"] = vit.encoder(config["img_encoder"])
        return self.classes[kind](**config).eval()

    def call(self, module, kind, arguments, positional):
        if kind == "RotaryEmbedding":
            arguments = {"max_seq_len": int(arguments["max_seq_len"]), "device": torch.device("cpu")}
        return super().call(module, kind, arguments, positional)

    @contextlib.contextmanager
    def repaired(self, repair):
        """`embeds=` reads an undefined global `video`; a case may define it as data (None), and its flags say so."""
        if repair == "video":
            palm.video = None
        try:
            yield
        finally:
            if repair == "video":
                del palm.video

    def flags(self, case, inputs, weights, expected):
        return flags.flags(case, inputs, weights, expected, self.classes[case["class"]])

    def finish(self, out, made):
        super().finish(out, made)
        state_dicts.write(self, out.parent / "state-dicts.json")

    def compare(self, committed, fresh, request):
        checks = super().compare(committed, fresh, request)
        if request.complete:
            same = same_bytes(committed.parent / "state-dicts.json", fresh.parent / "state-dicts.json")
            checks.append(Check("state-dicts.json", [] if same else ["differs"]))
        return checks


SOURCE = FlamingoPytorch(__file__)
