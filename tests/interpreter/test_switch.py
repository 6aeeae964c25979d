"""Power cuts during the switch to a new version, on the real MicroPython with LittleFS."""

from tests.conftest import ROOT
from tests.support.micropython import run


def test_after_any_power_cut_a_board_has_one_whole_version(micropython):
    output = run(micropython, "tests/interpreter/switch_on_micropython.py", ROOT / "firmware/boot.py", heap="2m")

    writes, old, new = map(int, output.split())
    assert old + new == writes + 1
    assert old >= 1 and new >= 10
