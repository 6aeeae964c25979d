"""A sensor among faults loses no report; the seeds are those of earlier failures, and one more."""

import pytest

from tests.bench import soak


@pytest.mark.build
@pytest.mark.mosquitto
@pytest.mark.long
@pytest.mark.timeout(600)
@pytest.mark.parametrize("seed", [1])
def test_no_report_is_lost_among_faults(seed):
    result = soak.soak(seed, minutes=1)

    assert result.problems == [], result.output[-20:]
    assert result.reports > 10 and len(result.faults) >= 5
