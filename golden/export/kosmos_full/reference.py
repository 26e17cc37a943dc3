"""python -m golden.export.kosmos_full.reference FOLDER TIMES IDS: what ours.mjs does, with kosmosx 0.3.1 on torchscale 0.3.0 in float32 on two threads.

IDS are the fifty tokens, joined by commas. The decoder is the released one and gets the embeddings with the image's in their places, which adds
positions once."""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ..kosmosx import model as passes
from ..kosmosx import state_dicts

TOKENS, SAMPLES = 10, 4096


def load(model, path):
    """Every tensor of the state dict, one at a time; the file has no others."""
    state = model.state_dict()
    with safe_open(path, "pt") as file:
        assert set(file.keys()) == set(state), set(file.keys()) ^ set(state)
        for name in file.keys():
            state[name].copy_(file.get_tensor(name))


def empty(multiway):
    """The released model without its initial values."""
    model = state_dicts.build(multiway).to_empty(device="cpu").eval()
    positions = model.clip_model.embeddings
    positions.position_ids = torch.arange(positions.num_positions)[None]
    return model


def embedded(model, ids, pixels):
    return passes.spliced(model.embed(ids), ids, passes.features(model, pixels), None)


def timed(task):
    begin, cpu = time.perf_counter(), time.process_time()
    result = task()
    return result, {"seconds": time.perf_counter() - begin, "cpu": time.process_time() - cpu}


def cached(model, ids, pixels):
    """The most probable tokens, of which the image's is never chosen."""
    begin, found, state = time.perf_counter(), [], {"is_first_step": True}
    x = own = embedded(model, ids, pixels)
    while True:
        scores = model.decoder(x, incremental_state=state, token_embeddings=own)[0][0, -1]
        state["is_first_step"] = False
        scores[ids[0, 1]] = float("-inf")
        found.append(scores.argmax().item())
        if len(found) == 1:
            prefix = time.perf_counter() - begin
        if len(found) == TOKENS:
            return {"ids": found, "prefix": prefix}
        own = model.embed(torch.tensor([[found[-1]]]))
        x = torch.cat([x, own], dim=1)


def summary(logits):
    values = logits[0].flatten()
    numbers = [values[i * len(values) // SAMPLES].item() for i in range(SAMPLES)]
    return {"rms": values.double().square().mean().sqrt().item(), "best": logits[0].argmax(-1).tolist(), "numbers": numbers}


@torch.no_grad()
def main(folder, times, tokens):
    torch.set_num_threads(2)
    folder = Path(folder)

    def opening():
        model = empty(False)
        load(model, folder / "float32.safetensors")
        return model

    model, opened = timed(opening)
    pixels = load_file(folder / "image.safetensors")["pixels"]
    ids = torch.tensor([[int(one) for one in tokens.split(",")]])

    def forward():
        x = embedded(model, ids, pixels)
        return model.decoder(x, token_embeddings=x)[0]

    logits, first = timed(forward)
    runs = [timed(forward)[1] for _ in range(int(times))]
    text, spent = timed(lambda: cached(model, ids, pixels))
    each = (spent["seconds"] - text["prefix"]) / (TOKENS - 1)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"opened": opened, "first": first, "passes": runs, "text": {**spent, **text, "each": each}, "logits": summary(logits), "peak": peak}))


if __name__ == "__main__":
    main(*sys.argv[1:])
