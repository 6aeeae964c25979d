#!/usr/bin/env python3
"""
Check the project: style (ruff), types (pyright) and tests (pytest), in parallel.

    python3 tools/test.py                     everything but the long tests
    python3 tools/test.py --fast [PATH ...]   style, types and unit tests of these folders, or of what changed
    python3 tools/test.py PATH ...            these tests only, like `pytest PATH ...`
    python3 tools/test.py --all               the long tests too; a skipped test is a failure

Arguments that are not listed below go to pytest: `python3 tools/test.py tests/unit -k journal -x`.
At the end it lists the skipped tests and the reasons.
"""

import argparse
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import NamedTuple

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parent.parent))

from tools.lib import bootstrap

ROOT = bootstrap.ROOT


class Skip(NamedTuple):
    """A test or test file that did not run."""

    where: str
    reason: str


def main() -> int:
    options, for_pytest = _options()
    bootstrap.enter("requirements-dev.txt")
    os.chdir(ROOT)
    if options.all:
        os.environ["ANSIM_LONG"] = "1"
    checks, tests = _plan(options, for_pytest)
    failed = [name for name, command in checks if not _passes(name, command)]
    skipped = []
    if tests is not None:
        print("== tests", flush=True)
        status, skipped = _pytest(tests, options.jobs)
        if status:
            failed.append("tests")
    if skipped:
        print(f"\nSkipped ({len(skipped)}):")
        for skip in sorted(set(skipped)):
            print(f"  {skip.where}: {skip.reason}")
    unexpected = [skip for skip in skipped if not _is_allowed(skip, options.without)]
    if options.all and unexpected:
        failed.append(f"{len(unexpected)} skipped tests that --all must run")
    print("\n" + ("FAILED: " + ", ".join(failed) if failed else "All checks passed."))
    return 1 if failed else 0


def _options():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--all", action="store_true", help="run the long tests too; a skip is a failure")
    parser.add_argument("--fast", action="store_true", help="only what changed against the main branch, or PATH ...")
    parser.add_argument(
        "-j", "--jobs", type=int, default=os.cpu_count() or 1, help="test processes (default: %(default)s)"
    )
    parser.add_argument(
        "--without",
        default="",
        metavar="NAME,...",
        help="markers whose tests may be skipped under --all (captures, restrooms: data outside the project)",
    )
    options, for_pytest = parser.parse_known_args()
    options.without = [name for name in options.without.split(",") if name]
    return options, for_pytest


def _plan(options, for_pytest) -> tuple[list, list | None]:
    """Return ([(name, command), ...] of the checks, pytest's arguments or None for no tests)."""
    if options.fast:
        from tools.lib import changes

        flags = [argument for argument in for_pytest if not (ROOT / argument).exists()]
        paths = [argument for argument in for_pytest if (ROOT / argument).exists()]
        changed = changes.files_under(paths) if paths else changes.changed_files()
        tests = changes.unit_tests_of(changed)
        python_files = [path for path in changed if path.endswith(".py")]
        return _checks(python_files) if python_files else [], [*tests, *flags] if tests else None
    if for_pytest:
        return [], for_pytest
    return _checks([]), ["tests"]


def _checks(files: list[str]) -> list:
    """Return the style and type checks of some files, or of all."""
    return [
        ("style: ruff check", _python("-m", "ruff", "check", *(files or ["."]))),
        ("style: ruff format", _python("-m", "ruff", "format", "--check", "-q", *(files or ["."]))),
        ("types: pyright", _python("-m", "tools.typecheck", *files)),
    ]


def _python(*arguments):
    return [str(bootstrap.PYTHON), *arguments]


def _passes(name, command):
    print(f"== {name}", flush=True)
    return subprocess.run(command).returncode == 0


def _pytest(arguments: list, jobs: int) -> tuple[int, list[Skip]]:
    """Run the tests; return (exit status, skipped tests)."""
    import pytest

    recorder = _SkipRecorder()
    started_s = time.monotonic()
    parallel = ["-n", str(jobs), "--dist", "loadgroup"] if jobs > 1 and not _is_single(arguments) else []
    status = pytest.main([*parallel, *arguments], plugins=[recorder])
    print(f"({time.monotonic() - started_s:.0f} s)")
    return int(status), recorder.skips


def _is_single(arguments):
    """One file or one test starts faster without worker processes."""
    paths = [argument for argument in arguments if not argument.startswith("-")]
    return len(paths) == 1 and not (ROOT / paths[0]).is_dir()


class _SkipRecorder:
    """A pytest plugin that records skipped tests; with pytest-xdist it receives the reports of all workers."""

    def __init__(self):
        self.skips: list[Skip] = []

    def pytest_runtest_logreport(self, report):
        if report.skipped and not hasattr(report, "wasxfail"):
            path, _line, reason = report.longrepr
            self.skips.append(Skip(Path(path).name, reason.removeprefix("Skipped: ")))

    def pytest_collectreport(self, report):
        if report.skipped:
            self.skips.append(Skip(str(report.nodeid), str(report.longrepr[2]).removeprefix("Skipped: ")))


def _is_allowed(skip, without):
    """True if the reason of the skip is that of an allowed marker."""
    from tests.conftest import NEEDS

    return any(skip.reason == NEEDS[name].reason for name in without if name in NEEDS)


if __name__ == "__main__":
    sys.exit(main())
