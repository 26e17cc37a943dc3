"""python -m golden.export.flamingo_3b.reference FOLDER TOKENS: what ours.mjs does, with open-flamingo in float32; prints times, memory and ids."""

import json
import resource
import sys
import time
from pathlib import Path

import torch
from safetensors import safe_open
from safetensors.torch import load_file

from ..open_flamingo_checkpoints import released, state_dicts

PROMPT = [50278, 13496, 27]
# this release of llm-foundry asks each of its layers for its attention, and open-flamingo's layers are around them
released.flamingo_lm.FlamingoLayer.attn = property(lambda layer: layer.decoder_layer.attn)


def language_weights(folder):
    for path in sorted(folder.glob("*.safetensors")):
        with safe_open(path, "pt") as file:
            for name in file.keys():
                yield name, file.get_tensor(name)


def load(module, weights):
    """Values rounded to float32, one tensor at a time."""
    state = module.state_dict()
    for name, tensor in weights:
        state[name].copy_(tensor)


def build(folder):
    kind, config = state_dicts.MPT_1B
    with torch.device("meta"):
        vision = released.clip(**released.LARGE)
        language = released.release.Generating(released.release.MPTConfig(**json.loads(json.dumps(config))))
    vision.visual.output_tokens = True
    vision.to_empty(device="cpu")
    language.to_empty(device="cpu")
    model = released.flamingo(vision, language, 1024, 1).eval()
    model.lang_encoder.media_token_id, model.eoc_token_id, model.media_token_id = 50278, 50277, 50278
    load(language, language_weights_of(model, folder))
    load(model.vision_encoder, load_file(folder / "vision.safetensors").items())
    load(model, torch.load(folder / "checkpoint.pt", mmap=True, weights_only=True).items())
    return model


def language_weights_of(model, folder):
    for name, tensor in language_weights(folder / "language"):
        yield name.replace("transformer.blocks.", "old_decoder_blocks.") if ".blocks." in name else name, tensor


@torch.no_grad()
def main(folder, tokens):
    torch.set_num_threads(2)
    start = time.perf_counter()
    model = build(Path(folder))
    opened = time.perf_counter() - start
    pixels = load_file(Path(folder) / "image.safetensors")["pixels"]
    ids = torch.tensor([PROMPT])
    begin, cpu = time.perf_counter(), time.process_time()
    out = model.generate(pixels, ids, attention_mask=torch.ones_like(ids), do_sample=False, max_new_tokens=tokens, min_new_tokens=tokens, pad_token_id=0)
    total, used = time.perf_counter() - begin, time.process_time() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20
    print(json.dumps({"opened": opened, "total": total, "cpu": used, "threads": torch.get_num_threads(), "peak": peak, "ids": out[0, len(PROMPT) :].tolist()}))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
