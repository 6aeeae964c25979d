"""The journal on the real MicroPython with a LittleFS, when the power goes at any moment."""

import json
import random
import subprocess
import threading

import pytest

from tests.conftest import ROOT

SCRIPT = str(ROOT / "tests/interpreter/power_cut_on_micropython.py")
ENVIRONMENT = {"MICROPYPATH": f"{ROOT}:.frozen"}


def cut_inside_writes(micropython, seed, cuts):
    done = subprocess.run(
        [micropython, SCRIPT, str(seed), str(cuts)], env=ENVIRONMENT, cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    assert told["cuts"] == cuts and told["boots"] > cuts / 2 and told["writes"] > cuts
    assert told["dropped"] > 0, "the room never was full: the test does not test what it should"


def kill_from_outside(micropython, image, seed, kills):
    """Kill -9 a process that appends for ever, `kills` times; after each, everything it told of must be there."""
    chance = random.Random(seed)
    appended, boots = {}, 0
    for _ in range(kills + 1):
        process = subprocess.Popen(
            [micropython, SCRIPT, "--endless", image], env=ENVIRONMENT, cwd=ROOT, stdout=subprocess.PIPE, text=True
        )
        lines = iter(process.stdout.readline, "")
        found = json.loads(next(lines))
        threading.Timer(chance.uniform(0, 0.05), process.kill).start()
        here = {(boot, seq): digest for boot, seq, digest in found["found"]}
        told = {tuple(place) for place in found["told"]}
        lost = [place for place in appended if place not in here and place not in told]
        assert not [place for place in lost if place[0] >= found["boot"] - 1], lost
        assert all(appended.get(place, digest) == digest for place, digest in here.items())
        assert found["boot"] > boots
        boots = found["boot"]
        appended = dict(here)
        for line in lines:
            if line.endswith("]\n"):
                boot, seq, digest = json.loads(line)
                appended[boot, seq] = digest
        process.wait()
    return len(appended)


def test_nothing_is_lost_when_the_power_goes_inside_a_block_write(micropython):
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
