"""The ingest process with a real broker and sensors that speak the protocol."""

import sys
import time

import pytest
from pydantic import SecretStr
from sqlalchemy import delete, select
from structlog.testing import capture_logs

from ansim import messages, topics
from server import envelope_signer
from server.ingest import main as ingest_main
from server.models import Finding, Inspection, Report
from server.services.findings import findings
from server.services.inspecting import inspections
from server.services.intake import counters
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.places import facilities, organisations, restrooms
from server.services.sensors import command_queue, enrolment, fleet
from server.services.upkeep import leader_election
from server.services.upkeep.leader_election import Lease
from tests.support.paho_sensor import finding_body
from tests.support.server_kit import Inside, Process, ingest_inside, is_open
from tests.support.waiting import wait_for

pytestmark = pytest.mark.mosquitto


@pytest.fixture
def running(server):
    return server.use_mosquitto().start_inside()


@pytest.fixture
def hall(running, sensors):
    return sensors("hall").connect().wait_ready()


def test_reports_are_stored_and_confirmed(running, hall):
    for _ in range(50):
        hall.append()

    wait_for(lambda: not hall.journal)

    assert running.reports_by_sensor() == {"hall": [(1, seq) for seq in range(1, 51)]}
    assert running.tally(counters.CHAIN_BROKEN) == 0
    wait_for(lambda: hall.stored[-1] == [[1, 50]])


def test_a_sensor_that_connects_is_told_the_time_once(running, hall):
    wait_for(lambda: hall.commands)

    told = hall.commands[0]

    assert told["name"] == messages.TIME and told["args"]["nonce"] == hall.nonce
    assert abs(told["args"]["time_s"] - time.time()) < 60
    hall.append()
    wait_for(lambda: not hall.journal)
    assert [command["name"] for command in hall.commands] == [messages.TIME]


def test_a_state_reaches_the_sensors_row(running, hall):
    def state():
        with running.sessions() as session:
            return fleet.load(session, SYSTEM, "hall").state

    wait_for(lambda: state() == "ready")
    hall.publish(topics.STATE, messages.state(1, messages.SLEEPING, ""), retain=True)
    wait_for(lambda: state() == "sleeping")


def test_a_command_reaches_the_sensor_and_its_answer_the_page(running, hall):
    with running.sessions.begin() as session:
        command = command_queue.send(
            session, fleet.load(session, SYSTEM, "hall"), messages.DWELL, {"channel": 6, "seconds": 5}
        )

    def ended():
        with running.sessions() as session:
            return command_queue.recent(session, fleet.load(session, SYSTEM, "hall"))[0].ok

    assert wait_for(ended) is True
    assert {one["id"] for one in hall.commands if one["name"] == messages.DWELL} == {command.public_id}


def test_a_command_waits_for_a_sensor_that_is_away(running, sensors):
    away = sensors("hall")
    with running.sessions.begin() as session:
        command_queue.send(session, fleet.load(session, SYSTEM, "hall"), messages.RESTART, {}, lifetime_s=600)

    away.connect().wait_ready()

    wait_for(lambda: messages.RESTART in [one["name"] for one in away.commands])


def test_an_inspection_collects_what_its_sensor_reports(running, hall, sensors):
    with running.sessions.begin() as session:
        facility = facilities.add(session, organisations.add(session, "City"), "Hall")
        room = restrooms.add(session, facility, "Women's")
        one = inspections.start(session, room, accounts.SYSTEM, [fleet.load(session, SYSTEM, "hall")])
    wait_for(lambda: messages.INSPECTION_START in [command["name"] for command in hall.commands])
    hall.inspection = next(c for c in hall.commands if c["name"] == messages.INSPECTION_START)["args"]["inspection"]

    hall.append()
    hall.append(messages.FINDING, finding_body())
    wait_for(lambda: not hall.journal)

    with running.sessions() as session:
        found = findings.list_findings(session, SYSTEM).rows[0]
        assert found.inspection and found.restroom
        assert found.inspection.public_id == one.public_id
        assert found.restroom.name == "Women's"
        inspections_of = select(Inspection.id).where(Inspection.public_id == hall.inspection)
        assert session.scalar(inspections_of) == found.inspection_id


