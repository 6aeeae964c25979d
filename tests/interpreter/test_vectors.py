"""The detectors' vectors and the heap of the signature tables on the real MicroPython."""

import json

import pytest

from tests.conftest import ROOT
from tests.support.micropython import run, run_json
from tests.support.vectors import RUNNERS, run_file

MEASURE_TABLES = """
import gc
from ansim.signatures import Tables
tables = Tables()
gc.collect()
before = gc.mem_alloc()
tables.oui(b"\\0\\xbc\\x99\\1\\2\\3"), tables.ssid("KT_GiGA_1"), tables.ble_service(0xFD50)
gc.collect()
print(gc.mem_alloc() - before)
"""


@pytest.mark.parametrize("detector", sorted(RUNNERS))
def test_a_detector_answers_its_vectors_as_on_cpython(micropython, detector):
    path = f"tests/vectors/{detector}.json"

    results = run_json(micropython, "tests/support/vectors.py", path, heap="2m")

    on_cpython = run_file(str(ROOT / path))
    assert len(results) == len(on_cpython)
    for (_, name, is_expected, actual), (expected_name, expected, _) in zip(results, on_cpython, strict=True):
        assert (name, is_expected) == (expected_name, True), actual
        assert actual == json.loads(json.dumps(expected))


def test_the_tables_take_less_than_8_kb_of_heap(micropython):
    assert int(run(micropython, "-c", MEASURE_TABLES, heap="400k")) < 8192


def test_the_readable_tables_are_not_needed_on_a_sensor(micropython):
    code = "from ansim.signatures import names; print(names.what('ssids', 99999))"

    assert run(micropython, "-c", code, heap="400k").strip() == "{}"
