"""Batches with messages that cannot be stored."""

from collections import Counter

import pytest
from sqlalchemy import func, select
from sqlalchemy.exc import OperationalError
from structlog.testing import capture_logs

from ansim import envelope, messages, topics
from server import envelope_signer
from server.ingest import batch, decode
from server.ingest.keyring import Keyring, SensorKey
from server.models import DeadLetter, Finding, Report, Sensor
from server.services.intake import counters, dead_letters, idempotent_store
from server.services.sensors import sensor_status
from tests.support.paho_sensor import finding_body, sweep_body
from tests.support.sensor_messages import NOW_S

KEY = bytes(range(32))


class OneSensor(Keyring):
    """A keyring without a database, with the key of one sensor."""

    def __init__(self, key: SensorKey):
        self._key = key

    def find(self, name: str, now_s: int) -> SensorKey:
        return self._key


class Poison(Exception):
    """An error that a message causes."""


@pytest.fixture
def hall(sensor):
    return SensorKey(sensor.id, sensor.name, envelope_signer.Signer(KEY), False, NOW_S)


@pytest.fixture
def batches(sessions, session, pseudonyms, hall):
    session.commit()
    return batch.BatchStore(sessions, pseudonyms)


@pytest.fixture
def poison_findings(monkeypatch):
    def fail(*args):
        raise Poison("c0:ff:ee:00:00:01")

    monkeypatch.setattr(batch.reports.derived_rows.finding_events, "record", fail)


def report(hall, seq, kind=messages.SWEEP):
    body = finding_body(label="V380_\0abc") if kind == messages.FINDING else sweep_body()
    return received(hall, topics.REPORT, messages.report(1, seq, "", 5, NOW_S, "", kind, body))


def received(hall, leaf, fields):
    topic = topics.topic(hall.name, leaf)

    return decode.decode(OneSensor(hall), topic, envelope.seal(KEY, topic, messages.encode(fields)), NOW_S), False


def test_a_finding_with_a_control_character_in_its_label_is_stored(batches, sessions, hall):
    batches.store([report(hall, 1, messages.FINDING)], Counter(), NOW_S)

    with sessions() as session:
        assert session.scalar(select(Finding.label)) == "V380_?abc"


def test_a_message_that_cannot_be_stored_is_kept_apart_and_the_others_are_stored(
    batches, sessions, hall, poison_findings
):
    poison = report(hall, 3, messages.FINDING)
    nonce = received(hall, topics.STATE, messages.state(1, "init", "0" * 16))
    good = [report(hall, 1), report(hall, 2), nonce, report(hall, 4), report(hall, 5)]

    with capture_logs() as lines:
        result = batches.store([*good[:3], poison, *good[3:]], Counter({("", counters.BAD_TOPIC): 2}), NOW_S)
    batches.write_counts(NOW_S, at_exit=True)

    assert result.confirmations == {hall.name: (hall, {1: 5})} and result.connected == [(hall, "0" * 16)]
    expected = {
        ("", counters.BAD_TOPIC): 2,
        (hall.name, counters.STORED): 4,
        (hall.name, counters.ACCEPTED): 1,
        (hall.name, counters.POISON): 1,
    }
    assert {key: count for key, count in result.counts.items() if key[1] != counters.CHAIN_BROKEN} == expected
    assert [(line["sensor"], line["why"]) for line in lines] == [(hall.name, "Poison in derived_rows.record")]
    with sessions() as session:
        kinds = session.execute(select(Report.seq, Report.kind).order_by(Report.seq)).all()
        assert [kind for _, kind in kinds] == ["sweep", "sweep", idempotent_store.UNREADABLE, "sweep", "sweep"]
        letter = session.scalars(select(DeadLetter)).one()
        assert (letter.sensor, letter.topic) == (hall.name, f"ansim/1/{hall.name}/report")
        assert (letter.body, letter.received_s) == (poison[0].body, NOW_S)
        stored = {(name, outcome): count for name, outcome, count in _all_counts(session)}
        assert {key: count for key, count in stored.items() if key[1] != counters.CHAIN_BROKEN} == expected
        assert session.get_one(Sensor, hall.id).last_seen_s == NOW_S

    again = batches.store([poison], Counter(), NOW_S + 1)

    assert again.counts == {(hall.name, counters.DUPLICATE): 1} and again.confirmations


def _all_counts(session):
    return session.execute(
        select(counters.Tally.sensor, counters.Tally.what, counters.Tally.count).order_by(counters.Tally.what)
    ).all()


def test_a_message_that_is_no_report_can_be_poison_too(batches, sessions, hall, monkeypatch):
    def fail(*args):
        raise UnicodeEncodeError("utf-8", "", 0, 1, "")

    monkeypatch.setattr(sensor_status, "take_state", fail)
    state = received(hall, topics.STATE, messages.state(1, "init", ""))

    result = batches.store([state, report(hall, 1)], Counter(), NOW_S)

    assert result.counts == {(hall.name, counters.POISON): 1, (hall.name, counters.STORED): 1}
    with sessions() as session:
        assert session.scalar(select(func.count(DeadLetter.id))) == 1


@pytest.mark.parametrize("error", [OperationalError("", {}, Exception("database is locked")), OSError(28, "full")])
def test_a_failing_database_or_disk_ends_ingest(batches, sessions, hall, monkeypatch, error):
    def fail(*args):
        raise error

    monkeypatch.setattr(sensor_status, "take_state", fail)
    state = received(hall, topics.STATE, messages.state(1, "init", ""))

    with pytest.raises(type(error)):
        batches.store([report(hall, 1), state], Counter({("", counters.BAD_TOPIC): 2}), NOW_S)

    with sessions() as session:
        assert not session.scalar(select(func.count(Report.id)))
        assert not session.scalar(select(func.count(DeadLetter.id)))


def test_the_key_of_a_pseudonym_that_was_rolled_back_is_not_used(batches, sessions, hall, pseudonyms, monkeypatch):
    def fail(session, *args):
        pseudonyms.of(session, "c0:ff:ee:00:00:01", 1)
        raise Poison

    monkeypatch.setattr(sensor_status, "take_state", fail)
    batches.store([received(hall, topics.STATE, messages.state(1, "init", ""))], Counter(), NOW_S)

    assert not pseudonyms._keys


def test_only_the_newest_dead_letters_are_kept(session, monkeypatch):
    monkeypatch.setattr(dead_letters, "MAX_ROWS", 3)
    for number in range(5):
        dead_letters.add(session, "hall", "ansim/1/hall/info", "x" * 300, bytes([number]), NOW_S)

    assert session.scalars(select(DeadLetter.body).order_by(DeadLetter.id)).all() == [b"\2", b"\3", b"\4"]