def bad_messages(hall):
    """[(reason, topic, payload)] of every kind of invalid message."""
    topic, info = topics.topic("hall", topics.REPORT), topics.topic("hall", topics.INFO)
    good = messages.report(9, 1, "", 5, None, "", messages.RESTART, {})

    def signed(body, on=topic):
        return envelope_signer.seal(hall.key, on, body)

    other_version = messages.encode({**good, "v": 3})
    return [
        (counters.BAD_SIGNATURE, topic, messages.encode(good) + b"\n" + b"0" * 64),
        (counters.BAD_SIGNATURE, topic, messages.encode(good)),
        (counters.UNKNOWN_SENSOR, "ansim/1/nobody/report", signed(messages.encode(good), "ansim/1/nobody/report")),
        (counters.BAD_SIGNATURE, "ansim/1/other/report", signed(messages.encode(good), "ansim/1/other/report")),
        (counters.MALFORMED, topic, signed(b'{"v":1,"boot":')),
        (counters.MALFORMED, topic, signed(b'{"v":1,"x":' + b"[" * 5000 + b"]" * 5000 + b"}")),
        (counters.MALFORMED, info, signed(b'{"v":1,"boot":1,"version":"\xed\xa0\x80"}', info)),
        (counters.UNKNOWN_VERSION, topic, signed(other_version)),
        (counters.TOO_LARGE, topic, b"\x00rubbish" * 125_000),
        (counters.BAD_TOPIC, "ansim/1/Hall!/report", b"x"),
    ]


def test_rubbish_is_counted_logged_once_in_a_line_never_stored_never_fatal(running, hall, sensors):
    sensors("other")
    rubbish = bad_messages(hall)

    with capture_logs() as lines:
        for _ in range(3):
            for _, topic, payload in rubbish:
                hall.publish_raw(topic, payload)
        hall.append()
        wait_for(lambda: not hall.journal)

    for what in {what for what, _, _ in rubbish}:
        expected = 3 * len([one for one, _, _ in rubbish if one == what])
        wait_for(lambda what=what, expected=expected: running.tally(what) == expected)
    assert running.reports_by_sensor() == {"hall": [(1, 1)]}
    dropped = [(line["why"], line["sensor"]) for line in lines if line["event"] == "message dropped"]
    assert len(dropped) == len(set(dropped)) == 7


def test_a_replayed_number_with_another_content_is_a_conflict(running, hall):
    first = hall.append()
    wait_for(lambda: not hall.journal)
    topic = topics.topic("hall", topics.REPORT)

    with capture_logs() as lines:
        hall.publish_raw(topic, envelope_signer.seal(hall.key, topic, first))
        hall.publish_raw(
            topic, envelope_signer.seal(hall.key, topic, first.replace(b'"tick_ms":1000', b'"tick_ms":1001'))
        )
        wait_for(lambda: running.tally(counters.CONFLICT, "hall") == 1)

    wait_for(lambda: running.tally(counters.DUPLICATE, "hall") == 1)
    with running.sessions() as session:
        assert session.scalars(select(Report.content)).all() == [first]
    assert [line["why"] for line in lines if line["event"] == "message dropped"] == [counters.CONFLICT]


def test_a_revoked_sensor_is_heard_no_more(running, hall):
    hall.append()
    wait_for(lambda: not hall.journal)
    with running.sessions.begin() as session:
        enrolment.revoke(session, fleet.load(session, SYSTEM, "hall"))

    def is_refused():
        hall.append()
        return running.tally(counters.REVOKED, "hall")

    wait_for(is_refused, every_s=0.1)  # ingest asks for revocations every two seconds
    stored = running.count()
    hall.append()
    wait_for(lambda: running.tally(counters.REVOKED, "hall") >= 2)
    assert running.count() == stored


def test_reports_made_before_the_clock_was_known_are_dated(running, hall):
    hall.append(tick_ms=5000)
    hall.append(messages.FINDING, finding_body(), tick_ms=8000)
    hall.append(messages.CLOCK, {"at_tick_ms": 10_000, "time_s": 1_700_000_000, "source": "server"}, tick_ms=10_000)
    wait_for(lambda: not hall.journal)

    with running.sessions() as session:
        assert session.scalars(select(Report.at_s).order_by(Report.seq)).all() == [
            1_699_999_995,
            1_699_999_998,
            1_700_000_000,
        ]
        assert session.scalar(select(Finding.first_at_s)) == 1_699_999_998


