"""The mask cases: every package of packages.json is run on every short prompt (FORMAT.md §8)."""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import torch
from safetensors.torch import load_file, save_file

from ..common.files import write_json
from ..common.source import Check, Source, same_bytes
from .install import install

FOLDER = Path(__file__).resolve().parent
ENTRIES = json.loads((FOLDER / "packages.json").read_text())
LONGEST = {"full": 8, "ends": 5, "cached": 8}
JOBS = 2  # packages that run at the same time, one process each
FILES = ("masks.json", "rows.safetensors")


class MaskSource(Source):
    """The entries of packages.json that one source exports; all sources share the files of golden/cases/masks."""

    def __init__(self, file, entries):
        super().__init__(file)
        self.entries = entries

    def export(self, request):
        chosen = [entry for entry in self.entries if request.wants(f"masks/{entry['name']}")]
        paths = install(chosen, request.packages, request.checkout)
        with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(JOBS) as pool:
            fresh = Path(folder)
            finished = list(pool.map(lambda entry: run(entry, paths[entry["name"]], fresh), chosen))
            write(request.out / "masks", read(request.out / "masks") | raw(chosen, fresh))
        return [f"{entry['name']} could not be run" for entry, fine in zip(chosen, finished) if not fine]

    def compare(self, committed, fresh, request):
        old, new = (read(folder / "masks") for folder in (committed, fresh))
        names = [entry["name"] for entry in self.entries if request.wants(f"masks/{entry['name']}")]
        checks = [Check(f"masks/{name}", list(differences(old.get(name), new.get(name)))) for name in names]
        known = {entry["name"] for entry in ENTRIES}
        unknown = [f"{name} is not in packages.json" for name in old if name not in known]
        with tempfile.TemporaryDirectory() as folder:
            write(Path(folder), old | new)
            changed = [f"{file} differs" for file in FILES if not same_bytes(committed / "masks" / file, Path(folder) / file)]
        return [*checks, Check("masks: the files", unknown + changed)]


def run(entry, paths, out):
    """Runs one package in a process of its own, so that releases of one package do not meet; whether it succeeded."""
    words = [sys.executable, "-m", "golden.export.masks.evaluation", entry["name"], str(out), *map(str, paths)]
    done = subprocess.run(words, capture_output=True, text=True)
    print(done.stdout.strip().splitlines()[-1] if done.returncode == 0 else f"{entry['name']} FAILED\n{done.stderr[-2000:]}", flush=True)
    return done.returncode == 0


def raw(entries, folder):
    """name -> (group -> rows, manifest entry), of the packages that ran."""
    found = {entry["name"]: folder / f"{entry['name']}.json" for entry in entries}
    return {name: (load_file(path.with_suffix(".safetensors")), json.loads(path.read_text())) for name, path in found.items() if path.exists()}


def read(folder):
    """The same from the two files of a folder of mask cases; empty if it has none."""
    manifest, rows = (folder / file for file in FILES)
    if not manifest.exists():
        return {}
    tensors = load_file(rows)
    entries = json.loads(manifest.read_text())["sources"]
    return {entry["name"]: ({group: tensors[name] for group, name in entry["rows"].items()}, entry) for entry in entries}


def write(folder, found):
    """Writes each distinct tensor once: releases that behave alike share theirs. Entries are in the order of packages.json."""
    folder.mkdir(parents=True, exist_ok=True)
    known, tensors, entries = {}, {}, []
    for name in (entry["name"] for entry in ENTRIES if entry["name"] in found):
        rows, entry = found[name]
        stored = {group: known.setdefault((group, rows[group].numpy().tobytes()), f"{group}/{name}") for group in entry["rows"]}
        tensors.update({stored[group]: rows[group] for group in rows})
        entries.append(entry | {"rows": stored})
    manifest, file = (folder / name for name in FILES)
    save_file(tensors, file)
    file.chmod(0o644)
    write_json(manifest, {"schema": "flamboyance-masks/1", "longest": LONGEST, "sources": entries})


def differences(old, new):
    """The differences between two entries, apart from the names under which they share tensors."""
    if old is None or new is None:
        yield "is not among the committed cases" if old is None else "was not exported"
        return
    (rows, entry), (other_rows, other) = old, new
    yield from (f"{field} differs" for field in sorted({*entry, *other} - {"rows"}) if entry.get(field) != other.get(field))
    if list(rows) != list(other_rows):
        yield "other groups of rows"
    yield from (f"rows of {group} differ" for group in rows if group in other_rows and not torch.equal(rows[group], other_rows[group]))


SOURCE = MaskSource(__file__, [entry for entry in ENTRIES if "repository" not in entry])
