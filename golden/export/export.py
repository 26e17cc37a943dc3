"""Mints golden cases from the real packages: python export.py [--cases FILE …] [--out DIR] [--keep DIR] [--only PATTERN …]"""

import argparse
import fnmatch
import json
import shutil
import time
from pathlib import Path

import torch

import coverage
from manifest import identity
import training
from mint import mint

HERE = Path(__file__).resolve().parent


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cases", type=Path, nargs="*", help="case files; without it, all of the project's, and COVERAGE.md")
    parser.add_argument("--out", type=Path, default=HERE.parent / "cases")
    parser.add_argument("--keep", type=Path, help="take rotary frequencies, and the noise of full-size cases, over from these cases")
    parser.add_argument("--only", nargs="*", default=["*"], help="patterns of ids")
    parser.add_argument("--small", action="store_true", help="no full-size cases")
    options = parser.parse_args()
    torch.manual_seed(0)
    whole = options.cases is None and options.only == ["*"] and not options.small
    began, made = time.time(), []
    for path in options.cases or sorted((HERE / "cases").glob("*.json")):
        spec = json.loads(path.read_text())
        for entry in spec["cases"]:
            wanted = any(fnmatch.fnmatchcase(identity(spec["class"], entry), pattern) for pattern in options.only)
            if not wanted or (options.small and entry.get("full")):
                continue
            since = time.time()
            torch.set_num_threads(2 if entry.get("full") else 1)  # fixed: the number of threads shows in the last bits
            made.append(mint(spec["class"], entry, options.out, options.keep))
            print(f"{time.time() - since:6.1f} s  {made[-1]['id']}", flush=True)
    if whole:
        for folder in options.out.glob("*/*"):
            if folder.parent.name != "training" and f"{folder.parent.name}/{folder.name}" not in {case["id"] for case in made}:
                shutil.rmtree(folder)
        training.mint_all(options.out)
        (options.out.parent / "COVERAGE.md").write_text(coverage.table(made))
    print(f"{len(made)} cases in {time.time() - began:.0f} s")


if __name__ == "__main__":
    main()
