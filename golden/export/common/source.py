"""What a source of golden cases is: the object SOURCE in golden/export/<name>/source.py (FORMAT.md §7)."""

import fnmatch
import importlib
from dataclasses import dataclass, field
from pathlib import Path

EXPORT = Path(__file__).resolve().parents[1]
GOLDEN = EXPORT.parent


@dataclass(frozen=True)
class Request:
    """What to export, and where to."""

    out: Path  # golden/cases, or the folder that stands in for it
    keep: Path | None = None  # rotary frequencies, and the noise of full-size cases, are taken over from these cases
    only: tuple[str, ...] = ("*",)  # patterns of ids; the package in front may be left out
    small: bool = False  # no full-size cases
    files: tuple[Path, ...] | None = None  # case files in place of the source's own
    checkout: Path | None = None  # --from: a checkout of the source's repository
    packages: Path | None = None  # where a source may install packages that must not meet in one environment

    @property
    def complete(self):
        return self.only == ("*",) and not self.small and self.files is None

    def wants(self, identity, full=False):
        named = any(fnmatch.fnmatchcase(name, pattern) for pattern in self.only for name in (identity, identity.split("/")[-1]))
        return named and not (self.small and full)


@dataclass
class Check:
    """One comparison of a committed case with the one exported afresh; it passes if there are no complaints."""

    name: str
    complaints: list[str] = field(default_factory=list)


class Source:
    """The interface that golden/export/common/command.py relies on."""

    def __init__(self, file):
        self.folder = Path(file).resolve().parent

    def export(self, request):
        """Writes the cases that `request` asks for; returns what could not be written, as sentences."""
        raise NotImplementedError

    def compare(self, committed, fresh, request):
        """The checks of what `request` has written to the folder `fresh` against the committed cases."""
        raise NotImplementedError


def load(name):
    return importlib.import_module(f"golden.export.{name}.source").SOURCE


def same_bytes(a, b):
    return a.exists() and b.exists() and a.read_bytes() == b.read_bytes()
