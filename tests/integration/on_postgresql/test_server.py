"""The same server on PostgreSQL."""

import threading
from datetime import UTC

import pytest
from sqlalchemy import func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from ansim import messages
from server import clock, migrations, vault
from server.ingest import batch
from server.models import Finding, Report, SensorBoot, Sweep
from server.services import paging
from server.services.audit import heads, log, signing_key, verification
from server.services.findings import dispositions, findings
from server.services.findings.pseudonyms import Pseudonyms
from server.services.inspecting import coverage, inspections
from server.services.intake import bulk_sql, counters, idempotent_store
from server.services.outside import notifications
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.places import due_dates, facilities, imports, organisations, reminders, restrooms, routes
from server.services.sensors import enrolment, fleet
from tests.support.paho_sensor import finding_body
from tests.support.sensor_messages import NOW_S, Voice, heard

pytestmark = pytest.mark.postgresql


@pytest.fixture
def keys(settings):
    return vault.open_vault(settings)


def test_the_migrations_run_and_a_second_time_do_nothing(settings):
    assert migrations.upgrade(settings) is False


def test_an_inspection_from_start_to_log(sessions, keys):
    names = Pseudonyms(keys)
    with sessions.begin() as session:
        kim, _ = accounts.add_user(session, "kim", "Kim", "manager", "correct horse battery")
        hall, _ = enrolment.enrol(session, keys, "hall-1")
        facility = facilities.add(session, organisations.add(session, "City"), "Hall")
        room = restrooms.add(session, facility, "여자화장실", [("national", "2026-1")], block="women")
        one = inspections.start(session, room, kim, [hall])
    voice = Voice(hall)
    voice.inspection = one.public_id
    with sessions.begin() as session:
        said = [voice.says(), voice.finds(), voice.says(messages.CLOCK, clock_body())]
        recorded = heard(session, names, *said, said[0])
        counters.add(session, {("hall-1", counters.STORED): 3, ("hall-1", counters.DUPLICATE): 1})
    assert recorded.confirm == {hall.id: {1: 3}} and len(recorded.duplicates) == 1
    with sessions.begin() as session:
        assert coverage.of_inspection(session, one).enough
        found = findings.list_findings(session, SYSTEM).rows[0]
        dispositions.dispose(session, found, kim, "known_emitter", "the entrance's camera")
        inspections.record_step(session, one, "rf", "none_found", kim)
        inspections.finish(session, one, kim, "none_found")
    with sessions() as session:
        found = restrooms.list_restrooms(session, SYSTEM, search="여자 2026-1")
        row = restrooms.summarise(session, found.rows)[0]
        assert (row.restroom.last_result, row.methods, row.running) == ("none_found", ["rf"], None)
        assert session.scalars(select(Report.at_s).order_by(Report.seq)).all()[0] == NOW_S - 9
        assert session.scalar(select(Finding.address)) is None
        assert fleet.load_counters(session, hall) or counters.sums(session)


