"""Find what changed in the working tree, and the unit tests that belong to it."""

import ast
import subprocess
from functools import cache
from pathlib import Path

from tools.lib.bootstrap import ROOT

UNIT = "tests/unit"
UPSTREAM = ("@{upstream}", "origin/main", "origin/HEAD")


def changed_files() -> list[str]:
    """
    Return the files that differ from the main branch, committed or not, and new files, relative to the root.

    Deleted files are left out. Without a remote branch the comparison is with HEAD; without git, every file counts.
    """
    base = next((commit for name in UPSTREAM if (commit := _git("merge-base", "HEAD", name))), "HEAD")
    names = _git("diff", "--name-only", "--relative", base)
    if names is None:
        return files_under([ROOT])
    new = _git("ls-files", "--others", "--exclude-standard") or ""
    return sorted(name for name in {*names.splitlines(), *new.splitlines()} if (ROOT / name).is_file())


def files_under(paths) -> list[str]:
    """Return the Python files in folders and the given files, relative to the root."""
    files = []
    for path in paths:
        absolute = (ROOT / path).resolve()
        folder = [path for path in absolute.rglob("*.py") if not _is_hidden(path)] if absolute.is_dir() else [absolute]
        files += [str(file.relative_to(ROOT)) for file in folder]
    return sorted(set(files))


def unit_tests_of(files: list[str]) -> list[str]:
    """
    Return the unit test files for changed files, relative to the root.

    A changed test file is its own. For any other file: tests/unit/<folder>/test_<name>.py, else all test files of
    tests/unit/<folder>, else the test files that import it. The folders of server/services, server/templates and
    server/static are mirrored without "services" and below "web". A conftest.py belongs to too many tests to be fast.
    """
    tests = {name for name in files if _is_unit_test(name)}
    for name in set(files) - tests:
        if Path(name).name != "conftest.py":
            tests.update(_mirrored(name) or [test for test in _unit_tests() if _module(name) in _imports(test)])
    return sorted(tests)


def _git(*arguments) -> str | None:
    """Return what git prints, or None if it fails or is missing."""
    try:
        result = subprocess.run(["git", *arguments], cwd=ROOT, capture_output=True, text=True)
    except FileNotFoundError:
        return None
    return result.stdout.strip() if result.returncode == 0 else None


def _is_hidden(path):
    return any(part.startswith(".") or part in ("build", "typings") for part in path.relative_to(ROOT).parts)


def _is_unit_test(name):
    return name.startswith(UNIT + "/") and Path(name).name.startswith("test_")


@cache
def _unit_tests() -> list[str]:
    return sorted(str(path.relative_to(ROOT)) for path in (ROOT / UNIT).rglob("test_*.py"))


def _mirrored(name) -> list[str]:
    """Return test_<name>.py in the mirrored folder; if there is none, the folder's test files."""
    path = Path(name.removeprefix(UNIT + "/") if name.startswith(UNIT + "/") else name)
    parts = [part for part in path.parent.parts if part != "services"]
    parts = ["web" if part in ("templates", "static") else part for part in parts]
    folder = Path(UNIT, *parts)
    if not parts or not (ROOT / folder).is_dir():
        return []
    own = folder / f"test_{path.stem}.py"
    if (ROOT / own).is_file():
        return [str(own)]
    return [str(test.relative_to(ROOT)) for test in (ROOT / folder).glob("test_*.py")]


def _module(name):
    return name.removesuffix(".py").removesuffix("/__init__").replace("/", ".")


@cache
def _imports(name) -> frozenset:
    """Return the names of the modules that a file imports; `from a import b` counts as a and a.b."""
    modules = set()
    for node in ast.walk(ast.parse((ROOT / name).read_text())):
        if isinstance(node, ast.Import):
            modules.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            modules.add(node.module)
            modules.update(f"{node.module}.{alias.name}" for alias in node.names)
    return frozenset(modules)
