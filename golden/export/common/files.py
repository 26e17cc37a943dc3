"""Reads and writes the files of a case: manifests as compact JSON, tensors as safetensors."""

import json

import numpy as np
import torch
from safetensors.torch import load_file, save_file

WIDTH = 110
DTYPES = {
    torch.bfloat16: "BF16",
    torch.float32: "F32",
    torch.float64: "F64",
    torch.int64: "I64",
    torch.uint8: "U8",
    torch.bool: "BOOL",
}


def compact(value, indent=0, lead=0):
    """JSON with every value on one line if it fits; `lead` is the number of characters that precede the value on its line."""
    line = json.dumps(value, ensure_ascii=False)
    if indent + lead + len(line) < WIDTH or not isinstance(value, (dict, list)) or not value:
        return line
    inner = "\n" + " " * (indent + 1)
    if isinstance(value, list):
        parts = [compact(item, indent + 1) for item in value]
    else:
        names = [f"{json.dumps(name)}: " for name in value]
        parts = [name + compact(item, indent + 1, len(name)) for name, item in zip(names, value.values())]
    left, right = "[]" if isinstance(value, list) else "{}"
    return left + inner + ("," + inner).join(parts) + "\n" + " " * indent + right


def write_json(path, value):
    path.write_text(compact(value) + "\n", encoding="utf-8")


def stored(value):
    """The tensor in the narrowest of BF16, F32 and F64 that is exact; integers and booleans keep their type."""
    tensor = torch.from_numpy(np.array(value))
    if not tensor.is_floating_point():
        return tensor
    for dtype in (torch.bfloat16, torch.float32):
        if torch.equal(tensor.to(dtype).double(), tensor):
            return tensor.to(dtype)
    return tensor


def dtype_name(tensor):
    return DTYPES[tensor.dtype]


def write_tensors(path, tensors):
    save_file({name: tensor.contiguous() for name, tensor in tensors.items()}, path)
    path.chmod(0o644)


def read_tensors(path):
    return load_file(path) if path.exists() else {}
