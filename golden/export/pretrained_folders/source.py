"""Model folders that `save_pretrained` writes, each with the logits of the model that `from_pretrained` makes of it, and one state dict under
the names of PyTorch's wrappers. They have no case.json, so they are in golden/data, beside the cases and not among them.

Folders of transformers 5 come from a process of their own: both releases cannot share one."""

import shutil
import subprocess
import sys
import warnings
from pathlib import Path

import torch

from ..common import files
from ..common.source import Check, Source, same_bytes
from ..masks.install import dependency, pip

FOLDER = "pretrained-folders"
FIVE = "5.18.0"
TOLERANCE = 1e-9
SHARDS = {"max_shard_size": "5KB"}
BIN = {"safe_serialization": False}

# name of the folder, model, dtype, arguments of save_pretrained
FOLDERS = [
    ("llama-bfloat16-sharded", "Llama", torch.bfloat16, SHARDS),
    ("llama-float16-bin", "Llama", torch.float16, BIN),
    ("opt-bfloat16", "OPT", torch.bfloat16, {}),
    ("opt-float16-bin-sharded", "OPT", torch.float16, BIN | SHARDS),
    ("gpt-neox-float32-bin", "GPTNeoX", torch.float32, BIN),
    ("gpt-neox-bfloat16-sharded", "GPTNeoX", torch.bfloat16, SHARDS),
    ("gptj-float16-sharded", "GPTJ", torch.float16, SHARDS),
    ("gptj-bfloat16-bin", "GPTJ", torch.bfloat16, BIN),
    ("mpt-bfloat16", "Mpt", torch.bfloat16, {}),
    ("mpt-float32-bin-sharded", "Mpt", torch.float32, BIN | SHARDS),
]
FOLDERS_5 = [("gpt-neox-5", "GPTNeoX", torch.bfloat16, {}), ("llama-5", "Llama", torch.float16, SHARDS), ("gptj-5", "GPTJ", torch.float32, {})]
# the classes without their heads: their names lack the first part
BASES = [("opt-without-head", "OPT", "model"), ("mpt-without-head", "Mpt", "transformer")]


def home(cases):
    """The folder of the files beside a folder of cases."""
    return cases.parent / "data" / FOLDER


def write_expected(folder):
    from . import models

    exact, single = models.logits(folder, torch.float64), models.logits(folder, torch.float32)
    files.write_tensors(folder / "expected.safetensors", {"ids": models.IDS, "logits": exact, "noise": (single.double() - exact).abs().max()})


def write_folders(out, folders):
    from . import models

    for name, model, dtype, options in folders:
        models.build(model).to(dtype).save_pretrained(out / name, **options)
        write_expected(out / name)


def write_bases(out):
    from . import models

    for name, model, field in BASES:
        getattr(models.build(model), field).save_pretrained(out / name)
        write_expected(out / name)


def write_old(out):
    """Buffers that releases before 4.31 saved (modeling_gptj.py, modeling_gpt_neox.py and modeling_llama.py of 4.28), with the present weights."""
    mask = torch.tril(torch.ones(16, 16, dtype=torch.bool)).view(1, 1, 16, 16)
    frequencies = {"Llama": 4, "GPTNeoX": 2}
    from . import models

    for name, model in (("llama-old", "Llama"), ("gpt-neox-old", "GPTNeoX"), ("gptj-old", "GPTJ")):
        released = models.build(model)
        state = released.state_dict()
        for layer in range(2):
            path = {"Llama": f"model.layers.{layer}.self_attn", "GPTNeoX": f"gpt_neox.layers.{layer}.attention", "GPTJ": f"transformer.h.{layer}.attn"}[model]
            if model != "Llama":
                state |= {f"{path}.bias": mask, f"{path}.masked_bias": torch.tensor(-1e9)}
            if model in frequencies:
                width = frequencies[model]
                state[f"{path}.rotary_emb.inv_freq"] = 10000 ** (-torch.arange(0, width, 2) / width)
        (out / name).mkdir(parents=True, exist_ok=True)
        released.config.save_pretrained(out / name)
        torch.save(state, out / name / "pytorch_model.bin")
        write_expected(out / name)


def write_wrapped(out):
    from transformers.models.opt.modeling_opt import OPTDecoderLayer

    from . import models, wrapped

    (out / "wrapped").mkdir(parents=True, exist_ok=True)
    for name, state in wrapped.state_dicts(lambda: models.build("OPT"), OPTDecoderLayer):
        torch.save({key: tensor.detach().to(torch.bfloat16) for key, tensor in state.items()}, out / "wrapped" / f"{name}.pt")


def write_five(out, packages):
    """Writes the folders of transformers 5; the sentence why not, if it cannot."""
    packages.mkdir(parents=True, exist_ok=True)
    paths = [pip(packages / f"transformers-{FIVE}", f"transformers=={FIVE}"), dependency(packages, "transformers")]
    words = [sys.executable, "-m", "golden.export.pretrained_folders.source", str(out), *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True)
    return [] if done.returncode == 0 else [f"transformers {FIVE} could not be run: {done.stderr[-2000:]}"]


class PretrainedFolders(Source):
    def export(self, request):
        out = home(request.out)
        if not request.wants(FOLDER):
            return []
        shutil.rmtree(out, ignore_errors=True)
        write_folders(out, FOLDERS)
        write_bases(out)
        write_old(out)
        write_wrapped(out)
        return write_five(out, request.packages)

    def compare(self, committed, fresh, request):
        """The same bytes; logits and their noise are equal up to rounding."""
        checks = []
        for path in sorted(path for path in home(fresh).rglob("*") if path.is_file()):
            name = path.relative_to(home(fresh))
            old = home(committed) / name
            same = close(old, path) if path.name == "expected.safetensors" else same_bytes(old, path)
            checks.append(Check(f"{FOLDER}/{name}", [] if same else ["differs from the file exported afresh"]))
        return checks


def close(old, new):
    if not old.exists():
        return False
    x, y = files.read_tensors(old), files.read_tensors(new)
    return x.keys() == y.keys() and all((x[name].double() - y[name].double()).abs().max() < (1e-4 if name == "noise" else TOLERANCE) for name in x)


warnings.filterwarnings("ignore", category=UserWarning)
SOURCE = PretrainedFolders(__file__)

if __name__ == "__main__":
    sys.path[:0] = sys.argv[2:]
    write_folders(Path(sys.argv[1]), FOLDERS_5)
