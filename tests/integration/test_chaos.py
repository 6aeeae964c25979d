"""Confirmed = stored = made, whatever is done to the processes: a short run; tests/bench/chaos.py is the long one."""

import contextlib
import sys
import urllib.request
from collections.abc import Callable
from typing import Any

import pytest
from pydantic import SecretStr
from sqlalchemy import func, select

from server.models.intake import Report
from server.services.audit import verification
from server.services.intake import counters
from tests.conftest import ROOT
from tests.support import postgresql
from tests.support.chaos import Chaos
from tests.support.paho_sensor import PahoSensor
from tests.support.server_kit import Process, Server
from tests.support.waiting import wait_for

CLOCK = "import time\nwhile True:\n    print(time.time() - time.clock_gettime(0), flush=True); time.sleep(0.1)"
SENSORS = 5
REPORTS = 300
CHAOS_S = 20
SETUPS = [
    pytest.param(False, "embedded", id="sqlite-embedded"),
    pytest.param(False, "mosquitto", id="sqlite-mosquitto", marks=pytest.mark.mosquitto),
    pytest.param(True, "mosquitto", id="postgresql-mosquitto", marks=(pytest.mark.mosquitto, pytest.mark.postgresql)),
]


@pytest.mark.parametrize(("on_postgresql", "broker"), SETUPS)
def test_confirmed_is_stored_is_made(on_postgresql, broker, tmp_path, empty_database):
    with contextlib.ExitStack() as stack:
        crash_database: Callable[[], None] | None = None
        settings: dict[str, Any] = {}
        if on_postgresql:
            database = stack.enter_context(postgresql.server())
            crash_database, settings = database.crash, {"database_url": SecretStr(database())}
        server = Server(tmp_path / "data", None if on_postgresql else empty_database, **settings)
        stack.callback(server.end)
        if broker == "mosquitto":
            server.use_mosquitto()
        server.start_all()
        made = [PahoSensor(f"hall-{n}", server.enrol(f"hall-{n}"), server.port) for n in range(SENSORS)]
        for sensor in made:
            stack.callback(sensor.close)
            for _ in range(REPORTS):
                sensor.append()
            sensor.connect()
        chaos = Chaos(server, 12, crash_database)

        chaos.run(CHAOS_S)

        assert {deed.split()[0] for deed in chaos.deeds} >= {"kill", "terminate", "stop", "set_clock", "fill_disk"}
        wait_for(lambda: not any(sensor.journal for sensor in made), 60)
        everything = [(1, seq) for seq in range(1, REPORTS + 1)]
        assert server.reports_by_sensor() == {sensor.name: everything for sensor in made}, chaos.deeds
        with server.sessions() as session:
            assert session.scalar(select(func.count(Report.id))) == SENSORS * REPORTS
            assert verification.verify(session).problem is None
        assert server.tally(counters.CHAIN_BROKEN) == server.tally(counters.CONFLICT) == 0
        wait_for(lambda: _answers(server.web_port), 30)
        assert server.notify.status is None, server.notify.output[-2000:]


def _answers(port):
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/healthz", timeout=5) as answer:
            return answer.status == 200
    except OSError:
        return False


def test_a_process_has_the_clock_that_was_set(tmp_path, empty_database):
    server = Server(tmp_path / "data", empty_database)
    program = Process(
        [sys.executable, "-c", CLOCK],
        tmp_path / "clock.log",
        PYTHONPATH=str(ROOT / "tests/support/clock_jump"),
        ANSIM_TEST_CLOCK=str(tmp_path / "data/ingest.clock"),
    ).start()
    try:
        wait_for(lambda: program.output.count("\n") > 2)
        server.set_clock("ingest", -86400)
        wait_for(lambda: float(program.output.splitlines()[-2]) < -86399)
        server.set_clock("ingest", 0)
        wait_for(lambda: abs(float(program.output.splitlines()[-2])) < 1)
    finally:
        program.end()
        server.end()
