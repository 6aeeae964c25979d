"""Updates (good, broken, rolled back) on the real MicroPython with LittleFS, with power cuts at block writes."""

import pytest

from tests.conftest import ROOT
from tests.support.micropython import run_json

SCRIPT = "tests/interpreter/program_update_on_micropython.py"


def run_updates(micropython, first, step):
    """Cut the power at block write `first` and every `step`-th after it; return (number of writes, number of cuts)."""
    return run_json(micropython, SCRIPT, ROOT / "firmware/boot.py", first, step, heap="4M")[-1]


def test_after_any_power_cut_the_board_ends_with_the_good_version(micropython):
    writes, cuts = run_updates(micropython, first=3, step=11)

    assert writes > 150 and cuts > 10


@pytest.mark.long
@pytest.mark.parametrize("first", range(4))
def test_every_single_write_may_be_cut(micropython, first):
    writes, cuts = run_updates(micropython, first, step=4)

    assert cuts >= writes // 4
