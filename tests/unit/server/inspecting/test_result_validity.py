"""What is reported after an inspection has ended: alarms, suspicious answers, holes."""

import pytest
from sqlalchemy import select

from server import clock
from server.models import LogEntry, Notification
from server.services.findings import dispositions
from server.services.inspecting import certificates, checklists, holes, inspections, offline_visits, result_validity
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
    late = result_validity.list_late_alarms(session, finished)
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
    (late,) = result_validity.list_late_alarms(session, finished)
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


VISIT = offline_visits.Visit("0190a8e0-0000-7000-8000-000000000001", "", 0, 0, {}, "", "", "")


@pytest.fixture
def looked(session, hall, kim, monkeypatch):
    """An inspection that ended with "none found" by eye a minute ago; it began ten minutes ago."""
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S - 600)
    inspection = inspections.start(session, hall, kim)
    checklists.answer_rest(session, inspection, kim)
    inspections.record_step(session, inspection, "eye", "none_found", kim)
    inspections.record_step(session, inspection, "lens", "none_found", kim)
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S - 60)
    inspections.finish(session, inspection, kim, "none_found")
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S)
    return inspection


def hand_over(session, hall, kim, **content):
    times = {"began_s": NOW_S - 500, "ended_s": NOW_S - 200}
    visit = VISIT._replace(room=hall.public_id, **{**times, **content})
    return offline_visits.store(session, kim, visit, NOW_S)


SUSPICIOUS = {"answers": {2: {"hooks": ("suspicious", "a hole", NOW_S - 300)}}}


@pytest.mark.parametrize(
    "content", [SUSPICIOUS, {"lens": "suspicious", "lens_note": "a glint"}], ids=["answer", "lens"]
)
def test_a_suspicious_visit_of_the_same_time_reopens_the_result(session, looked, hall, kim, tmp_path, content):
    own = hand_over(session, hall, kim, **content)

    assert own.id != looked.id and own.result is None
    assert (looked.result, looked.standing_result, hall.last_result) == ("none_found", "reopened", "reopened")
    assert entries_of(session, looked)[-1] == "inspection.reopened" and len(notified(session)) == 1
    assert [(row.kind, row.settled_s) for row in result_validity.list_late_reports(session, looked)] == [
        ("visit", None)
    ]
    assert not any(inspections.standing_steps(looked).values())
    paper = certificates.build(session, looked, tmp_path)
    assert not any(paper.steps.values()) and len(paper.late_reports) == 1
    reopened = inspections.list_inspections(session, SYSTEM, result="reopened").rows
    assert [row.id for row in reopened] == [looked.id]
    assert inspections.list_inspections(session, SYSTEM, result="none_found").rows == []


@pytest.mark.parametrize(
    "content",
    [
        {"lens": "none_found"},
        {**SUSPICIOUS, "began_s": NOW_S - 5000, "ended_s": NOW_S - 4000},
        {**SUSPICIOUS, "began_s": NOW_S - 40, "ended_s": NOW_S - 10},
    ],
    ids=["nothing suspicious", "before it", "after it"],
)
def test_other_visits_leave_the_result_as_it_is(session, looked, hall, kim, content):
    hand_over(session, hall, kim, **content)

    assert looked.standing_result == "none_found" and notified(session) == []


def test_a_hole_that_is_reported_after_the_end_reopens_the_result(session, looked, hall, kim):
    holes.add(session, hall, kim, 1, "door", inspection=looked)
    holes.add(session, hall, kim, 2, "wall", inspection=looked)

    assert (looked.standing_result, hall.last_result) == ("reopened", "reopened")
    assert [row.kind for row in result_validity.list_late_reports(session, looked)] == ["hole", "hole"]
    assert len(notified(session)) == 1


def test_a_correction_by_a_person_settles_it_and_the_record_keeps_both(session, looked, hall, kim):
    hand_over(session, hall, kim, **SUSPICIOUS)

    inspections.correct(session, looked, kim, "none_found", "the hole is a screw, looked at again")

    assert (looked.standing_result, hall.last_result) == ("none_found", "none_found")
    assert result_validity.list_late_reports(session, looked)[0].settled_s == NOW_S
    assert [row.result for row in looked.results] == ["none_found", "none_found"]
    holes.add(session, hall, kim, 2, "wall", inspection=looked)
    assert looked.standing_result == "reopened"


def test_a_judged_alarm_does_not_settle_what_people_reported(session, pseudonyms, finished, sensor, hall, kim):
    alarm = send_alarm(session, pseudonyms, finished, sensor)
    holes.add(session, hall, kim, 1, "door", inspection=finished)

    dispositions.dispose(session, alarm, kim, "false", "a loudspeaker")

    assert (finished.standing_result, hall.last_result) == ("reopened", "reopened")
    assert len(notified(session)) == 1
    assert inspections.standing_steps(finished)["rf"] is not None


def test_a_hole_that_is_found_during_the_inspection_or_after_another_result_reopens_nothing(session, hall, kim):
    inspection = inspections.start(session, hall, kim)
    holes.add(session, hall, kim, 1, "door", inspection=inspection)
    inspections.finish(session, inspection, kim, "not_completed", "alarm")
    holes.add(session, hall, kim, 1, "wall", inspection=inspection)

    assert inspection.standing_result == "not_completed"
    assert "inspection.reopened" not in entries_of(session, inspection)
