"""The detectors' vectors and the size of the tables on the real MicroPython."""

import json
import subprocess

import pytest

from tests.conftest import ROOT
from tests.support.vectors import RUNNERS, run_file

ENVIRONMENT = {"MICROPYPATH": f"{ROOT}:.frozen"}

HEAP = """
import gc
from ansim.signatures import Tables
tables = Tables()
gc.collect()
before = gc.mem_alloc()
tables.oui(b"\\0\\xbc\\x99\\1\\2\\3"), tables.ssid("KT_GiGA_1"), tables.ble_service(0xFD50)
gc.collect()
print(gc.mem_alloc() - before)
"""


def run(micropython, *arguments, heap="400k"):
    done = subprocess.run(
        [micropython, "-X", f"heapsize={heap}", *arguments], capture_output=True, text=True, cwd=ROOT, env=ENVIRONMENT
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize("what", sorted(RUNNERS))
def test_a_detector_answers_its_vectors_as_on_cpython(micropython, what):
    path = f"tests/vectors/{what}.json"

    lines = run(micropython, "tests/support/vectors.py", path, heap="2m").splitlines()

    here = run_file(str(ROOT / path))
    assert len(lines) == len(here)
    for line, (name, came, _) in zip(lines, here, strict=True):
        _, told_name, good, told = json.loads(line)
        assert (told_name, good) == (name, True), told
        assert told == json.loads(json.dumps(came))


def test_the_tables_take_less_than_8_kb_of_heap(micropython):
    assert int(run(micropython, "-c", HEAP)) < 8192


def test_the_readable_tables_are_not_needed_on_a_sensor(micropython):
    told = run(micropython, "-c", "from ansim.signatures import names; print(names.what('ssids', 99999))")

    assert told.strip() == "{}"
