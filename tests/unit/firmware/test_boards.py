"""Every board's pins exist on its chip, are its own, and are free of MicroPython's prompt."""

import ast
from itertools import pairwise

import pytest

from ansim.settings import checked
from firmware import boards
from tests.conftest import ROOT
from tools.virtual_sensor.sensor import CHIPS

GOOD = {"ca": "x", "device": "hall", "key": "ab" * 32, "broker": "x", "wifi": [{"ssid": "office", "password": ""}]}

PROMPT = {"esp32": (1, 3), "esp32s3": (43, 44), "esp32c3": (20, 21), "esp32c5": (11, 12)}  # UART 0
FLASH_OR_PSRAM = {"esp32_devkit": (), "esp32_s3": (35, 36, 37)}  # the N8R8 module has PSRAM on these


def chips():
    """Return {chip: (pins, frequencies in MHz)} of the simulated chip."""
    tree = ast.parse((ROOT / "tools/virtual_sensor/sim/machine.py").read_text())
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "_CHIPS":
            return eval(ast.unparse(node.value))
    raise AssertionError("machine.py has no _CHIPS")


@pytest.mark.parametrize("name", boards.NAMES)
def test_the_pins_exist_and_are_used_once(name):
    board = boards.load(name)
    chip = CHIPS.get(name, "esp32")
    pins = [board.LED, board.BUTTON, board.BUZZER, board.BATTERY, *board.OLED, *board.NRF24]
    known, frequencies_mhz = chips()[chip]

    assert set(pins) <= set(known)
    assert all(one != other for one, other in pairwise(sorted(pins)))
    assert not set(pins) & {*PROMPT[chip], *FLASH_OR_PSRAM.get(name, ())}
    assert board.CPU_HZ // 1_000_000 in frequencies_mhz


def test_only_the_c5_hears_5_ghz_and_settings_may_choose_its_channels():
    c5, devkit = boards.load("esp32_c5"), boards.load("esp32_devkit")
    some = checked(GOOD | {"channels": [1, 6], "channels_5ghz": [36, 100]})

    assert boards.channels_of(devkit, checked(GOOD)) == (list(range(1, 14)), [])
    assert boards.channels_of(c5, some) == ([1, 6, 36], [100])
    assert boards.channels_of(c5, checked(GOOD))[0][13:] == [36, 40, 44, 48, 149, 153, 157, 161, 165]
    with pytest.raises(boards.UnknownBoard, match="does not hear channels_5ghz"):
        boards.channels_of(devkit, some)
