"""Quotas at ingest: what is over them is not stored and not confirmed, and costs no report in the end."""

from collections import Counter

import pytest
from sqlalchemy import func, select

from ansim import messages, topics
from server import clock, envelope_signer
from server.config import Settings
from server.ingest import batch
from server.ingest.decode import Message
from server.ingest.keyring import SensorKey
from server.models.audit import LogEntry
from server.models.intake import Report, SensorBoot
from server.models.outside import Notification
from server.services.intake import counters
from server.services.intake.quotas import Limits, Quotas
from server.services.sensors import sensor_status
from tests.support.paho_sensor import finding_body, sweep_body

NOW_S = clock.now_s()


class Clock:
    now = 1000.0


@pytest.fixture
def monotonic(monkeypatch):
    monkeypatch.setattr(batch.time, "monotonic", lambda: Clock.now)
    Clock.now = 1000.0
    return Clock


@pytest.fixture
def hall(sensor):
    return SensorKey(sensor.id, sensor.name, envelope_signer.Signer(bytes(32)), False, 0.0)


@pytest.fixture
def stored(sessions, session, pseudonyms, hall, monotonic):
    """A function that stores reports and returns their numbers that were confirmed."""
    session.commit()
    settings = Settings(quota_findings_minute=10, quota_notices_minute=20, quota_gaps_minute=5, quota_seq_jump=1000)
    batches = batch.BatchStore(sessions, pseudonyms, Quotas(Limits.of(settings)))

    def store(*reports):
        result = batches.store([(report, False) for report in reports], Counter(), NOW_S)
        return result, {boot: upto for _, upto in result.confirmations.values() for boot, upto in upto.items()}

    return store


def report(hall, seq, kind=messages.SWEEP, boot=1, **changes):
    body = finding_body(subject=f"02:00:5e:00:{seq >> 8:02x}:{seq & 255:02x}", **changes)
    fields = messages.report(boot, seq, "", seq, NOW_S, "", kind, body if kind == messages.FINDING else sweep_body())
    return Message(hall, topics.REPORT, fields, messages.encode(fields))


def count(sessions, table):
    with sessions() as session:
        return session.scalar(select(func.count()).select_from(table))


def test_findings_over_the_quota_wait_in_the_sensor_and_none_is_lost(sessions, hall, stored, monotonic):
    made = [report(hall, seq, messages.FINDING if seq % 2 else messages.SWEEP) for seq in range(1, 61)]
    log_before = count(sessions, LogEntry)

    result, upto = stored(*made)

    assert upto[1] == 20 and count(sessions, Report) == 20
    assert result.counts["hall-1", counters.OVER_QUOTA] == 40
    assert count(sessions, LogEntry) - log_before == 10
    rounds = 0
    while upto[1] < 60:
        monotonic.now += 60
        upto = stored(*made[upto[1] :])[1]
        rounds += 1
    assert rounds == 2 and count(sessions, Report) == 60
    with sessions() as session:
        assert session.scalar(select(SensorBoot.upto)) == 60


def test_eighty_findings_a_second_make_no_more_log_entries_than_the_quota(sessions, hall, stored, monotonic):
    log_before, seq = count(sessions, LogEntry), 0
    for _second in range(60):
        stored(*[report(hall, seq := seq + 1, messages.FINDING) for _ in range(80)])
        monotonic.now += 1

    assert count(sessions, LogEntry) - log_before <= 20


def test_notices_have_a_quota_of_their_own(hall, stored):
    made = [report(hall, seq, messages.FINDING, score=10) for seq in range(1, 41)]

    assert stored(*made)[1][1] == 20


def test_gaps_are_bounded_and_closing_one_is_always_possible(sessions, hall, stored):
    stored(*[report(hall, seq) for seq in range(1, 40, 2)])
    assert count(sessions, Report) == 5

    assert stored(*[report(hall, seq) for seq in range(2, 9, 2)])[1][1] == 9


def test_so_are_boots(sessions, hall, stored):
    stored(*[report(hall, 1, boot=boot) for boot in range(1, 40)])

    assert count(sessions, SensorBoot) == 5


def test_a_jump_of_the_number_is_never_stored(sessions, hall, stored):
    stored(report(hall, 1))
    result, _ = stored(report(hall, 2_000_000_000))
    assert result.counts["hall-1", counters.OVER_QUOTA] == 1

    assert stored(report(hall, 2))[1][1] == 2


def test_one_notification_a_day(sessions, hall, stored):
    stored(*[report(hall, 1, boot=boot) for boot in range(1, 40)])

    for _ in range(3):
        with sessions.begin() as session:
            sensor_status.notify_over_quota(session, NOW_S)

    with sessions() as session:
        assert session.execute(select(Notification.kind, Notification.subject)).all() == [
            ("sensor_over_quota", "hall-1")
        ]
