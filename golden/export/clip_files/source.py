"""Files of CLIP models and pictures, which have no case.json, so that they are in golden/data, beside the cases."""

import shutil
import warnings

import torch

from ..common.source import Check, Source, same_bytes
from ..common import files

FOLDER = "clip"
TOLERANCE = 1e-9


def home(cases):
    """The folder of the files beside a folder of cases."""
    return cases.parent / "data" / FOLDER


def close(old, new):
    if not old.exists():
        return False
    x, y = files.read_tensors(old), files.read_tensors(new)
    return x.keys() == y.keys() and all((x[name].double() - y[name].double()).abs().max() < TOLERANCE for name in x)


class ClipFiles(Source):
    def export(self, request):
        from . import models, pictures

        out = home(request.out)
        if not request.wants(FOLDER):
            return []
        torch.set_num_threads(1)
        shutil.rmtree(out, ignore_errors=True)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            models.export(out)
            pictures.export(out / "pictures")
        return []

    def compare(self, committed, fresh, request):
        """The same bytes; results are equal up to rounding. The archive of TorchScript, which is refused unread, has its code's own names in it."""
        checks = []
        for path in sorted(path for path in home(fresh).rglob("*") if path.is_file()):
            name = path.relative_to(home(fresh))
            old = home(committed) / name
            same = close(old, path) if path.name == "expected.safetensors" else same_bytes(old, path)
            same = same or (path.name == "script.pt" and old.exists())
            checks.append(Check(f"{FOLDER}/{name}", [] if same else ["differs from the file exported afresh"]))
        return checks


SOURCE = ClipFiles(__file__)
