"""Exports the cases of one source, exports them afresh and compares them with the committed ones, or exchanges state dicts.

Run from the root of the repository, in the source's environment:
  python -m golden.export.common.command export|verify|exchange --source NAME
The npm scripts golden:export, golden:verify and golden:exchange make that environment and call this."""

import argparse
import sys
import tempfile
from pathlib import Path

from . import exchange
from .source import GOLDEN, Check, Request, load


def arguments():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("task", choices=("export", "verify", "exchange"))
    parser.add_argument("--source", required=True, help="a folder of golden/export that has a source.json")
    parser.add_argument("--out", type=Path, default=GOLDEN / "cases", help="where export writes the cases")
    parser.add_argument("--keep", type=Path, help="take rotary frequencies, and the noise of full-size cases, over from these cases")
    parser.add_argument("--only", nargs="+", default=["*"], metavar="PATTERN", help="the cases whose ids match")
    parser.add_argument("--small", action="store_true", help="no full-size cases")
    parser.add_argument("--cases", type=Path, nargs="+", metavar="FILE", help="case files in place of the source's own")
    parser.add_argument("--from", dest="checkout", type=Path, metavar="FOLDER", help="a checkout of the source's repository")
    parser.add_argument("--packages", type=Path, metavar="FOLDER", help="where the source may install packages of its own")
    return parser.parse_args()


def loaded(name, checkout):
    """The source; the modules of a checkout take precedence over installed ones."""
    if checkout:
        sys.path.insert(0, str(checkout.resolve()))
    return load(name)


def request_of(options, out, keep):
    return Request(
        out=out,
        keep=keep,
        only=tuple(options.only),
        small=options.small,
        files=tuple(options.cases) if options.cases else None,
        checkout=options.checkout and options.checkout.resolve(),
        packages=options.packages and options.packages.resolve(),
    )


def verify(source, request, committed):
    """Exports into the folder of `request` and compares; (passed, failed)."""
    problems = source.export(request)
    checks = source.compare(committed, request.out, request) + ([Check("export", problems)] if problems else [])
    return counted(checks)


def counted(checks):
    """Prints the complaints; (passed, failed)."""
    for check in checks:
        for complaint in check.complaints:
            print(f"FAILED {check.name}: {complaint}")
    failed = sum(bool(check.complaints) for check in checks)
    return len(checks) - failed, failed


def main():
    options = arguments()
    source = loaded(options.source, options.checkout)
    if options.task == "export":
        problems = source.export(request_of(options, options.out, options.keep))
        print("".join(f"FAILED {problem}\n" for problem in problems), end="")
        return 1 if problems else 0
    with tempfile.TemporaryDirectory(prefix="flamboyance-golden-") as temporary:
        if options.task == "exchange":
            passed, failed = counted(exchange.checks(source, Path(temporary)))
        else:
            committed = GOLDEN / "cases"
            passed, failed = verify(source, request_of(options, Path(temporary) / "cases", committed), committed)
    print(f"{passed} passed, {failed} failed")
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
