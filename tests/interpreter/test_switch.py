"""A cable pulled in the very moment of the switch to a new version, on the real MicroPython with LittleFS."""

import subprocess

from tests.conftest import ROOT

SCRIPT = ROOT / "tests/interpreter/switch_on_micropython.py"


def test_wherever_the_power_goes_a_board_has_one_whole_version(micropython):
    done = subprocess.run(
        [micropython, str(SCRIPT), str(ROOT / "firmware/boot.py")],
        env={"MICROPYPATH": f"{ROOT}:.frozen"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    writes, old, new = map(int, done.stdout.split())
    assert old + new == writes + 1
    assert old >= 1 and new >= 10
