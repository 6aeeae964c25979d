"""Notices and alarms: what each needs, how one becomes the other, and what is recorded of it."""

import json

import pytest
from sqlalchemy import select

from ansim import messages
from ansim.finding import ALARM, NOTICE
from server.models import Disposition, Finding, FindingEvent, KnownEmitter, LogEntry, Notification, StimulusResult
from server.models.findings import CLOSED, FALSE, NOTED, OPEN, REFERRED, UNRESOLVED
from server.services.findings import dispositions, false_alarms, findings
from server.services.inspecting import inspections
from server.services.people.accounts import SYSTEM
from server.services.upkeep import retention
from tests.support.sensor_messages import NOW_S, Voice, heard

ADDRESS = "00:12:34:56:78:9a"
UP = [["alarm_listened_s", 42, 40, 0], ["uplink_kbps", 900, 150, 30]]
DOWN = [["alarm_innocent", 1, 0, 0]]
SILENT = [["silent_ms", 9000, 8000, 0]]


@pytest.fixture
def voice(sensor):
    return Voice(sensor)


@pytest.fixture
def inspected(session, hall, kim, sensor, voice):
    """An inspection with the sensor, which reports for it from now on."""
    one = inspections.start(session, hall, kim, [sensor])
    voice.inspection = one.public_id
    return one


def only(session):
    return session.scalars(select(Finding)).one()


def only_in(session, inspection):
    return session.scalars(select(Finding).where(Finding.inspection_id == inspection.id)).one()


def logged(session):
    """[(kind, body), ...] of the log's entries about findings."""
    query = select(LogEntry).where(LogEntry.kind.like("finding.%")).order_by(LogEntry.n)
    return [(entry.kind, json.loads(entry.body)) for entry in session.scalars(query)]


def notified(session):
    return list(session.scalars(select(Notification.kind).order_by(Notification.id)))


def test_a_notice_needs_no_disposition(session, pseudonyms, inspected, voice):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, score=70, level=NOTICE))

    found = only(session)
    assert (found.level, found.alarmed_s, found.status) == (NOTICE, None, NOTED)
    assert inspections.count_blocking_findings(session, inspected) == 0
    assert findings.is_notice(found) and not findings.is_alarm(found)


def test_a_notice_can_be_followed_while_it_goes_on_and_the_inspection_runs(session, pseudonyms, inspected, voice, kim):
    def address(inspection=inspected.public_id, **fields):
        voice.inspection = inspection
        heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE, label="x", **fields))
        session.expire_all()
        row = session.scalars(select(Finding).order_by(Finding.id.desc())).first()
        return row.address, row.label

    assert address("") == (None, "")
    assert address() == (ADDRESS, "x")
    assert address(event="cleared") == (None, "")
    assert address() == (ADDRESS, "x")
    assert session.scalars(select(FindingEvent.exact)).all() == [None] * 4

    inspections.finish(session, inspected, kim, "not_completed", "closed")

    assert only_in(session, inspected).address is None
    assert address(event="updated") == (None, "")


def test_retention_erases_the_address_of_a_notice_that_nobody_ended(
    sessions, session, settings, pseudonyms, inspected, voice
):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE))
    session.commit()

    retention.run(sessions, settings, now_s=NOW_S + 86400)
    session.rollback()
    assert only(session).address == ADDRESS

    retention.run(sessions, settings, now_s=NOW_S + 86401)
    session.rollback()
    assert only(session).address is None


def test_a_notice_that_lasts_becomes_an_alarm_that_has_to_be_judged(session, pseudonyms, inspected, voice):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE))
    rise = voice.finds(subject=ADDRESS, level=ALARM, event="updated", evidence=UP, at_s=NOW_S + 40)

    heard(session, pseudonyms, rise)

    found = only(session)
    assert (found.level, found.alarmed_s, found.status, found.address) == (ALARM, NOW_S + 40, OPEN, ADDRESS)
    assert [event.level for event in found.events] == [NOTICE, ALARM]
    assert inspections.count_blocking_findings(session, inspected) == 1
    (raised, before), (escalated, after) = logged(session)
    assert (raised, before["level"], escalated, after["level"]) == (
        "finding.raised",
        NOTICE,
        "finding.escalated",
        ALARM,
    )
    assert after["reason"] == ["alarm_listened_s", 42]
    assert notified(session) == ["finding_notice", "finding_escalated", "finding_new"]


def test_a_notice_that_ends_closes_itself_and_says_what_it_most_likely_was(session, pseudonyms, inspected, voice):
    heard(session, pseudonyms, voice.finds(level=NOTICE, last_ms=20_000))
    end = voice.finds(level=NOTICE, event="cleared", score=0, last_ms=69_000, evidence=SILENT, likely="bulk_upload")

    heard(session, pseudonyms, end)

    found = only(session)
    assert (found.status, found.disposition, found.likely, found.lasted_s) == (CLOSED, None, "bulk_upload", 40)
    assert logged(session)[-1][0] == "finding.ended"
    assert (logged(session)[-1][1]["likely"], logged(session)[-1][1]["lasted_s"]) == ("bulk_upload", 40)


def test_a_notice_that_comes_back_is_the_same_one(session, pseudonyms, voice):
    for event in ("raised", "cleared", "raised"):
        heard(session, pseudonyms, voice.finds(level=NOTICE, event=event, likely="voice_call"))

    assert (only(session).status, only(session).likely, only(session).events_count) == (NOTED, "", 3)