def test_a_file_of_restrooms_is_imported_planned_and_walked(sessions, tmp_path):
    path = tmp_path / "rooms.csv"
    header = "화장실명,소재지도로명주소,남성용-대변기수,여성용-대변기수,WGS84위도,WGS84경도\n"
    path.write_text(header + "".join(f"화장실 {n:02},예시시 중구 {n},1,2,{37.5 + n / 1000},127.0\n" for n in range(20)))
    for expected in (20, 0):
        with sessions() as session:
            preview = imports.make_preview(session, path, imports.Options())
        imports.apply(sessions, path, preview, None)
        assert preview.counts["new"] == expected
    with sessions.begin() as session:
        due_dates.set_policy(session, SYSTEM, "rf", 30)
        # The plan spreads the first inspections over the interval; after it, all of them are due.
        at_s = clock.now_s() + 31 * due_dates.DAY_S
        assert due_dates.count_due(session, SYSTEM, clock.now_s()) < 40
        assert due_dates.count_due(session, SYSTEM, at_s) == 40
        assert due_dates.list_workload(session, SYSTEM, at_s)[0].restrooms == 40
        route = routes.plan_route(session, SYSTEM, at_s, UTC, start=(37.5, 127.0), blocks=("women",))
        assert [stop.facility.name for stop in route.stops[:3]] == ["화장실 00", "화장실 01", "화장실 02"]
        first = restrooms.list_restrooms(session, SYSTEM, by_name=True, limit=15)
        second = restrooms.list_restrooms(session, SYSTEM, by_name=True, limit=15, cursor=first.next)
        before = paging.encode(second.rows[0].id)
        back = restrooms.list_restrooms(session, SYSTEM, by_name=True, limit=15, cursor=before, backwards=True)
        assert back.rows == first.rows
        assert len(restrooms.find_ids(session, SYSTEM, "여자화장실 중구") or ()) == 20
        assert reminders.remind(session, at_s, notifications.enqueue) == 20
    path.write_text(header + "화장실 00,예시시 중구 0,1,2,37.5,127.0\n")
    with sessions() as session:
        stopped = imports.make_preview(session, path, imports.Options())
        despite = imports.make_preview(session, path, imports.Options(despite=True))
    imports.apply(sessions, path, despite, None)
    assert stopped.stops[0][0] == "vanished"
    with sessions() as session:
        assert restrooms.count_restrooms(session, SYSTEM) == 2


def clock_body():
    return {"at_tick_ms": 10_000, "time_s": NOW_S, "source": "ntp"}


def test_workers_that_store_the_same_reports_at_once_store_each_once(sessions, keys):
    names = Pseudonyms(keys)
    with sessions.begin() as session:
        voices = [Voice(enrolment.enrol(session, keys, f"hall-{number}")[0]) for number in range(4)]
    said = [voice.says() for _ in range(60) for voice in voices]
    said.append(voices[0].says(messages.FINDING, finding_body(), NOW_S))
    failures = []

    def work(seed):
        try:
            for start in range(seed * 7, len(said) + seed * 7, 20):
                part = [said[place % len(said)] for place in range(start, start + 40)]
                with sessions.begin() as session:
                    idempotent_store.record(session, names, part, NOW_S)
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


def test_the_database_refuses_to_change_the_log_and_writers_do_not_fork_it(sessions, keys):
    failures = []

    def write(number):
        try:
            for turn in range(25):
                with sessions.begin() as session:
                    log.add(session, "test.wrote", f"w{number}", {"turn": turn}, None, {"name": "x"})
        except Exception as error:
            failures.append(error)

    workers = [threading.Thread(target=write, args=(number,)) for number in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    with sessions.begin() as session:
        heads.sign(session, signing_key.load(keys))

    assert failures == []
    with sessions() as session:
        report = verification.verify(session)
        assert (report.problem, report.entries, report.personal, report.heads) == (None, 101, 100, 1)
    for change in (
        "UPDATE log_entry SET at_s = 1",
        "DELETE FROM log_entry",
        "TRUNCATE log_entry",
        "DELETE FROM log_head",
        "UPDATE log_personal SET content = ''",
        "TRUNCATE log_personal",
    ):
        with pytest.raises(DBAPIError, match="append-only"), sessions.begin() as session:
            session.execute(text(change))


def test_copied_reports_raise_the_exceptions_that_ingest_knows(sessions, keys):
    with sessions.begin() as session:
        hall, _ = enrolment.enrol(session, keys, "hall-1")
    row = (1, hall.id, 1, 1, messages.SWEEP, 0, None, NOW_S, "", "", "0" * 64, b"{}")
    with sessions.begin() as session:
        bulk_sql.insert_reports(session, [row])

    with pytest.raises(IntegrityError) as twice, sessions.begin() as session:
        bulk_sql.insert_reports(session, [(2, *row[1:])])
    with pytest.raises(DBAPIError) as lost, sessions.begin() as session:
        own = session.scalar(text("SELECT pg_backend_pid()"))
        with sessions.begin() as other:
            other.execute(text("SELECT pg_terminate_backend(:own)"), {"own": own})
        bulk_sql.insert_reports(session, [(2, *row[1:3], 2, *row[4:])])

    assert not batch.is_outage(twice.value) and batch.is_outage(lost.value)
