"""
The vectors of the detectors with vectors of their own, on CPython; tests/interpreter runs the same on MicroPython.
"""

import pytest

from tests.conftest import ROOT
from tests.support.vectors import RUNNERS, run_file

FILES = [ROOT / "tests/vectors" / f"{what}.json" for what in RUNNERS]
CASES = [(path.stem, *case) for path in FILES for case in run_file(str(path))]


@pytest.mark.parametrize(
    ("came", "expected"), [case[2:] for case in CASES], ids=[f"{case[0]}: {case[1]}" for case in CASES]
)
def test_a_vector_gives_what_it_must(came, expected):
    assert came == expected


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.stem)
def test_each_detector_has_a_vector_that_fires_and_one_that_must_not(path):
    fired = [expected[1] for _, _, expected in run_file(str(path))]

    assert True in fired
    assert False in fired
