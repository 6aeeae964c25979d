"""Promises about the project as a whole."""

import ast
import re
import subprocess

import pytest

from tests.conftest import ROOT

TRACKED = [
    ROOT / name
    for name in subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split(
        "\n"
    )
    if name and (ROOT / name).is_file()
]
PAGES_AND_PROSE = [
    p
    for p in TRACKED
    if p.suffix in (".html", ".po", ".md") or (p.is_relative_to(ROOT / "server") and p.suffix == ".py")
]

# Who may import whom: radio -> observation -> detector -> report -> journal -> MQTT -> ingest -> store -> web.
MAY_IMPORT = {
    "ansim": {"ansim"},
    "firmware": {"ansim", "firmware"},
    "server": {"ansim", "server"},
    "tools": {"ansim", "firmware", "server", "tools"},
}


@pytest.mark.parametrize("room", sorted(MAY_IMPORT))
def test_imports_go_one_way_only(room):
    wrong = []
    for path in (ROOT / room).rglob("*.py"):
        for name in _imported(path):
            if name in MAY_IMPORT and name not in MAY_IMPORT[room]:
                wrong.append(f"{path.relative_to(ROOT)} imports {name}")
    assert not wrong


def test_services_and_ingest_know_nothing_of_the_pages():
    for folder in ("services", "ingest", "models"):
        for path in (ROOT / "server" / folder).rglob("*.py"):
            assert "server.web" not in path.read_text(), path


@pytest.mark.parametrize("path", PAGES_AND_PROSE, ids=lambda p: str(p.relative_to(ROOT)))
def test_nothing_claims_what_rf_cannot_know(path):
    claims = re.findall(r"(?i)\b(camera[- ]free|is safe|no cameras? (?:found|here))\b|안전합니다", path.read_text())
    assert not claims


def test_no_machine_path_and_no_secret_is_in_a_tracked_file():
    pattern = re.compile(r"(^|[^A-Za-z0-9_.])/(work|farm)/|/root/|-----BEGIN [A-Z ]*PRIVATE KEY-----")
    this = ROOT / "tests/unit/test_project.py"
    for path in TRACKED:
        if path != this and path.suffix in (
            ".py",
            ".md",
            ".toml",
            ".txt",
            ".json",
            ".html",
            ".c",
            ".h",
            ".js",
            ".yml",
            "",
        ):
            assert not pattern.search(path.read_text(errors="replace")), path


def test_every_pinned_requirement_is_an_exact_version():
    for name in ("requirements.txt", "requirements-dev.txt"):
        for line in (ROOT / name).read_text().splitlines():
            wanted = line.split("#")[0].split(";")[0].strip()
            assert not wanted or wanted.startswith("-r ") or "==" in wanted, line


def _imported(path):
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (alias.name.split(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            yield node.module.split(".")[0]
