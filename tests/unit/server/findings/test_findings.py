import json

import pytest
from sqlalchemy import select

from ansim import messages
from server import clock
from server.models import Finding, FindingEvent, KnownEmitter, Report, StimulusResult
from server.models.findings import CASE, CLOSED, FALSE, KNOWN, NOTED, OPEN
from server.models.findings import REFERRED as TO_POLICE
from server.services.errors import NotFound, Refused
from server.services.findings import dispositions, findings
from server.services.inspecting import inspections
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from tests.support.sensor_messages import NOW_S, Voice, heard

ADDRESS = "00:12:34:56:78:9a"


def only(session):
    return session.scalars(select(Finding)).one()


def everything(session) -> str:
    """All that the database holds, as text."""
    told = []
    for table in Finding.metadata.sorted_tables:
        for row in session.execute(select(table)):
            told.append(repr([bytes(value) if isinstance(value, memoryview) else value for value in row]))
    return "\n".join(told)


@pytest.fixture
def voice(sensor):
    return Voice(sensor)


@pytest.fixture
def inspected(session, hall, kim, sensor, voice):
    """An inspection with the sensor, which reports for it from now on."""
    one = inspections.start(session, hall, kim, [sensor])
    voice.inspection = one.public_id
    return one


def test_further_events_of_an_emitter_add_to_one_finding(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(score=70))
    heard(session, pseudonyms, voice.finds(event="updated", score=90), voice.finds(event="cleared", score=10))

    found = only(session)

    assert found.events_count == 3 and len(found.events) == 3
    assert (found.score, found.score_max, found.event, found.status) == (10, 90, "cleared", OPEN)


def test_another_inspection_another_finding(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds())
    voice.inspection = "u1-1"

    heard(session, pseudonyms, voice.finds())

    assert len(session.scalars(select(Finding)).all()) == 2


def test_a_finding_belongs_to_the_inspection_its_sensor_was_chosen_for(session, pseudonyms, inspected, hall, voice):
    heard(session, pseudonyms, voice.finds())

    assert only(session).inspection_id == inspected.id
    assert only(session).restroom_id == hall.id
    assert inspections.list_findings(session, inspected) == [only(session)]


def test_a_sensor_cannot_report_into_an_inspection_it_was_not_chosen_for(session, pseudonyms, hall, kim, voice):
    other = inspections.start(session, hall, kim)
    voice.inspection = other.public_id

    heard(session, pseudonyms, voice.finds())

    assert only(session).inspection_id is None and only(session).restroom_id is None


def test_a_fixed_sensor_reports_for_its_place(session, pseudonyms, hall, sensor, voice):
    sensor.restroom_id = hall.id

    heard(session, pseudonyms, voice.finds())

    assert only(session).restroom_id == hall.id


def test_maker_and_made_up_addresses_are_told_apart(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS), voice.finds(subject="02:00:5e:00:00:09"))

    told = session.execute(select(Finding.oui, Finding.local).order_by(Finding.id)).all()

    assert told == [("00:12:34", False), ("", True)]


def test_the_raw_report_holds_pseudonyms_instead_of_addresses(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, label="IPCAM-1"))

    content = json.loads(session.scalar(select(Report.content)))

    assert content["body"]["subject"] == "pseudonym:" + only(session).pseudonym
    assert content["body"]["bssid"].startswith("pseudonym:")
    assert "label" not in content["body"]


def test_while_it_is_open_the_address_and_the_exact_report_are_kept(session, pseudonyms, voice):
    said = voice.finds(subject=ADDRESS)

    heard(session, pseudonyms, said)

    assert only(session).address == ADDRESS
    assert session.scalar(select(FindingEvent.exact)) == said.body


def test_once_it_is_judged_no_trace_of_the_address_is_left(session, pseudonyms, voice, kim):
    stimulus = {"subject": ADDRESS, "slots": 8, "p_ppm": 20, "effect_permille": 900, "heard_permille": 1000}
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, label="IPCAM-1"), voice.says(messages.STIMULUS, stimulus))

    dispositions.dispose(session, only(session), kim, FALSE, "a phone on the sink")
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, event="updated", label="IPCAM-1"))
    session.flush()

    assert ADDRESS not in everything(session)
    assert "IPCAM-1" not in everything(session)
    assert only(session).status == CLOSED and only(session).events_count == 2
    assert session.scalar(select(StimulusResult.finding_id)) == only(session).id


def test_what_stays_below_the_alarm_score_is_noted_without_an_address(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS, score=40))
    session.flush()

    assert only(session).status == NOTED
    assert ADDRESS not in everything(session)

    heard(session, pseudonyms, voice.finds(subject=ADDRESS, event="updated", score=75))

    assert only(session).status == OPEN and only(session).address == ADDRESS


def test_a_finding_goes_on_over_midnight(session, pseudonyms, voice):
    midnight = (clock.day(NOW_S) + 1) * 86400
    heard(session, pseudonyms, voice.finds(at_s=midnight - 5, score=40))

    heard(session, pseudonyms, voice.finds(at_s=midnight + 5, score=41, event="updated"))

    assert only(session).events_count == 2


def test_pseudonyms_of_two_days_have_nothing_in_common(session, pseudonyms):
    today, tomorrow = pseudonyms.of(session, ADDRESS, 1), pseudonyms.of(session, ADDRESS, 2)

    assert today != tomorrow and len(today) == 32
    assert pseudonyms.of(session, ADDRESS, 1) == today


