"""Measures PyTorch. For each line {"shape":[m,k,n]}, {"attention":[h,l,s,d]}, {"example":NAME} or
{"decode":{"layers","width","cached"}} on stdin it prints a line {"seconds"} or {"error"}; for {"languageModel":FOLDER,"tokens","steps"}
the times of a round, as `Round` in src/bench/decoders/pretrained.ts. The argument is the number of threads.

Products need torch; the examples need flamingo-pytorch 0.1.2 and vit-pytorch beside it, the language model transformers.
"""

import functools
import json
import resource
import statistics
import sys
import time

import torch

torch.set_num_threads(int(sys.argv[1]))
torch.manual_seed(1)


def vision():
    from released import Extractor, ViT

    vit = ViT(image_size=256, patch_size=32, num_classes=1000, dim=1024, depth=6, heads=16, mlp_dim=2048,
              dropout=0.1, emb_dropout=0.1)
    return Extractor(vit, return_embeddings_only=True)


def flamingo():
    from released import CLASSES

    return CLASSES["FlamingoPaLM"](
        num_tokens=20000, dim=1024, depth=12, heads=8, dim_head=64, img_encoder=vision(), media_token_id=3,
        cross_attn_every=3, perceiver_num_latents=64, perceiver_depth=2,
    ).eval()


def resampler(quick):
    from released import CLASSES

    images, dim = (1, 64) if quick else (2, 1024)
    model = CLASSES["PerceiverResampler"](
        dim=dim, depth=2, dim_head=64, heads=8, num_latents=64, num_media_embeds=4
    ).eval()
    media = torch.randn(1, images, 256, dim)
    return lambda: model(media)


def gated(_):
    from released import CLASSES

    model = CLASSES["GatedCrossAttentionBlock"](dim=1024, dim_head=64, heads=8).eval()
    text, media = torch.randn(1, 512, 1024), torch.randn(1, 2, 64, 1024)
    locations = torch.zeros(1, 512, dtype=torch.bool)
    locations[0, 0] = locations[0, 8] = True
    return lambda: model(text, media, media_locations=locations)


def on_text(_):
    model = flamingo()
    text = torch.randint(4, 20000, (2, 512))
    return lambda: model(text)


def on_dialogue(_):
    model = flamingo()
    text = torch.randint(4, 20000, (4, 512))
    text[:, 0] = text[:, 8] = 3
    images = torch.randn(4, 2, 3, 256, 256)
    return lambda: model(text, images=images)


EXAMPLES = {
    "perceiver-resampler": resampler,
    "gated-cross-attention-block": gated,
    "flamingo-palm-text": on_text,
    "flamingo-palm-dialogue": on_dialogue,
}


def median_seconds(task, seconds, runs):
    task()
    times, begun = [], time.perf_counter()
    while len(times) < runs or (len(times) < 100 and time.perf_counter() - begun < seconds):
        since = time.perf_counter()
        task()
        times.append(time.perf_counter() - since)
    return statistics.median(times)


MOST_STEPS = 102  # of median_seconds, with the one that is not counted


def decoding(layers, width, cached):
    """A step that adds a token to the cache."""
    from decoder import Decoder

    decoder = Decoder(layers, width, cached, cached + MOST_STEPS).eval()
    return lambda: decoder.step(decoder.at % 200)


def timed(task):
    since, before = time.perf_counter(), time.process_time()
    result = task()
    return result, time.perf_counter() - since, time.process_time() - before


@functools.cache
def language_model(folder):
    from transformers import AutoModelForCausalLM

    return AutoModelForCausalLM.from_pretrained(folder, dtype=torch.float32).eval()


def language_model_round(folder, tokens, steps):
    """Reads a text, then decodes greedily, in float32 and with transformers' own cache."""
    model = language_model(folder)
    ids = (7919 * torch.arange(tokens) + 11) % model.config.vocab_size

    def step(ids, past):
        out = model(ids, past_key_values=past, use_cache=True, logits_to_keep=1)
        return out.logits[:, -1].argmax(-1, keepdim=True), out.past_key_values

    (token, past), prefill, prefill_processor = timed(lambda: step(ids[None], None))
    seconds, processor = [], []
    for _ in range(steps):
        (token, past), wall, used = timed(lambda: step(token, past))
        seconds.append(wall)
        processor.append(used)
    return {"prefillSeconds": prefill, "prefillProcessorSeconds": prefill_processor,
            "tokenSeconds": statistics.median(seconds), "tokenProcessorSeconds": statistics.median(processor),
            "peakBytes": peak_bytes()}


def peak_bytes():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def answer(question):
    quick = question.get("quick", False)
    with torch.no_grad():
        if "languageModel" in question:
            return language_model_round(question["languageModel"], question["tokens"], question["steps"])
        if "decode" in question:
            task = decoding(**question["decode"])
            return {"seconds": median_seconds(task, 0 if quick else 1, 1 if quick else 5)}
        if "example" in question:
            task = EXAMPLES[question["example"]](quick)
            seconds = median_seconds(task, 0 if quick else 1, 1 if quick else 5)
            return {"seconds": seconds, "peakBytes": peak_bytes()}
        if "attention" in question:
            h, l, s, d = question["attention"]
            q, k, v = torch.randn(h, l, d), torch.randn(h, s, d), torch.randn(h, s, d)
            attend = torch.nn.functional.scaled_dot_product_attention
            return {"seconds": median_seconds(lambda: attend(q, k, v), 0 if quick else 0.4, 3)}
        m, k, n = question["shape"]
        a, b = torch.rand(m, k), torch.rand(k, n)
        return {"seconds": median_seconds(lambda: a @ b, 0 if quick else 0.4, 3)}


print(json.dumps({"version": torch.__version__}), flush=True)
for line in sys.stdin:
    try:
        print(json.dumps(answer(json.loads(line))), flush=True)
    except Exception as error:  # the next line may succeed
        print(json.dumps({"error": f"{type(error).__name__}: {error}"}), flush=True)
