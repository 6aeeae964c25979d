"""Nothing is lost or stored twice when processes are killed."""

import time

import pytest

from server.services.intake import counters
from tests.support.delivery import SensorProcess, compiled, settings
from tests.support.waiting import wait_for

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
    assert server.tally(counters.CHAIN_BROKEN) == server.tally(counters.CONFLICT) == 0


def test_the_real_firmwares_reports_survive_it_too(server, tmp_path, micropython):
    server.start()
    on_board = compiled(tmp_path)
    made = {}
    try:
        for name in [f"hall-{number}" for number in range(SENSORS)]:
            more = {"device": name, "key": server.enrol(name).hex(), "folder": str(tmp_path / name)}
            made[name] = SensorProcess(micropython, on_board, settings(tmp_path, server.port, **more))
        for sensor in made.values():
            sensor.send("fill", REPORTS)
        for sensor in made.values():
            sensor.answer(120)
            sensor("stay")

        wait_for(lambda: server.count() >= 800, 60)
        server.ingest.kill()
        before = server.count()
        server.ingest.start()
        for sensor in made.values():
            sensor("overdue")  # else it would wait ten seconds before it sends anything again
        wait_for(lambda: server.count() >= before + 800, 60)
        server.broker.kill()
        assert server.count() < SENSORS * REPORTS
        server.broker.start()
        wait_for(lambda: not sum(sensor("overdue")["reports"] for sensor in made.values()), 120, every_s=0.5)

        stored = server.reports_by_sensor()
        for name, sensor in made.items():
            look = sensor("look")
            assert look["seq"] > REPORTS and look["dropped"] == 0  # CLOCK reports came on top
            assert stored[name] == [(1, seq) for seq in range(1, look["seq"] + 1)]
            assert server.upto(name, 1) == look["seq"]
        assert server.tally(counters.CHAIN_BROKEN) == server.tally(counters.CONFLICT) == 0
    finally:
        for sensor in made.values():
            sensor.kill()
