"""The bench of a sensor's reaction times measures them."""

import pytest

from tests.bench import prompt


@pytest.mark.long
@pytest.mark.build
@pytest.mark.mosquitto
def test_it_measures_when_the_sensor_listens_and_when_a_finding_arrives():
    times_ms = prompt.measure()

    assert times_ms["listening"] is not None and times_ms["finding"] is not None
