"""A probe's adapter: reads CASE/inputs.safetensors, runs a cross-attention block on it, writes OUT/outputs.safetensors.

    flamboyance probe -- python golden/adapters/probe.py [--block NAME] [--all-previous]

Put your own block into `build`. It needs gates away from 0 and weights that are the same in every run.
"""
import argparse
import importlib.util
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def flamingo_pytorch(config, immediate):
    from flamingo_pytorch import GatedCrossAttentionBlock

    assert config["dim"] == config["dim_media"], "this block has one width: leave --media-dim out"
    return GatedCrossAttentionBlock(dim=config["dim"], dim_head=8, heads=4, only_attend_immediate_media=immediate)


def open_flamingo(config, immediate):
    folder = Path(importlib.util.find_spec("open_flamingo").origin).parent  # without its language models
    spec = importlib.util.spec_from_file_location("helpers", folder / "src" / "helpers.py")
    helpers = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(helpers)
    return helpers.GatedCrossAttentionBlock(dim=config["dim"], dim_visual=config["dim_media"], dim_head=8, heads=4,
                                            only_attend_immediate_media=immediate)


def build(config, options):
    torch.manual_seed(0)
    block = {"flamingo-pytorch": flamingo_pytorch, "open-flamingo": open_flamingo}[options.block]
    block = block(config, not options.all_previous).eval()
    with torch.no_grad():
        block.attn_gate.fill_(0.75)
        block.ff_gate.fill_(-0.5)
    return block


parser = argparse.ArgumentParser()
parser.add_argument("--block", default="flamingo-pytorch")
parser.add_argument("--all-previous", action="store_true")
parser.add_argument("--case", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

case = json.loads((options.case / "case.json").read_text())
if case["passes"]:  # these positions at a time, with whatever is kept between passes
    (options.out / "adapter.json").write_text(json.dumps({"skipped": "this block keeps nothing between passes"}))
else:
    given = {name.removeprefix("inputs."): value for name, value in load_file(options.case / "inputs.safetensors").items()}
    block, seen = build(case["config"], options), {}
    block.attn.register_forward_hook(lambda module, args, out: seen.update({"taps.attn": out.contiguous()}))
    with torch.no_grad():
        out = block(given["x"], given["media"], media_locations=given.get("media_locations"))
    save_file({"outputs.out": out.contiguous(), **seen}, options.out / "outputs.safetensors")