def test_an_emitter_that_is_raised_again_after_it_was_judged_is_looked_at_again(session, pseudonyms, voice, kim):
    heard(session, pseudonyms, voice.finds())
    dispositions.dispose(session, only(session), kim, FALSE, "nothing there")

    heard(session, pseudonyms, voice.finds())

    states = session.execute(select(Finding.status, Finding.episode).order_by(Finding.id)).all()
    assert states == [(CLOSED, 1), (OPEN, 2)]


def test_within_one_inspection_a_judgement_stands(session, pseudonyms, inspected, voice, kim):
    heard(session, pseudonyms, voice.finds())
    dispositions.dispose(session, only(session), kim, FALSE, "the inspector's own phone")

    heard(session, pseudonyms, voice.finds())

    assert only(session).status == CLOSED


def test_a_known_emitter_is_recognised_next_time(session, pseudonyms, inspected, voice, kim, hall, sensor):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS))
    dispositions.dispose(session, only(session), kim, KNOWN, "the entrance's camera, seen")
    inspections.finish(session, inspected, kim, "not_completed", "trial")

    again = inspections.start(session, hall, kim, [sensor])
    voice.inspection = again.public_id
    heard(session, pseudonyms, voice.finds(subject=ADDRESS))

    second = session.scalars(select(Finding).order_by(Finding.id.desc())).first()
    assert (second.status, second.disposition, second.address) == (CLOSED, KNOWN, None)
    assert second.known_emitter.address == ADDRESS
    assert not inspections.count_blocking_findings(session, again)


def test_two_findings_of_one_device_are_one_entry_of_the_list(session, pseudonyms, inspected, voice, kim, hall):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS))
    voice.inspection = ""
    heard(session, pseudonyms, voice.finds(subject=ADDRESS))

    for one in session.scalars(select(Finding)).all():
        one.restroom_id = hall.id
        dispositions.dispose(session, one, kim, KNOWN, "the entrance's camera, seen")

    entry = session.scalars(select(KnownEmitter)).one()
    assert [one.known_emitter_id for one in session.scalars(select(Finding))] == [entry.id, entry.id]


def test_an_inspector_judges_but_does_not_fill_the_facilitys_list(session, pseudonyms, inspected, voice):
    lee, _ = accounts.add_user(session, "lee", "Lee", "inspector", "correct horse battery")
    heard(session, pseudonyms, voice.finds())

    dispositions.dispose(session, only(session), lee, KNOWN, "seen")

    assert only(session).disposition == KNOWN
    assert session.scalar(select(KnownEmitter.id)) is None


def test_a_case_for_the_police_keeps_its_address(session, pseudonyms, voice, kim):
    heard(session, pseudonyms, voice.finds(subject=ADDRESS))

    dispositions.dispose(session, only(session), kim, TO_POLICE, "lens found", {"station": "Jungbu", "receipt": "12"})

    assert only(session).status == CASE and only(session).address == ADDRESS
    assert findings.load_detail(session, SYSTEM, only(session)).suspicious


@pytest.mark.parametrize(
    ("kind", "reason", "police", "code"),
    [(FALSE, "  ", None, "reason_needed"), (TO_POLICE, "found", {"station": " "}, "police_needed")],
)
def test_a_judgement_needs_its_reason(session, pseudonyms, voice, kim, kind, reason, police, code):
    heard(session, pseudonyms, voice.finds())

    with pytest.raises(Refused) as refused:
        dispositions.dispose(session, only(session), kim, kind, reason, police)

    assert refused.value.code == code


def test_judgements_are_added_never_replaced(session, pseudonyms, voice, kim):
    heard(session, pseudonyms, voice.finds())
    dispositions.dispose(session, only(session), kim, "unresolved", "not found")
    dispositions.dispose(session, only(session), kim, FALSE, "it was the hand dryer")

    detail = findings.load_detail(session, SYSTEM, findings.load(session, SYSTEM, only(session).public_id))

    assert [one.kind for one in detail.dispositions] == [FALSE, "unresolved"]


def test_the_detail_tells_the_newest_evidence(session, pseudonyms, voice):
    heard(session, pseudonyms, voice.finds(score=80))
    heard(session, pseudonyms, voice.finds(event="cleared", score=0, evidence=[], considered=[]))

    detail = findings.load_detail(session, SYSTEM, findings.load(session, SYSTEM, only(session).public_id))

    assert detail.evidence[0] == ["uplink_kbps", 900, 150, 30]
    assert detail.considered == [["video_call", "against"]]
    assert [event.event for event in detail.events] == ["cleared", "raised"]


def test_the_same_emitter_heard_by_another_sensor_is_shown(session, pseudonyms, voice, vault):
    from server.services.sensors import enrolment

    other = Voice(enrolment.enrol(session, vault, "hall-2")[0])
    heard(session, pseudonyms, voice.finds(), other.finds())

    first, second = session.scalars(select(Finding).order_by(Finding.id)).all()

    assert findings.list_same_emitter(session, SYSTEM, first) == [second]


def test_lists_go_by_status_and_by_page(session, pseudonyms, voice, kim):
    for number in range(5):
        heard(session, pseudonyms, voice.finds(subject=f"02:00:00:00:00:0{number}"))
    newest = findings.list_findings(session, SYSTEM, limit=2, newest_first=True)
    dispositions.dispose(session, newest.rows[0], kim, FALSE, "no")

    rest = findings.list_findings(session, SYSTEM, status="open", cursor=newest.next, newest_first=True)

    assert len(rest.rows) == 3 and findings.count_open(session, SYSTEM) == 4
    assert findings.list_findings(session, SYSTEM, status="closed").rows == [newest.rows[0]]


def test_an_unknown_finding_is_not_found(session):
    with pytest.raises(NotFound):
        findings.load(session, SYSTEM, "nonsense")
