"""Power cuts at any moment: the journal on the real MicroPython with LittleFS."""

import json
import random
import subprocess
import threading

import pytest

from tests.conftest import ROOT
from tests.support.micropython import environment, run_json

SCRIPT = "tests/interpreter/power_cut_on_micropython.py"


def cut_inside_writes(micropython, seed, cuts):
    (result,) = run_json(micropython, SCRIPT, seed, cuts)
    assert result["cuts"] == cuts and result["boots"] > cuts / 2 and result["writes"] > cuts
    assert result["dropped"] > 0, "the journal was never full, so dropping was not tested"


def kill_from_outside(micropython, image, seed, kills):
    """Kill a process that appends for ever, `kills` times; each report it printed must still be there."""
    generator = random.Random(seed)
    appended, boots = {}, 0
    for _ in range(kills + 1):
        process = subprocess.Popen(
            [micropython, SCRIPT, "--endless", image],
            env=environment(micropython),
            cwd=ROOT,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        contents = json.loads(next(lines))
        threading.Timer(generator.uniform(0, 0.05), process.kill).start()
        present = {(boot, seq): digest for boot, seq, digest in contents["present"]}
        dropped = {tuple(key) for key in contents["dropped"]}
        lost = [key for key in appended if key not in present and key not in dropped]
        assert not [key for key in lost if key[0] >= contents["boot"] - 1], lost
        assert all(appended.get(key, digest) == digest for key, digest in present.items())
        assert contents["boot"] > boots
        boots = contents["boot"]
        appended = dict(present)
        for line in lines:
            if line.endswith("]\n"):
                boot, seq, digest = json.loads(line)
                appended[boot, seq] = digest
        process.wait()
    return len(appended)


def test_nothing_is_lost_when_the_power_is_cut_inside_a_block_write(micropython):
    cut_inside_writes(micropython, seed=3, cuts=40)


def test_nothing_is_lost_when_the_interpreter_is_killed(micropython, tmp_path):
    assert kill_from_outside(micropython, str(tmp_path / "flash"), seed=1, kills=8) > 8


@pytest.mark.long
@pytest.mark.parametrize("seed", range(100, 105))
def test_nothing_is_lost_in_five_hundred_cuts_inside_block_writes(micropython, seed):
    cut_inside_writes(micropython, seed, cuts=500)


@pytest.mark.long
def test_nothing_is_lost_in_five_hundred_kills(micropython, tmp_path):
    kill_from_outside(micropython, str(tmp_path / "flash"), seed=2, kills=500)
