"""The journal on the real MicroPython: its heap does not depend on the number of reports on the flash."""

import pytest

from tests.support.micropython import run_json

MAX_BYTES = 512 << 10


@pytest.mark.parametrize("place", ["image.littlefs", "folder"])
def test_a_full_journal_is_read_in_a_small_heap(micropython, tmp_path, place):
    script = "tests/interpreter/journal_on_micropython.py"

    (result,) = run_json(micropython, script, tmp_path / place, MAX_BYTES, heap="128k")

    assert result["bytes"] > MAX_BYTES * 0.95 - 16384 and result["read"] > 900
    assert result["empty"] < 3000 and result["full"] < 7000 and result["reading"] < 8000
    assert abs(result["grown_by_100_appends"]) < 600
    assert result["reopened"] == result["read"] and result["confirmed"] == 0
