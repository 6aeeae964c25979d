"""The stream detector on the real MicroPython: the same results as on CPython, and no heap allocated for records."""

import json

import pytest

from tests.conftest import ROOT
from tests.support.micropython import run_json
from tests.support.random_records import count_batches

SCRIPT = "tests/interpreter/detect_on_micropython.py"


def test_the_stream_detector_answers_its_vectors_as_expected(micropython):
    path = "tests/vectors/camera_stream.json"
    vectors = json.loads((ROOT / path).read_text())["vectors"]

    results = run_json(micropython, SCRIPT, "vectors", path, heap="4m")

    assert [name for name, _ in results] == [vector["name"] for vector in vectors]
    for (name, findings), vector in zip(results, vectors, strict=True):
        assert findings == vector["expect"], name


@pytest.mark.parametrize("addresses", [5, 40, 90])
@pytest.mark.parametrize("seed", [1, 2, 3, 4])
def test_machine_code_counts_random_records_as_plain_python_does(micropython, seed, addresses):
    (results,) = run_json(micropython, SCRIPT, "batches", seed, addresses, heap="4m")

    assert results == json.loads(json.dumps(count_batches(seed, addresses)))


def test_records_take_no_heap(micropython):
    (allocation,) = run_json(micropython, SCRIPT, "allocation", heap="4m")

    assert allocation["records"] >= 20_000
    assert allocation["bytes"] == 0
