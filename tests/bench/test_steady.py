"""The steady load's rules."""

import os

from tests.bench import steady
from tests.bench.steady import Sample


def test_it_reads_this_process():
    sample = steady.read(os.getpid())

    assert sample.memory_kb > 10_000 and sample.files >= 3


def test_growth_after_the_first_third_is_a_problem():
    flat = [Sample(50_000, 20), *[Sample(100_000, 30)] * 9]

    assert steady.growth("web", flat) == []
    assert "kB" in steady.growth("web", [*flat, Sample(120_000, 30)])[0]
    assert "open files" in steady.growth("web", [*flat, Sample(100_000, 40)])[0]
