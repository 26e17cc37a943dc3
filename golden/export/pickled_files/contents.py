"""What the files hold, by the name of the file; and the classes of other packages whose pickles they imitate."""

import sys
import types

import numpy as np
import torch
from torch import nn


class TiedModel(nn.Module):
    """A table that the output head shares, a buffer that is counted, and one that is a view."""

    def __init__(self):
        super().__init__()
        self.embed = nn.Embedding(5, 4)
        self.norm = nn.BatchNorm1d(4)
        self.head = nn.Linear(4, 5, bias=False)
        self.head.weight = self.embed.weight
        self.register_buffer("position_ids", torch.arange(3).expand((1, -1)))

    def forward(self, ids):
        return self.head(self.norm(self.embed(ids)))


def module():
    torch.manual_seed(1)
    model = TiedModel()
    model(torch.tensor([0, 1, 2, 3]))  # running statistics of the norm
    return model.state_dict()


def training():
    """As train.py of OpenFlamingo saves it: a model's own tensors, the optimiser and the scheduler."""
    torch.manual_seed(2)
    model = nn.ModuleDict({"perceiver": nn.Linear(3, 2), "lang_encoder": nn.Linear(2, 2)})
    optimizer = torch.optim.AdamW(model.parameters(), lr=0.5)
    scheduler = torch.optim.lr_scheduler.MultiStepLR(optimizer, [1, 3])
    for _ in range(2):
        optimizer.zero_grad()
        model["lang_encoder"](model["perceiver"](torch.randn(4, 3))).square().sum().backward()
        optimizer.step()
        scheduler.step()
    states = {"optimizer_state_dict": optimizer.state_dict(), "lr_scheduler_state_dict": scheduler.state_dict()}
    return {"epoch": 3, "model_state_dict": model.state_dict()} | states


def views():
    """Tensors that share a storage, in orders that are not row-major."""
    base = torch.arange(24, dtype=torch.float32).reshape(4, 6)
    cube = torch.arange(24, dtype=torch.float64).reshape(2, 3, 4)
    return {
        "base": base,
        "same": base,
        "transposed": base.T,
        "column": base[:, 2],
        "corner": base[1:3, 2:5],
        "steps": base[::2, ::3],
        "last": base[3],
        "permuted": cube.permute(2, 0, 1),
        "parts": [cube[1], {"part": cube[:, 1:, 0]}],
        "half": base.bfloat16()[1:].T,
        "numbers": torch.arange(12).reshape(3, 4).T,
        "mask": (torch.arange(6).reshape(2, 3) % 2 == 0).T,
    }


FLOATS = (torch.float64, torch.float32, torch.float16, torch.bfloat16)
INTEGERS = (torch.int64, torch.int32, torch.int16, torch.int8, torch.uint8, torch.uint16, torch.uint32, torch.uint64)


def dtypes():
    values = torch.tensor([0.0, -0.0, 1.5, -2.25, 3e-5, 1e4, float("inf"), float("-inf"), float("nan")], dtype=torch.float64)
    found = {str(dtype)[6:]: values.to(dtype) for dtype in FLOATS}
    for dtype in INTEGERS:
        bounds = torch.iinfo(dtype)
        least, most = max(bounds.min, -(2**31)), min(bounds.max, 2**31 - 1)
        found[str(dtype)[6:]] = torch.tensor([least, 0, 1, most], dtype=dtype)
    found["bool"] = torch.tensor([True, False, True])
    found["scalar"] = torch.tensor(0.1)
    found["empty"] = torch.empty(0, 3)
    found["parameter"] = nn.Parameter(torch.tensor([1.0, 2.0]))
    found["attribute"] = torch.tensor([5.0])
    found["attribute"].note = "kept by torch"
    return found


def other_values():
    """Values beside tensors, and tensors that are named and not read."""
    return {
        "size": torch.Size([2, 3]),
        "dtype": torch.bfloat16,
        "device": torch.device("cuda:1"),
        "set": {1, 2},
        "bytes": b"a\xff",
        "complex": 1 + 2j,
        "large": 2**70,
        "negative": -(2**70),
        "float": 0.1,
        "none": None,
        "text": "é 權重 😀",
        "flags": [True, False],
        "tuple": (1, (2, "x")),
        "scalar": np.float64(2.5),
        "array": np.arange(6, dtype=np.int16).reshape(2, 3).T,
        "sparse": torch.eye(2).to_sparse(),
        "complex64": torch.tensor([1 + 2j]),
        "complex128": torch.tensor([1 + 2j], dtype=torch.complex128),
        "float8": torch.tensor([1.0]).to(torch.float8_e4m3fn),
        "meta": torch.empty(2, device="meta"),
        "conjugate": torch.tensor([1 + 2j]).conj(),
        "read": torch.tensor([1.0, 2.0]),
    }


def imitated(module, name, value):
    """A class or function that pickles under this name. Only the name is written; the packages are not needed to write it."""
    parts = module.split(".")
    for n in range(1, len(parts) + 1):
        found = sys.modules.setdefault(".".join(parts[:n]), types.ModuleType(".".join(parts[:n])))
    value.__module__, value.__qualname__, value.__name__ = module, name, name
    setattr(found, name, value)
    return value


class Mapping:
    def __init__(self, values):
        self.values = values

    def __reduce__(self):  # as that of dm-haiku 0.0.16, haiku/_src/data_structures.py
        return FLAT_MAPPING, (self.values,)


class JaxArray:
    def __init__(self, values):
        self.values = values

    def __reduce__(self):  # as that of jax 0.7.0, jax/_src/array.py
        construct, arguments, state = self.values.__reduce__()
        return RECONSTRUCT_ARRAY, (construct, arguments, state, {"weak_type": False})


FLAT_MAPPING = imitated("haiku._src.data_structures", "FlatMapping", type("FlatMapping", (), {}))
RECONSTRUCT_ARRAY = imitated("jax._src.array", "_reconstruct_array", lambda *_: None)


def haiku():
    """Parameters as haiku names them, with arrays in both memory orders and both byte orders."""
    draw = np.random.default_rng(3)
    weights = draw.standard_normal((4, 3)).astype(np.float32)
    bias = draw.standard_normal(3)
    params = {
        "perceiver/~/linear": {"w": weights, "b": bias},
        "perceiver/~/conv": {"w": np.asfortranarray(draw.standard_normal((2, 3, 2)).astype(np.float32)), "tied": weights},
        "big_endian": {"f4": weights.astype(">f4"), "i8": np.array([-2, 3], ">i8"), "f2": np.array([1.5, -0.25], ">f2")},
        "small": {"i1": np.array([-128, 127], np.int8), "u2": np.array([65535], np.uint16), "bool": np.array([[True], [False]])},
        "state": {"count": np.int64(7), "mean": np.float32(0.1), "empty": np.empty((0, 2), np.float32), "zero": np.array(2.0)},
    }
    return {"params": Mapping(params), "state": Mapping({"ema": {"average": JaxArray(bias)}}), "step": 12, "name": "imagenet"}


def objects():
    """Arrays that are named and not read."""
    return {"texts": np.array(["ab"]), "records": np.zeros(1, [("x", "f4")]), "complex": np.array([1j]), "dates": np.array(["2020"], "M8[Y]")}


TORCH = {"module": module, "training": training, "views": views, "dtypes": dtypes, "other-values": other_values}
PICKLES = {"haiku": haiku, "objects": objects}
