"""Installs the packages behind the mask cases, each without its dependencies and in a folder of its own, because releases of
one package, and their dependencies, cannot share an environment."""

import hashlib
import subprocess
import sys
from pathlib import Path

REQUIREMENTS = Path(__file__).resolve().parent / "requirements"


def pip(folder, *words):
    """Installs into `folder`, which is complete if it exists."""
    if folder.exists():
        return folder
    partial = folder.with_name(f"{folder.name}.partial")
    options = ["--quiet", "--disable-pip-version-check", "--no-deps", "--no-build-isolation"]
    subprocess.run([sys.executable, "-m", "pip", "install", *options, "--target", str(partial), *words], check=True)
    return partial.rename(folder)


def dependency(packages, name):
    """The folder of one file of requirements; its name changes with the file."""
    file = REQUIREMENTS / f"{name}.txt"
    return pip(packages / f"{name}-requirements-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}", "-r", str(file))


def install(entries, packages, checkout):
    """name of an entry -> the folders that its process puts on the module path, its own package first."""
    packages.mkdir(parents=True, exist_ok=True)
    paths = {}
    for entry in entries:
        own = checkout
        if "repository" not in entry:
            own = pip(packages / f"{entry['package']}-{entry['version']}", f"{entry['package']}=={entry['version']}")
        paths[entry["name"]] = [own, *(dependency(packages, name) for name in entry.get("requires", []))]
    return paths
