"""The journal on the real MicroPython: its heap does not depend on how much waits in the flash."""

import json
import subprocess

import pytest

from tests.conftest import ROOT

ROOM = 512 << 10


@pytest.mark.parametrize("place", ["image.littlefs", "folder"])
def test_a_full_journal_is_read_in_a_small_heap(micropython, tmp_path, place):
    script = str(ROOT / "tests/interpreter/journal_on_micropython.py")

    done = subprocess.run(
        [micropython, "-X", "heapsize=128k", script, str(tmp_path / place), str(ROOM)],
        env={"MICROPYPATH": f"{ROOT}:.frozen"},
        cwd=ROOT,
        capture_output=True,
        text=True,
    )

    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["bytes"] > ROOM * 0.95 - 16384 and told["read"] > 900
    assert told["empty"] < 3000 and told["full"] < 7000 and told["reading"] < 8000
    assert abs(told["grown_by_100_appends"]) < 600
    assert told["reopened"] == told["read"] and told["confirmed"] == 0
