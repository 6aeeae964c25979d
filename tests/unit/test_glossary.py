"""docs/glossary.md and the catalogue of translations use the same Korean words."""

import pytest
from babel.messages.pofile import read_po

from tests.conftest import ROOT

GLOSSARY = ROOT / "docs/glossary.md"
CATALOGUES = sorted((ROOT / "server/translations/ko/LC_MESSAGES").glob("*.po"))


def terms() -> list[tuple[list[str], str]]:
    """Return the table rows that have a Korean term, as ([English spellings], Korean)."""
    rows = []
    for line in GLOSSARY.read_text().splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if line.startswith("| ") and len(cells) == 3 and cells[1] not in ("Korean", "–"):
            spellings = [part.removeprefix("on pages:").strip() for part in cells[0].split(",")]
            rows.append((spellings, cells[1]))
    return rows


def translations() -> dict[str, str]:
    """Return {English text in lower case: Korean text} of the whole catalogue, singular forms only."""
    texts = {}
    for path in CATALOGUES:
        with path.open("rb") as file:
            for message in read_po(file):
                if isinstance(message.id, str) and message.id:
                    texts[message.id.lower()] = message.string
    return texts


@pytest.mark.parametrize(
    ("spellings", "korean"), terms(), ids=lambda value: value[0] if isinstance(value, list) else ""
)
def test_a_page_that_shows_a_term_alone_uses_the_glossary_s_korean_word(spellings, korean):
    catalogue = translations()
    forms = {form for spelling in spellings for form in (spelling, spelling + "s")}

    shown = {form: catalogue[form] for form in forms if form in catalogue}

    assert all(korean in text for text in shown.values()), shown


def test_the_glossary_defines_each_term_once():
    spellings = [spelling for row, _korean in terms() for spelling in row]

    assert len(spellings) == len(set(spellings)) > 20