def test_what_the_database_cannot_take_ends_the_process_and_is_stored_after_a_restart(server, sensors):
    running = server.use_mosquitto().start()
    hall = sensors("hall").connect().wait_ready()
    with running.sessions.begin() as session:
        session.execute(delete(Report))
        session.connection().exec_driver_sql("ALTER TABLE report RENAME TO report_away")
    hall.append()
    assert wait_for(lambda: running.ingest.status is not None)
    assert running.ingest.status == 1 and "no such table: report" in running.ingest.output

    with running.sessions.begin() as session:
        session.connection().exec_driver_sql("ALTER TABLE report_away RENAME TO report")
    running.ingest.start()

    wait_for(lambda: not hall.journal)
    assert running.count() == 1


def test_it_stops_at_once_when_asked_and_starts_before_its_broker(server, sensors):
    running = server.use_mosquitto().start()
    hall = sensors("hall").connect().wait_ready()
    assert running.ingest.stop() == 0
    running.broker.kill()
    running.ingest.start()
    wait_for(lambda: "no broker there yet" in running.ingest.output)
    running.broker.start()

    hall.append()

    wait_for(lambda: not hall.journal)


def test_an_account_that_the_broker_refuses_is_told_and_tried_again_not_too_often(server):
    server.run_broker_inside()
    worker = ingest_main.Ingest(server.settings.model_copy(update={"mqtt_password": SecretStr("wrong")}))
    with capture_logs() as lines:
        inside = Inside(worker.run, worker.stop)
        wait_for(lambda: server.tally(counters.REFUSED_LOGIN) >= 2)
        inside.end()

    assert not worker.ready and inside.error is None
    told = [line["event"] for line in lines]
    assert told.count("the broker refuses this account; trying again") == 1
    assert "connection to the broker lost" not in told


def test_two_workers_share_the_work(server, sensors):
    server.use_mosquitto().broker.start()
    wait_for(lambda: is_open(server.port))
    workers = [
        ingest_inside(server.settings.model_copy(update={"share_group": "test", "worker": str(number)}))
        for number in (1, 2)
    ]
    try:
        made = [sensors(f"hall-{number}") for number in range(3)]
        for sensor in made:
            for _ in range(200):
                sensor.append()
            sensor.connect()

        wait_for(lambda: not any(sensor.journal for sensor in made), 30)

        assert server.count() == 600
        wait_for(lambda: server.tally(counters.STORED) == 600)
        assert [worker.error for worker in workers] == [None, None]
    finally:
        for worker in workers:
            worker.end()


def test_when_the_leading_worker_is_gone_another_one_takes_its_messages(server, sensors, monkeypatch):
    monkeypatch.setattr(leader_election, "EVERY_S", 0.2)
    monkeypatch.setattr(leader_election, "LOST_S", 1)
    server.use_mosquitto().broker.start()
    wait_for(lambda: is_open(server.port))

    def work(number):
        return ingest_inside(server.settings.model_copy(update={"share_group": "test", "worker": str(number)}))

    def state(name):
        with server.sessions() as session:
            return fleet.load(session, SYSTEM, name).state

    first, second = work(1), work(2)
    sensors("before").connect().wait_ready()
    wait_for(lambda: state("before") == messages.READY)
    monkeypatch.setattr(Lease, "release", lambda _lease: None)  # as if it had been killed
    first.end()
    try:
        during = sensors("during").connect().wait_ready()
        during.append()
        wait_for(lambda: state("during") == messages.READY and not during.journal)

        first = work(1)
        sensors("after").connect().wait_ready()
        wait_for(lambda: state("after") == messages.READY)
        assert (first.error, second.error) == (None, None)
    finally:
        first.end()
        second.end()


def test_a_second_process_of_one_name_waits_until_the_first_ends(server):
    server.start()
    second = Process([sys.executable, "-m", "server.ingest"], server.settings.data / "second.log", **server.environ)
    try:
        second.start()
        wait_for(lambda: "waiting until it ends" in second.output)
        time.sleep(1.5)
        assert second.output.count("waiting until it ends") == 1
        assert "connection to the broker lost" not in server.ingest.output

        server.ingest.kill()

        wait_for(lambda: "connected to the broker" in second.output)
    finally:
        second.end()
