#!/usr/bin/env python3
"""
Run everything that can run on this machine: `python3 tools/test.py [--all] [pytest arguments]`

Checks style (ruff), types (pyright with the MicroPython stubs) and all tests; then lists
what was skipped and why. --all also runs the long tests and makes a skip a failure;
--without NAME,... allows skips for those markers (captures, restrooms: data that is not
part of the project).
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.lib import bootstrap

ROOT = bootstrap.ROOT


def main() -> int:
    options, for_pytest = _options()
    bootstrap.enter("requirements-dev.txt")
    if options.all:
        os.environ["ANSIM_LONG"] = "1"
    failed = []
    if not for_pytest:
        for name, command in CHECKS:
            print(f"== {name}", flush=True)
            if subprocess.run(command, cwd=ROOT).returncode:
                failed.append(name)
    print("== tests", flush=True)
    status, skipped = _pytest(for_pytest)
    if status:
        failed.append("tests")
    unwanted = [row for row in skipped if not _allowed(row, options.without)]
    if skipped:
        print(f"\nSkipped here ({len(skipped)}):")
        for where, why in sorted(set(skipped)):
            print(f"  {where}: {why}")
    if options.all and unwanted:
        failed.append(f"{len(unwanted)} tests that --all wants were skipped")
    print("\n" + ("FAILED: " + ", ".join(failed) if failed else "All that can run here passed."))
    return 1 if failed else 0


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="the long tests too; a skip is a failure")
    parser.add_argument(
        "--without", default="", metavar="NAME,...", help="markers whose tests may be skipped under --all"
    )
    options, for_pytest = parser.parse_known_args()
    options.without = [name for name in options.without.split(",") if name]
    return options, for_pytest


def _python(*arguments):
    return [str(bootstrap.PYTHON), *arguments]


CHECKS = (
    ("style: ruff check", _python("-m", "ruff", "check", ".")),
    ("style: ruff format", _python("-m", "ruff", "format", "--check", "-q", ".")),
    ("types: pyright with the MicroPython stubs", _python("-m", "tools.typecheck")),
)


def _pytest(arguments):
    """Run the tests; return (exit status, [(where, why), ...] of the skipped ones)."""
    import pytest

    collected = _Skips()
    os.chdir(ROOT)
    began = time.monotonic()
    status = pytest.main(arguments or ["tests"], plugins=[collected])
    print(f"({time.monotonic() - began:.0f} s)")
    return int(status), collected.rows


class _Skips:
    """A pytest plugin that remembers what was skipped and why."""

    def __init__(self):
        self.rows = []

    def pytest_runtest_logreport(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            path, _line, why = report.longrepr
            self.rows.append((Path(path).name, why.removeprefix("Skipped: ")))

    def pytest_collectreport(self, report):
        if report.skipped:
            self.rows.append((str(report.nodeid), str(report.longrepr[2])))


def _allowed(row, without):
    """A skip is allowed if its reason is the one of an allowed marker."""
    from tests.conftest import NEEDS

    return any(row[1] == NEEDS[name][1] for name in without if name in NEEDS)


if __name__ == "__main__":
    sys.exit(main())
