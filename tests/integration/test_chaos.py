"""Confirmed = stored = made, whatever is done to the processes: a short run; tests/bench/chaos.py is the long one."""

import pytest
from sqlalchemy import func, select

from server.models.intake import Report
from server.services.audit import verification
from server.services.intake import counters
from tests.support.chaos import Chaos
from tests.support.waiting import wait_for

SENSORS = 5
REPORTS = 300
CHAOS_S = 20


@pytest.mark.parametrize("broker", ["embedded", pytest.param("mosquitto", marks=pytest.mark.mosquitto)])
def test_confirmed_is_stored_is_made(server, sensors, broker):
    if broker == "mosquitto":
        server.use_mosquitto()
    server.start()
    made = [sensors(f"hall-{number}") for number in range(SENSORS)]
    for sensor in made:
        for _ in range(REPORTS):
            sensor.append()
        sensor.connect()
    chaos = Chaos(server, seed=12)

    chaos.run(CHAOS_S)

    assert len(chaos.deeds) >= 3
    wait_for(lambda: not any(sensor.journal for sensor in made), 60)
    everything = [(1, seq) for seq in range(1, REPORTS + 1)]
    assert server.reports_by_sensor() == {sensor.name: everything for sensor in made}, chaos.deeds
    with server.sessions() as session:
        assert session.scalar(select(func.count(Report.id))) == SENSORS * REPORTS
        assert verification.verify(session).problem is None
    assert server.tally(counters.CHAIN_BROKEN) == server.tally(counters.CONFLICT) == 0
