"""Nothing is lost and nothing is stored twice, whatever is killed."""

import time

import pytest

from server.services import tally
from tests.integration.server_kit import wait_for

SENSORS = 5
REPORTS = 1000


@pytest.mark.parametrize("broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_ingest_and_then_the_broker_are_killed_in_the_middle_of_5000_reports(server, sensors, broker):
    if broker == "mosquitto":
        server.use_mosquitto()
    server.start()
    made = [sensors(f"hall-{number}") for number in range(SENSORS)]
    for sensor in made:
        for _ in range(REPORTS):
            sensor.append()
        sensor.connect()

    wait_for(lambda: server.count() >= 1000, 60)
    server.ingest.kill()
    before = server.count()
    time.sleep(0.3)
    server.ingest.start()
    wait_for(lambda: server.count() >= before + 800, 60)
    server.broker.kill()
    assert server.count() < SENSORS * REPORTS
    server.broker.start()
    wait_for(lambda: not any(sensor.journal for sensor in made), 90)

    assert server.reports_by_sensor() == {
        f"hall-{number}": [(1, seq) for seq in range(1, REPORTS + 1)] for number in range(SENSORS)
    }
    assert all(server.upto(sensor.name, 1) == REPORTS for sensor in made)
    assert server.tally(tally.CHAIN_BROKEN) == server.tally(tally.CONFLICT) == 0
