"""The bench of a sensor's promptness gives its figures."""

import pytest

from tests.bench import prompt


@pytest.mark.long
@pytest.mark.build
@pytest.mark.mosquitto
def test_it_tells_when_the_sensor_listened_and_when_its_finding_was_at_the_server():
    found = prompt.measure()

    assert found["listening"] is not None and found["finding"] is not None
