"""Checkpoints that are written here, loaded as open_flamingo/train/train.py and open_flamingo/eval/models/open_flamingo.py load them."""

import subprocess
import tempfile
from pathlib import Path

import torch
from safetensors.torch import load_file

from ..common.source import Check
from . import models

# of the language model; the package drops them too
LOST = {"gptj": ["lm_head.weight", "lm_head.bias"], "llama": ["lm_head.weight"]}


def is_frozen(name, loses):
    """Whether a checkpoint of the trained part has no need of a tensor."""
    if name.startswith("vision_encoder.") or ".old_decoder_blocks." in name or ".gated_cross_attn_layers." in name:
        return True
    own = name.removeprefix("lang_encoder.")
    return own in loses or (own != name and "gated_cross_attn_layer." not in name and not own.endswith(("wte.weight",)) and "embed" not in own and "lm_head" not in own)


def complaints(name, form, path, expected):
    model = models.build(name)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
    state = torch.load(path, map_location="cpu", weights_only=True) if path.suffix == ".pt" else load_file(path)
    result = model.load_state_dict(state, strict=False)
    if result.unexpected_keys:
        yield f"unexpected keys: {result.unexpected_keys[:3]}"
    tied = {id(parameter): first for first, parameter in model.named_parameters()}
    loaded = {tied[id(parameter)] for key, parameter in model.named_parameters(remove_duplicate=False) if key in state}
    loses = LOST.get(name, []) if form == "package" else []
    for key, parameter in model.named_parameters():
        if key not in loaded and (form == "everything" or not is_frozen(key, loses)):
            yield f"{key} is not there"
        if not torch.equal(parameter, expected[key] if key in loaded else torch.zeros_like(parameter)):
            yield f"{key} differs"


def checks(data):
    """One check for each model and form. `data` has the weights."""
    with tempfile.TemporaryDirectory() as folder:
        script = Path(__file__).with_suffix(".mjs")
        if subprocess.run(["node", str(script), folder]).returncode != 0:
            return [Check("checkpoints that are written here", [f"{script.name} fails; npm run build comes first"])]
        found = []
        for name in models.LANGUAGE:
            expected = load_file(data / f"{name}.expected.safetensors")
            for path in sorted(Path(folder).glob(f"{name}.*")):
                if path.name.split(".")[0] == name:
                    form = path.name.split(".")[1]
                    found.append(Check(f"{path.name} loads in the package", list(complaints(name, form, path, expected))))
        return found
