"""Copies of committed cases in temporary folders, into which the tests plant errors."""

import json
import shutil
import tempfile
from pathlib import Path

from golden.export.common import files
from golden.export.common.source import GOLDEN


def copies(test, *paths):
    """A folder with copies of these paths of golden/, removed after the test."""
    folder = Path(tempfile.mkdtemp(prefix="flamboyance-golden-"))
    test.addCleanup(shutil.rmtree, folder)
    for path in paths:
        copy = shutil.copytree if (GOLDEN / path).is_dir() else shutil.copy
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        copy(GOLDEN / path, folder / path)
    return folder


def change_json(path, change):
    value = json.loads(path.read_text())
    change(value)
    path.write_text(json.dumps(value))


def change_tensors(path, change):
    tensors = dict(files.read_tensors(path))
    change(tensors)
    files.write_tensors(path, tensors)
