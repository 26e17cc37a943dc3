"""An adapter for flamboyance probe: reads CASE/inputs.safetensors, runs a cross-attention block on it, writes OUT/outputs.safetensors.

    flamboyance probe -- python golden/adapters/probe.py [--all-previous]

Put your own block into `build`. It needs gates away from 0, weights that are the same in every run, and no dropout. The command is
run once for each call; calls with `passes` (cached decoding) and without media_locations may be skipped through adapter.json, others
not. With --all-previous the rows are also those of a known mistake, so the exit status is 1, and 0 with
--expect "flamingo-pytorch@0.1.2 all-previous".
probe_open_flamingo.py is an adapter for a model that caches between passes.
"""
import argparse
import json
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file


def build(config, options):
    from flamingo_pytorch import GatedCrossAttentionBlock

    assert config["dim"] == config["dim_media"], "this block has a single width: omit --media-dim"
    immediate = not options.all_previous
    torch.manual_seed(0)
    block = GatedCrossAttentionBlock(dim=config["dim"], dim_head=8, heads=4, only_attend_immediate_media=immediate)
    with torch.no_grad():
        block.attn_gate.fill_(0.75)
        block.ff_gate.fill_(-0.5)
    return block.eval()


parser = argparse.ArgumentParser()
parser.add_argument("--all-previous", action="store_true")
parser.add_argument("--case", type=Path, required=True)
parser.add_argument("--out", type=Path, required=True)
options = parser.parse_args()

case = json.loads((options.case / "case.json").read_text())
if case["passes"]:  # the number of positions in each pass of a cached decoding
    (options.out / "adapter.json").write_text(json.dumps({"skipped": "this block has no cache"}))
else:
    given = {name.removeprefix("inputs."): value for name, value in load_file(options.case / "inputs.safetensors").items()}
    block, attended = build(case["config"], options), {}
    block.attn.register_forward_hook(lambda module, args, out: attended.update({"taps.attn": out.contiguous()}))
    with torch.no_grad():
        out = block(given["x"], given["media"], media_locations=given.get("media_locations"))
    save_file({"outputs.out": out.contiguous(), **attended}, options.out / "outputs.safetensors")
