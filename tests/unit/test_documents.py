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


def named_tests(text: str) -> set[tuple[str, str]]:
    """Return (path, name) of the tests in backticks: `tests/a.py::test_b`."""
    return set(re.findall(r"`(tests/[A-Za-z0-9_./]+\.py)::(\w+)`", text))


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_the_tests_it_names_exist(document):
    missing = set()
    for path, name in named_tests(document.read_text()):
        text = (ROOT / path).read_text() if (ROOT / path).exists() else ""
        if not re.search(rf"^(?:async )?def {name}\(", text, re.MULTILINE):
            missing.add((path, name))

    assert not missing


STATES = {"met", "partly", "not met", "does not apply"}


def test_every_item_of_the_standards_has_a_state_and_each_that_is_met_a_proof():
    """And none has been forgotten: the numbers of items of ASVS 5.0 at levels 1 and 2, by section."""
    rows = re.findall(r"^\| (V?[\d.-]+(?: to V[\d.]+)?) \| ([^|]+) \| ([^|]+) \| ([^|]*) \|$", SECURITY, re.MULTILINE)
    assert {state for _, state, _, _ in rows} == STATES
    for item, state, how, proof in rows:
        assert how.strip() and (state == "does not apply" or proof.count("`") >= 2), item

    items = [item for item, *_ in rows if re.fullmatch(r"V[\d.]+", item)]
    assert len(items) == len(set(items))
    by_chapter = {chapter: sum(item.startswith(f"V{chapter}.") for item in items) for chapter in ASVS}
    assert by_chapter == ASVS
    assert len([item for item, *_ in rows if item[0] in "56"]) == 67  # provisions of EN 303 645


SECURITY = (ROOT / "docs/security.md").read_text()
# Chapter -> requirements of levels 1 and 2; V10 (OAuth) and V17 (WebRTC) are one row each.
ASVS = {1: 27, 2: 11, 3: 19, 4: 10, 5: 9, 6: 35, 7: 18, 8: 7, 9: 7, 11: 14, 12: 9, 13: 13, 14: 9, 15: 13, 16: 16}
