"""Installs the packages behind the masks, each in a folder of its own, runs them on every short prompt and writes
golden/cases/masks. PyTorch, einops and safetensors are those of golden/export/requirements.txt.

  python run.py [--packages DIR] [--out DIR] [--jobs N] [NAME …]
"""

import argparse
import json
import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

HERE = Path(__file__).parent
sys.path.insert(0, str(HERE.parent))
sys.path.insert(0, str(HERE))

from files import write_json  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from sources import SOURCES  # noqa: E402

MINI = "git+https://github.com/dhansmair/flamingo-mini@8a8feaec47a36efb5b4834ebf1d56760656e31ed"


def pip(folder, *words):
    if folder.exists():
        return
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", "--no-deps", "--target", str(folder)]
    subprocess.run([*command, *words], check=True)


def folder_of(packages, source):
    return packages / ("flamingo-mini" if source["package"] == "flamingo-mini" else f"{source['package']}-{source['version']}")


def install(packages, sources):
    for source in sources:
        mini = source["package"] == "flamingo-mini"
        pip(folder_of(packages, source), MINI if mini else f"{source['package']}=={source['version']}")
    wanted = {source["package"] for source in sources}
    if wanted & {"transformers", "llama-models", "torchtune"}:
        pip(packages / "hf-deps", "-r", str(HERE / "requirements-transformers.txt"))
    if wanted & {"llama-models", "torchtune"}:
        pip(packages / "tt-deps", "-r", str(HERE / "requirements-llama.txt"))
        pip(packages / "fairscale", "--no-build-isolation", "fairscale==0.4.13")


def mint(source, packages, out):
    words = [sys.executable, str(HERE / "minting.py"), source["name"], str(folder_of(packages, source)), str(out)]
    done = subprocess.run(words, capture_output=True, text=True)
    print(done.stdout.strip().splitlines()[-1] if done.returncode == 0 else f"{source['name']} FAILED\n{done.stderr[-2000:]}", flush=True)
    return done.returncode == 0


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--packages", type=Path, default=HERE / ".packages")
    parser.add_argument("--out", type=Path, default=HERE.parent.parent / "cases" / "masks")
    parser.add_argument("--jobs", type=int, default=2)
    parser.add_argument("names", nargs="*")
    args = parser.parse_args()
    chosen = [s for s in SOURCES if not args.names or s["name"] in args.names]
    install(args.packages.resolve(), chosen)
    with tempfile.TemporaryDirectory() as kept, ThreadPoolExecutor(args.jobs) as pool:
        fine = list(pool.map(lambda s: mint(s, args.packages.resolve(), Path(kept)), chosen))
        gather(chosen, Path(kept), args.out, [s["name"] for s in SOURCES])
    sys.exit(0 if all(fine) else 1)


def gather(chosen, kept, out, order):
    """One file of tensors, each distinct one once: releases that behave alike share theirs."""
    out.mkdir(parents=True, exist_ok=True)
    manifest, rows = out / "masks.json", out / "rows.safetensors"
    known, stored = {}, {}
    if manifest.exists():
        old = load_file(rows)
        for entry in json.loads(manifest.read_text())["sources"]:
            stored[entry["name"]] = ({key: old[name] for key, name in entry["rows"].items()}, entry)
    for source in chosen:
        found = kept / f"{source['name']}.json"
        if found.exists():
            stored[source["name"]] = (load_file(found.with_suffix(".safetensors")), json.loads(found.read_text()))
    tensors, sources = {}, []
    for name in (name for name in order if name in stored):
        mine, entry = stored[name]
        entry["rows"] = {key: known.setdefault((key, mine[key].numpy().tobytes()), f"{key}/{name}") for key in entry["rows"]}
        tensors.update({entry["rows"][key]: mine[key] for key in mine})
        sources.append(entry)
    save_file(tensors, rows)
    rows.chmod(0o644)
    write_json(manifest, {"schema": "flamboyance-masks/1", "longest": {"full": 8, "ends": 5, "cached": 8}, "sources": sources})


if __name__ == "__main__":
    main()
