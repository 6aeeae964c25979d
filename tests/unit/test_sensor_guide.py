"""docs/sensor.md and the field guides say what the firmware does."""

import re

import pytest

from firmware import boards
from firmware.panel import signal
from firmware.panel.button import STAGES_MS
from tests.conftest import ROOT

TEXT = (ROOT / "docs/sensor.md").read_text()
GUIDES = [ROOT / "docs/field-guide-en.html", ROOT / "docs/field-guide-ko.html"]


def rows(heading):
    """The cells of the tables under a heading."""
    part = TEXT.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in part.splitlines() if line.startswith("|")]


@pytest.mark.parametrize("name", boards.NAMES)
def test_the_wiring_table_has_the_boards_pins(name):
    table = rows("Wiring")
    column = table[0].index(name)
    said = {(row[0], row[1]): int(row[column]) for row in table[2:]}
    board = boards.load(name)

    assert said == {
        ("light", "LED"): board.LED,
        ("button", "to ground"): board.BUTTON,
        ("buzzer", "+"): board.BUZZER,
        ("battery", "middle of the divider"): board.BATTERY,
        **{("display", part): pin for part, pin in zip(("SDA", "SCL"), board.OLED, strict=True)},
        **{
            ("nRF24L01+", part): pin
            for part, pin in zip(("SCK", "MOSI", "MISO", "CSN", "CE"), board.NRF24, strict=True)
        },
    }


def test_every_pattern_is_described_and_no_other():
    patterns = [one for name, one in vars(signal).items() if name.isupper() and name[0] != "_" and type(one) is tuple]
    rhythms = {" / ".join(str(ms) for ms in one[1:]) for one in patterns}

    assert {row[-1] for row in rows("Light, buzzer, vibration") if re.fullmatch(r"[\d / ]+", row[-1])} == rhythms


def test_the_button_table_has_the_times_of_the_button():
    said = [row[0] for row in rows("Button")[2:]]

    assert said == ["short", *[f"{ms // 1000} s" for ms in STAGES_MS[1:]]]


def test_the_price_of_a_whole_sensor_is_under_15_dollars_and_adds_up():
    prices = {row[0]: row[2].strip("*") for row in rows("Parts")[2:]}
    total = float(next(price for part, price in prices.items() if part.startswith("**all")))
    parts = [price for part, price in prices.items() if not part.startswith(("**", "or "))]

    assert round(sum(float(price.split("–")[-1]) for price in parts), 2) == total
    assert total < 15


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_field_guide_has_what_matters_when_something_is_found(path):
    text = path.read_text()

    assert all(number in text for number in ("112", "1366", "02-735-8994"))
    assert not re.search(r'(src|href)="(?!#)', text), "it is to be printed, also where there is no network"


@pytest.mark.parametrize("path", GUIDES, ids=lambda path: path.stem)
def test_a_field_guide_fits_on_one_page(path):
    weasyprint = pytest.importorskip("weasyprint", exc_type=ImportError)

    assert len(weasyprint.HTML(filename=str(path)).render().pages) == 1
