"""The same server on PostgreSQL."""

import threading

import pytest
from sqlalchemy import func, select

from ansim import report
from server import db, migrations, vault
from server.config import Settings
from server.models import Finding, Report, SensorBoot, Sweep
from server.services import coverage, findings, inspections, people, places, reports, sensors, tally
from server.services.pseudonyms import Pseudonyms
from tests.integration import postgresql
from tests.integration.paho_sensor import finding_body
from tests.unit.server.said import NOW_S, Voice, heard

pytestmark = pytest.mark.postgresql


@pytest.fixture(scope="module")
def database():
    with postgresql.server() as make:
        yield make


@pytest.fixture
def settings(database, tmp_path):
    made = Settings(data=tmp_path, database_url=database())
    migrations.upgrade(made)
    return made


@pytest.fixture
def sessions(settings):
    made = db.open_sessions(settings.url())
    yield made
    made.engine.dispose()


@pytest.fixture
def keys(settings):
    return vault.open_vault(settings)


def test_the_migrations_run_and_a_second_time_do_nothing(settings):
    assert migrations.upgrade(settings) is False


def test_an_inspection_from_start_to_log(sessions, keys):
    names = Pseudonyms(keys)
    with sessions.begin() as session:
        kim, _ = people.add_user(session, "kim", "Kim", "manager", "correct horse battery")
        hall, _ = sensors.enrol(session, keys, "hall-1")
        facility = places.add_facility(session, places.add_organisation(session, "City"), "Hall")
        room = places.add_restroom(session, facility, "여자화장실", [("national", "2026-1")], block="women")
        one = inspections.start(session, room, kim, [hall])
    voice = Voice(hall)
    voice.inspection = one.public_id
    with sessions.begin() as session:
        said = [voice.says(), voice.finds(), voice.says(report.CLOCK, clock_body())]
        recorded = heard(session, names, *said, said[0])
        tally.add(session, {("hall-1", tally.STORED): 3, ("hall-1", tally.DUPLICATE): 1})
    assert recorded.confirm == {hall.id: [[1, 3]]} and len(recorded.duplicates) == 1
    with sessions.begin() as session:
        assert coverage.of_inspection(session, one).enough
        found = findings.list_findings(session)[0]
        findings.dispose(session, found, kim, "known_emitter", "the entrance's camera")
        inspections.record_step(session, one, "rf", "none_found", kim)
        inspections.finish(session, one, kim, "none_found")
    with sessions() as session:
        row = places.list_restrooms(session, search="여자 2026-1")[0]
        assert (row.restroom.last_result, row.methods, row.running) == ("none_found", ["rf"], None)
        assert session.scalars(select(Report.at_s).order_by(Report.seq)).all()[0] == NOW_S - 9
        assert session.scalar(select(Finding.address)) is None
        assert sensors.tallies(session, hall) or tally.as_metrics(session)


def clock_body():
    return {"at_tick_ms": 10_000, "time_s": NOW_S, "source": "ntp"}


def test_workers_that_store_the_same_reports_at_once_store_each_once(sessions, keys):
    names = Pseudonyms(keys)
    with sessions.begin() as session:
        voices = [Voice(sensors.enrol(session, keys, f"hall-{number}")[0]) for number in range(4)]
    said = [voice.says() for _ in range(60) for voice in voices]
    said.append(voices[0].says(report.FINDING, finding_body(), NOW_S))
    failures = []

    def work(seed):
        try:
            for start in range(seed * 7, len(said) + seed * 7, 20):
                part = [said[place % len(said)] for place in range(start, start + 40)]
                with sessions.begin() as session:
                    reports.record(session, names, part, NOW_S)
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=work, args=(seed,)) for seed in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()

    assert failures == []
    with sessions() as session:
        assert session.scalar(select(func.count(Report.id))) == len(said)
        assert session.scalar(select(func.count(Sweep.report_id))) == 240
        assert sorted(session.scalars(select(SensorBoot.upto))) == [60, 60, 60, 61]
