"""The documents name files and commands that exist, and their links lead somewhere."""

import re

import pytest

from tests.conftest import ROOT

DOCUMENTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", ROOT / "SECURITY.md", *sorted((ROOT / "docs").glob("*.md"))]
TOP = "ansim|docs|firmware|server|tests|tools"


def named_paths(text: str) -> set[str]:
    """Return the paths in backticks that begin with a folder of the project, without those that hold placeholders."""
    paths = re.findall(rf"`((?:{TOP})/[A-Za-z0-9_./-]+)`", text)
    return {path for path in paths if "NNNN" not in path}


def named_modules(text: str) -> set[str]:
    """Return the modules that are run with `python -m`."""
    return set(re.findall(rf"-m ((?:{TOP})\.[a-z_.]+)", text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_files_and_modules_it_names_exist(document):
    text = document.read_text()

    missing = {path for path in named_paths(text) if not (ROOT / path).exists()}
    for module in named_modules(text):
        path = ROOT / module.rstrip(".").replace(".", "/")
        if not (path.with_suffix(".py").exists() or (path / "__main__.py").exists()):
            missing.add(module)

    assert not missing


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_its_links_lead_somewhere(document):
    targets = re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", document.read_text())

    local = [target for target in targets if "://" not in target]

    assert [target for target in local if not (document.parent / target).exists()] == []
