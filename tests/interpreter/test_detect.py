"""The stream detector on the real MicroPython: the same answers as on CPython, and no heap taken by records."""

import json
import subprocess

import pytest

from tests.conftest import ROOT
from tests.support.random_records import history

ENVIRONMENT = {"MICROPYPATH": f"{ROOT}:.frozen"}


def run(micropython, *arguments, heap="4m"):
    done = subprocess.run(
        [micropython, "-X", f"heapsize={heap}", "tests/interpreter/detect_on_micropython.py", *arguments],
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=ENVIRONMENT,
    )
    assert done.returncode == 0, done.stderr
    return [json.loads(line) for line in done.stdout.splitlines()]


def test_the_stream_detector_answers_its_vectors_as_written_down(micropython):
    path = "tests/vectors/camera_stream.json"
    written = json.loads((ROOT / path).read_text())["vectors"]

    told = run(micropython, "vectors", path)

    assert [name for name, _ in told] == [one["name"] for one in written]
    for (name, came), vector in zip(told, written, strict=True):
        assert came == vector["expect"], name


@pytest.mark.parametrize("addresses", [5, 40, 90])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_machine_code_counts_random_records_as_plain_python_does(micropython, seed, addresses):
    (there,) = run(micropython, "batches", str(seed), str(addresses))

    assert there == json.loads(json.dumps(history(seed, addresses)))


def test_records_take_no_heap(micropython):
    (found,) = run(micropython, "allocation")

    assert found["records"] >= 20_000
    assert found["bytes"] == 0
