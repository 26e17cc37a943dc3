"""An adapter of flamboyance probe for open-flamingo 2.0.1: its mixin around a language model that returns its input.

    pip install --no-deps open-flamingo==2.0.1        (with torch, einops, einops-exts and safetensors)
    flamboyance probe --media-dim 24 -- python golden/adapters/probe_open_flamingo.py
"""
import argparse
import importlib.util
import json
import sys
import types
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

package = types.ModuleType("released")  # the package without its own __init__, which needs language models
package.__path__ = [str(Path(importlib.util.find_spec("open_flamingo").origin).parent / "src")]
sys.modules["released"] = package
from released.flamingo_lm import FlamingoLMMixin  # noqa: E402
from released.utils import extend_instance  # noqa: E402


class Identity(torch.nn.Module):
    def forward(self, x, attention_mask=None):
        return x


class Language(torch.nn.Module):
    def __init__(self):
        super().__init__()
        self.layers = torch.nn.ModuleList([Identity()])

    def forward(self, input_ids, attention_mask, x):
        return self.layers[0](x, attention_mask=attention_mask)


parser = argparse.ArgumentParser()
parser.add_argument("--case", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()
case = json.loads((options.case / "case.json").read_text())
given = load_file(options.case / "inputs.safetensors")
x, media, ids, config = given["inputs.x"], given["inputs.media"], given["inputs.text"], case["config"]

torch.manual_seed(0)
model = Language()
extend_instance(model, FlamingoLMMixin)
model.set_decoder_layers_attr_name("layers")
model.init_flamingo(config["media_token_id"], config["dim"], config["dim_media"], 1, False)
block = model.gated_cross_attn_layers[0]
attended = []
block.attn.register_forward_hook(lambda module, args, out: attended.append(out))

with torch.no_grad():
    block.attn_gate.fill_(0.75)
    block.ff_gate.fill_(-0.5)
    model.layers[0].condition_vis_x(media)
    if "inputs.media_locations" not in given:
        (options.out / "adapter.json").write_text(json.dumps({"skipped": "it finds the images in the ids"}))
        sys.exit()
    model._use_cached_vision_x = case["passes"] is not None  # as its generate() does
    passes = case["passes"] or [ids.shape[1]]
    parts = zip(ids.split(passes, 1), x.split(passes, 1))
    out = torch.cat([model(input_ids=part, attention_mask=None, x=features) for part, features in parts], 1)
save_file({"outputs.out": out, "taps.attn": torch.cat(attended, 1)}, options.out / "outputs.safetensors")
