"""Alarms that are reported after an inspection has ended."""

import pytest
from sqlalchemy import select

from server import clock
from server.models import LogEntry, Notification
from server.services.findings import dispositions
from server.services.inspecting import certificates, inspections, standing
from server.services.people.accounts import SYSTEM
from server.services.reporting import half_years
from tests.support.sensor_messages import NOW_S, Voice, heard


@pytest.fixture
def finished(session, pseudonyms, hall, kim, sensor, monkeypatch):
    """An inspection that ended with "none found" by RF a minute ago."""
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S - 60)
    inspection = inspections.start(session, hall, kim, [sensor])
    voice = Voice(sensor)
    voice.inspection = inspection.public_id
    heard(session, pseudonyms, voice.says())
    inspections.record_step(session, inspection, "rf", "none_found", kim)
    inspections.finish(session, inspection, kim, "none_found")
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S)
    return inspection


def send_alarm(session, pseudonyms, inspection, sensor, boot=2, **body):
    voice = Voice(sensor, boot=boot)
    voice.inspection = inspection.public_id
    heard(session, pseudonyms, voice.finds(**body))
    session.expire_all()
    return inspections.list_findings(session, inspection)[0]


def entries_of(session, inspection):
    query = select(LogEntry.kind).where(LogEntry.subject == inspection.public_id).order_by(LogEntry.n)
    return list(session.scalars(query))


def notified(session):
    return [row.kind for row in session.scalars(select(Notification)) if row.kind == "inspection_reopened"]


def test_a_late_alarm_reopens_the_result_once(session, pseudonyms, finished, sensor, hall, tmp_path):
    alarm = send_alarm(session, pseudonyms, finished, sensor)
    send_alarm(session, pseudonyms, finished, sensor, boot=3, subject="02:11:22:33:44:99")

    assert (finished.result, finished.standing_result, hall.last_result) == ("none_found", "reopened", "reopened")
    assert entries_of(session, finished).count("inspection.reopened") == 1 and len(notified(session)) == 1
    late = standing.list_late_alarms(session, finished)
    assert [(row.at_s, row.judged, row.blocking) for row in late] == [(NOW_S, None, True)] * 2
    assert late[0].finding is alarm
    assert inspections.current_steps(finished)["rf"] and inspections.standing_steps(finished)["rf"] is None
    paper = certificates.build(session, finished, tmp_path)
    assert paper.steps["rf"] is None and len(paper.late) == 2


def test_a_judged_late_alarm_lets_the_result_stand_again(session, pseudonyms, finished, sensor, hall, kim):
    alarm = send_alarm(session, pseudonyms, finished, sensor)
    dispositions.dispose(session, alarm, kim, "false", "a phone")
    session.expire_all()

    assert (finished.standing_result, hall.last_result) == ("none_found", "none_found")
    (late,) = standing.list_late_alarms(session, finished)
    assert late.judged and late.judged.kind == "false" and not late.blocking

    dispositions.dispose(session, alarm, kim, "referred", "it was a camera", {"station": "Jungbu"})
    session.expire_all()
    assert (finished.standing_result, hall.last_result) == ("reopened", "reopened")
    assert entries_of(session, finished).count("inspection.reopened") == 2


def test_lists_and_reports_have_a_column_of_their_own(session, pseudonyms, finished, sensor):
    span = half_years.Span(2026, 0, 0, NOW_S + 1)
    before = half_years.make_report(session, SYSTEM, span, half_years.Scope()).total
    send_alarm(session, pseudonyms, finished, sensor)
    after = half_years.make_report(session, SYSTEM, span, half_years.Scope()).total

    assert (before.inspections, before.none_found, before.reopened) == (1, 1, 0)
    assert (after.inspections, after.none_found, after.reopened) == (1, 0, 1)
    assert inspections.list_inspections(session, SYSTEM, result="none_found").rows == []
    assert inspections.list_inspections(session, SYSTEM, result="reopened").rows == [finished]


def test_a_late_alarm_of_a_result_that_claims_nothing_changes_nothing(session, pseudonyms, hall, kim, sensor):
    inspection = inspections.start(session, hall, kim, [sensor])
    inspections.finish(session, inspection, kim, "not_completed", "locked")
    send_alarm(session, pseudonyms, inspection, sensor)

    assert inspection.standing_result == "not_completed" and notified(session) == []
