"""Old → new → broken → rolled back, on the real MicroPython with LittleFS, the power cut at each block write."""

import json
import subprocess

import pytest

from tests.conftest import ROOT

SCRIPT = ROOT / "tests/interpreter/update_on_micropython.py"


def lives(micropython, first, step):
    done = subprocess.run(
        [micropython, "-X", "heapsize=4M", str(SCRIPT), str(ROOT / "firmware/boot.py"), str(first), str(step)],
        env={"MICROPYPATH": f"{ROOT}:.frozen"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return json.loads(done.stdout.splitlines()[-1])


def test_wherever_the_power_goes_the_board_ends_with_the_good_version(micropython):
    writes, cuts = lives(micropython, first=3, step=11)

    assert writes > 150 and cuts > 10


@pytest.mark.long
@pytest.mark.parametrize("first", range(4))
def test_every_single_write_may_be_the_last(micropython, first):
    writes, cuts = lives(micropython, first, step=4)

    assert cuts >= writes // 4
