"""Perceiver IO of JOBR0/PerceiverIO_Pytorch, which no package registry has."""

import importlib.metadata

from . import stubs

stubs.install()

import torch  # noqa: E402
from perceiver_io import output_queries as queries  # noqa: E402
from perceiver_io import transformer_primitives as layers  # noqa: E402
from perceiver_io.classification_perceiver import ClassificationPerceiver, PrepType  # noqa: E402
from perceiver_io.flow_perceiver import FlowPerceiver  # noqa: E402
from perceiver_io.io_processors import postprocessors, preprocessors  # noqa: E402
from perceiver_io.language_perceiver import LanguagePerceiver  # noqa: E402
from perceiver_io.multimodal_perceiver import MultiModalPerceiver  # noqa: E402
from perceiver_io.perceiver import PerceiverIO  # noqa: E402
from perceiver_io.position_encoding import PosEncodingType  # noqa: E402

from ..common.cases.source import CaseSource  # noqa: E402
from . import flags, positions  # noqa: E402

positions.install()

PREPROCESSORS = ["EmbeddingPreprocessor", "ImagePreprocessor", "OneHotPreprocessor", "AudioPreprocessor"]
POSTPROCESSORS = [f"{name}Postprocessor" for name in ("Embedding", "Image", "Audio", "Identity", "Classification", "Projection", "Flow")]
QUERIES = ["BasicQuery", "TrainableQuery", "FourierQuery", "FlowQuery"]
TASKS = {kind.__name__: kind for kind in (LanguagePerceiver, ClassificationPerceiver, MultiModalPerceiver, FlowPerceiver)}
SMALL = {"num_latents": 1, "num_self_attends_per_block": 0, "num_latent_channels": 16}  # of the PerceiverIO that a case replaces
COMMIT = "64947cf"


def value(name, given):
    """An option as the repository takes it."""
    if name == "position_encoding_type":
        return PosEncodingType[given]
    if name == "prep_type" and given in PrepType.__members__:
        return PrepType[given]
    if name == "input_mask_probs":
        return {modality: float(probability) for modality, probability in given.items()}
    if isinstance(given, list):
        return tuple(given)
    if isinstance(given, dict):
        return module(given) if "class" in given else {key: value(key, one) for key, one in given.items()}
    return given


def module(config):
    own = {name: value(name, given) for name, given in config.items() if name != "class"}
    return CLASSES[config["class"]](**own)


class Embedding(torch.nn.Embedding):
    """A table for the postprocessor that is tied to one."""


def task(kind):
    def build(perceiver=None, **own):
        made = kind(**own, **(SMALL if perceiver else {}))
        if perceiver:
            made.perceiver = perceiver
        return made

    return build


CLASSES = {name: getattr(layers, name) for name in ("Attention", "MLP", "SelfAttention", "CrossAttention")}
CLASSES |= {name: getattr(preprocessors, name) for name in PREPROCESSORS}
CLASSES |= {name: getattr(postprocessors, name) for name in POSTPROCESSORS}
CLASSES |= {name: getattr(queries, name) for name in QUERIES}
CLASSES |= {"PerceiverIO": PerceiverIO, "Embedding": Embedding} | {name: task(kind) for name, kind in TASKS.items()}


class Perceiver(CaseSource):
    package, profile = "perceiver-io", f"perceiver-io@{COMMIT}"
    classes = {name: kind for name, kind in CLASSES.items() if name != "Embedding"}
    levels = {name: "model" for name in ("PerceiverIO", *TASKS)}
    names = {"MLP": "mlp", "PerceiverIO": "perceiver-io"}

    def versions(self):
        return COMMIT, importlib.metadata.version("torch").split("+")[0], {}

    def build(self, kind, config):
        made = module({"class": kind, **{name: given for name, given in config.items() if name != "return_matrix"}}).eval()
        made.case = config
        for name, parameter in made.named_parameters():
            if name.endswith("proj_k.bias"):
                parameter.requires_grad_(False)  # its gradient is 0, whose noise has no relative bound
        return made

    def call(self, module, kind, arguments, positional):
        scalars = {name: int(given) for name, given in arguments.items() if self.axes[kind][name] == ""}
        nested, given = {}, {**arguments, **scalars}
        for name in [name for name in given if "." in name]:
            first, rest = name.split(".", 1)
            nested.setdefault(first, {})[rest] = given.pop(name)
        given |= nested
        floats = [*module.parameters(), *arguments.values()]
        positions.case["dtype"] = next(one.dtype for one in floats if one.is_floating_point())
        with positions.new_tensors():
            return self.result(module, kind, given)

    def result(self, module, kind, given):
        if kind == "PerceiverIO":
            return module(given.pop("inputs"), **given)
        if kind in PREPROCESSORS:
            out, without = module(**given)
            return {"out": out, "without_pos": without}
        if kind == "LanguagePerceiver":
            return module(given["inputs"], given.get("input_masks"))
        if kind == "ClassificationPerceiver":
            return module(given["img"])
        if kind == "Attention" and module.case.get("return_matrix"):
            matrix, out = module(**given, return_matrix=True)
            return {"out": out, "matrix": matrix}
        return module(**given)

    def weight_recipe(self, key, shape, nth):
        if key.endswith("running_var"):
            return {"mean": 1, "exponent": -8, "bits": 8}  # 0.5 to 1.5: a variance is positive
        if key.endswith("num_batches_tracked"):
            return {"low": 3, "high": 4}  # an integer
        if key.endswith("convs.0.weight") or key.endswith("convs.1.weight"):
            return {"mean": 0, "exponent": -10, "bits": 8}  # 49 pixels of each channel
        return super().weight_recipe(key, shape, nth)

    def flags(self, case, inputs, weights, expected):
        return flags.flags(case)


SOURCE = Perceiver(__file__)