def test_an_alarm_that_falls_to_a_notice_still_has_to_be_judged(session, pseudonyms, inspected, voice, kim):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=ALARM))
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE, event="updated", evidence=DOWN))

    found = only(session)
    assert (found.level, found.status) == (NOTICE, OPEN)
    assert not findings.is_alarm(found) and not findings.is_notice(found)
    assert inspections.count_blocking_findings(session, inspected) == 1
    assert logged(session)[-1][0] == "finding.lowered" and logged(session)[-1][1]["reason"][0] == "alarm_innocent"

    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE, event="cleared", likely="video_call"))
    assert only(session).status == OPEN

    dispositions.dispose(session, only(session), kim, FALSE, "a call, seen")
    assert inspections.count_blocking_findings(session, inspected) == 0


def test_an_alarm_that_its_sensor_clears_waits_for_a_person(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(level=ALARM), voice.finds(level=ALARM, event="cleared", score=0))

    assert only(session).status == OPEN and findings.is_alarm(only(session))


def test_a_person_may_judge_a_notice_and_a_later_alarm_asks_again(session, pseudonyms, inspected, voice, kim):
    heard(session, pseudonyms, voice.finds(level=NOTICE))
    dispositions.dispose(session, only(session), kim, FALSE, "a phone, seen")
    assert only(session).status == CLOSED

    heard(session, pseudonyms, voice.finds(level=ALARM, event="updated"))

    assert (only(session).status, only(session).disposition) == (OPEN, None)
    assert session.scalar(select(Disposition.reason)) == "a phone, seen"


def test_a_notice_that_a_person_could_not_explain_blocks_none_found(session, pseudonyms, inspected, voice, kim):
    heard(session, pseudonyms, voice.finds(level=NOTICE))
    dispositions.dispose(session, only(session), kim, UNRESOLVED, "searched for an hour")

    assert inspections.count_blocking_findings(session, inspected) == 1


def test_a_case_stays_a_case_when_the_notice_becomes_an_alarm(session, pseudonyms, voice, kim):
    heard(session, pseudonyms, voice.finds(level=NOTICE))
    dispositions.dispose(session, only(session), kim, REFERRED, "a lens behind it", {"station": "North"})
    heard(session, pseudonyms, voice.finds(level=ALARM, event="updated"))

    assert (only(session).status, only(session).disposition) == ("case", REFERRED)


def test_a_known_device_s_notice_is_closed_and_nobody_is_notified(session, pseudonyms, inspected, voice, hall):
    session.add(KnownEmitter(facility_id=hall.facility_id, address=ADDRESS, reason="known_emitter", approved_s=1))
    session.flush()

    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE))
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=ALARM, event="updated"))

    assert only(session).status == CLOSED
    assert notified(session) == [] and [kind for kind, _body in logged(session)] == ["finding.escalated"]


def test_what_cannot_be_read_is_no_one_way_sender(session, pseudonyms, inspected, voice):
    heard(session, pseudonyms, voice.finds(level=NOTICE, score=30, detector="undecodable_source"))

    assert only(session).status == NOTED and not findings.is_notice(only(session))
    assert notified(session) == [] and logged(session) == []


def test_a_notice_outside_inspections_is_not_in_the_log(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(level=NOTICE), voice.finds(level=NOTICE, event="cleared"))

    assert logged(session) == [] and notified(session) == ["finding_notice"]


def test_a_sensor_of_report_version_1_raises_alarms_and_never_lowers_them(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(score=80))
    heard(session, pseudonyms, voice.finds(score=57, event="updated"), voice.finds(score=0, event="cleared"))

    assert (only(session).level, only(session).status) == (ALARM, OPEN)


def test_a_movement_test_of_a_notice_is_shown_with_it(session, pseudonyms, voice):
    result = {"subject": ADDRESS, "slots": 8, "p_ppm": 20, "effect_permille": 900, "heard_permille": 1000}

    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE), voice.says(messages.STIMULUS, result, NOW_S))

    assert session.scalar(select(StimulusResult.finding_id)) == only(session).id


def test_lists_separate_the_levels_that_findings_have_reached(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE), voice.finds(level=ALARM))
    heard(session, pseudonyms, voice.finds(level=NOTICE, event="updated"))

    def listed(level):
        return [row.public_id for row in findings.list_findings(session, SYSTEM, level=level).rows]

    notice, alarm = session.scalars(select(Finding.public_id).order_by(Finding.id)).all()
    assert (listed(NOTICE), listed(ALARM), listed("")) == ([notice], [alarm], [notice, alarm])
    assert findings.count_open(session, SYSTEM) == 1


def test_false_alarm_figures_count_notices_apart(session, pseudonyms, inspected, voice, kim):
    for number, (likely, last_ms) in enumerate(
        [("bulk_upload", 30_000), ("bulk_upload", 50_000), ("video_call", 9000)]
    ):
        subject = f"00:12:34:56:78:0{number}"
        heard(session, pseudonyms, voice.finds(subject=subject, level=NOTICE, last_ms=1000))
        end = {"event": "cleared", "likely": likely, "last_ms": last_ms, "evidence": []}
        heard(session, pseudonyms, voice.finds(subject=subject, level=NOTICE, **end))
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, level=NOTICE))
    dispositions.dispose(session, session.scalars(select(Finding).order_by(Finding.id.desc())).first(), kim, FALSE, "?")
    heard(session, pseudonyms, voice.finds(level=ALARM))

    rates = false_alarms.load_rates(session, SYSTEM, NOW_S, NOW_S + 1)

    assert (rates.total.alarms, rates.total.notices, rates.total.judged) == (1, 4, 0)
    assert rates.notices == (4, 3, 1, 1, [("bulk_upload", 2), ("video_call", 1)], 29)
