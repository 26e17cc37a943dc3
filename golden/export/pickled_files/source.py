"""Files that torch.save and pickle.dump write, each with its numbers in expected.safetensors under the names that join the keys.

They have no case.json, so they are in golden/data, beside the cases and not among them."""

import pickle
import warnings

import numpy as np
import torch

from ..common import files
from ..common.source import Check, Source, same_bytes
from . import contents

FOLDER = "pickled-files"
PROTOCOLS = (0, 2, 3, 4, 5)
TORCH_PROTOCOLS = (4, 5)  # beside the default, 2


def numbers(value, name=""):
    """(name, tensor) for every tensor and array below a value that a safetensors file can hold."""
    if isinstance(value, dict):
        parts = [(str(key), item) for key, item in value.items()]
    elif isinstance(value, (list, tuple)):
        parts = [(str(at), item) for at, item in enumerate(value)]
    elif isinstance(value, contents.Mapping):
        parts = list(value.values.items())
    else:
        yield from leaf(value, name)
        return
    for key, item in parts:
        yield from numbers(item, f"{name}.{key}" if name else key)


def leaf(value, name):
    if isinstance(value, contents.JaxArray):
        value = value.values
    if isinstance(value, (np.ndarray, np.generic)) and value.dtype.kind in "fiub":
        yield name, torch.from_numpy(np.array(value, dtype=value.dtype.newbyteorder("=")))
    readable = isinstance(value, torch.Tensor) and not value.is_complex() and not value.is_sparse and not value.is_meta
    if readable and value.dtype != torch.float8_e4m3fn:
        yield name, value.detach().clone()


def write(folder, names, value, dump):
    folder.mkdir(parents=True, exist_ok=True)
    for name, protocol in names:
        dump(value, folder / name, protocol)
    files.write_tensors(folder / "expected.safetensors", dict(numbers(value)))


def dump_torch(value, path, protocol):
    torch.save(value, path, pickle_protocol=protocol)


def dump_pickle(value, path, protocol):
    path.write_bytes(pickle.dumps(value, protocol=protocol))


def home(cases):
    """The folder of the files beside a folder of cases."""
    return cases.parent / "data" / FOLDER


class PickledFiles(Source):
    def export(self, request):
        out = home(request.out)
        for name, make in contents.TORCH.items():
            if request.wants(f"{FOLDER}/{name}"):
                protocols = [("protocol-2.pt", 2)] + [(f"protocol-{n}.pt", n) for n in TORCH_PROTOCOLS if name == "views"]
                write(out / name, protocols, make(), dump_torch)
        for name, make in contents.PICKLES.items():
            if request.wants(f"{FOLDER}/{name}"):
                protocols = [(f"protocol-{n}.pickle", n) for n in PROTOCOLS if name == "haiku" or n == 4]
                write(out / name, protocols, make(), dump_pickle)
        return []

    def compare(self, committed, fresh, request):
        """The same bytes: what is written depends on the seeds and the versions alone."""
        checks = []
        for path in sorted(home(fresh).rglob("*.*")):
            name = path.relative_to(home(fresh))
            same = same_bytes(home(committed) / name, path)
            checks.append(Check(f"{FOLDER}/{name}", [] if same else ["differs from the file exported afresh"]))
        return checks


warnings.filterwarnings("ignore", category=UserWarning)
SOURCE = PickledFiles(__file__)
