"""What is written down without a network and handed over later."""

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from server import clock
from server.models import ChecklistAnswer, LogEntry, OfflineVisit, User
from server.models.places import Restroom
from server.services.errors import NotFound, Refused
from server.services.inspecting import checklists, inspections, offline_visits
from server.services.people import accounts
from server.services.places import facilities, restrooms
from tests.support.sensor_messages import Voice, heard
from tests.support.steps import recorded_step
from tests.support.values import present

NOW_S = 1_800_000_000
KEY = "0190a8e0-0000-7000-8000-000000000001"


@pytest.fixture(autouse=True)
def at_now(monkeypatch):
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S)


def a_visit(room, **other):
    asked = {"began_s": NOW_S - 3600, "ended_s": NOW_S - 3000, "answers": {}, "lens": "", "lens_note": "", "note": ""}
    return offline_visits.Visit(**{"key": KEY, "room": room.public_id, **asked, **other})


def everything_fine(session, room):
    """Answers to every item of the list, stall by stall."""
    items = checklists.current(session, room.facility).items
    here = {0: ("room", "both"), **dict.fromkeys(range(1, room.stalls + 1), ("stall", "both"))}
    return {
        stall: {item["key"]: ("ok", "", 0) for item in items if item["where"] in wheres}
        for stall, wheres in here.items()
    }


def test_a_visit_becomes_an_inspection_that_began_when_it_did(session, kim, hall):
    visit = a_visit(hall, answers=everything_fine(session, hall), lens="none_found", note="quiet")

    one = offline_visits.store(session, kim, visit, NOW_S)

    assert (one.started_s, one.result, one.started_by_id) == (NOW_S - 3600, None, kim.id)
    session.refresh(one)
    steps = inspections.current_steps(one)
    assert [step.outcome if step else None for step in steps.values()] == ["none_found", None, "none_found"]
    assert [visit.key for visit in offline_visits.list_visits(session, one)] == [KEY]
    kinds = [entry.kind for entry in session.query(LogEntry).filter_by(subject=one.public_id)]
    assert kinds[:2] == ["inspection.started", "inspection.offline"]


def test_handed_over_twice_it_is_there_once(session, kim, hall):
    visit = a_visit(hall, answers=everything_fine(session, hall))

    first = offline_visits.store(session, kim, visit, NOW_S)
    count = session.query(ChecklistAnswer).count()
    again = offline_visits.store(session, kim, visit, NOW_S + 86400 * 30)

    assert again.id == first.id and session.query(OfflineVisit).count() == 1
    assert session.query(ChecklistAnswer).count() == count


def test_a_visit_of_the_last_hour_of_june_belongs_to_june_however_late_it_is_handed_over(
    session, kim, hall, sensor, pseudonyms, monkeypatch
):
    midnight = int(datetime(2026, 7, 1, tzinfo=ZoneInfo("Asia/Seoul")).timestamp())
    monkeypatch.setattr(clock, "now_s", lambda: midnight + 9 * 3600)
    times = {"began_s": midnight - 3600, "ended_s": midnight - 1800}
    visit = a_visit(hall, answers=everything_fine(session, hall), lens="none_found", **times)
    one = offline_visits.store(session, kim, visit, midnight + 9 * 3600)
    inspections.add_sensor(session, one, sensor, midnight - 3600)
    voice = Voice(sensor)
    voice.inspection = one.public_id
    heard(session, pseudonyms, voice.says(at_s=midnight - 1500))
    session.expire_all()
    inspections.record_step(session, one, "rf", "none_found", kim)

    inspections.finish(session, one, kim, "none_found")

    assert one.finished_s == hall.last_inspected_s == hall.eye_done_s == midnight - 1500
    session.refresh(one)
    assert one.results[-1].at_s == midnight + 9 * 3600  # when it was recorded stays beside it
    listed = [
        inspections.list_inspections(session, kim, since_s=since_s, until_s=until_s).rows
        for since_s, until_s in ((midnight - 86400, midnight), (midnight, None))
    ]
    assert listed == [[one], []]


def started(session, room, monkeypatch, at_s):
    monkeypatch.setattr(clock, "now_s", lambda: at_s)
    inspection = inspections.start(session, room, accounts.SYSTEM)
    monkeypatch.setattr(clock, "now_s", lambda: NOW_S)
    return inspection


def test_it_joins_the_inspection_that_ran_there_at_the_time(session, kim, hall, monkeypatch):
    running = started(session, hall, monkeypatch, NOW_S - 3300)

    one = offline_visits.store(session, kim, a_visit(hall), NOW_S)

    assert one.id == running.id and one.started_s == NOW_S - 3300
    session.refresh(one)
    assert [person.user_id for person in one.people] == [kim.id]


@pytest.mark.parametrize("ago_s", [2 * 3600, 13 * 86400])
def test_a_visit_of_another_time_joins_nothing_and_moves_nothing(session, kim, hall, monkeypatch, ago_s):
    running = started(session, hall, monkeypatch, NOW_S - 600)
    times = {"began_s": NOW_S - ago_s, "ended_s": NOW_S - ago_s + 600}

    one = offline_visits.store(session, kim, a_visit(hall, answers=everything_fine(session, hall), **times), NOW_S)

    assert one.id != running.id and one.started_s == NOW_S - ago_s
    assert running.started_s == NOW_S - 600 and checklists.load_progress(session, running).done == 0
    assert hall.running_inspection_id == running.id
    assert [row.id for row in inspections.list_running(session, kim)] == [one.id, running.id]
    inspections.finish(session, one, kim, "none_found")
    assert hall.running_inspection_id == running.id
    assert one.finished_s == hall.last_inspected_s == NOW_S - ago_s + 600


def test_an_old_visit_begins_no_inspection_that_people_at_the_door_would_join(session, kim, hall):
    times = {"began_s": NOW_S - 13 * 86400, "ended_s": NOW_S - 13 * 86400 + 600}
    old = offline_visits.store(session, kim, a_visit(hall, **times), NOW_S)

    today = inspections.start(session, hall, kim)

    assert old.id != today.id and hall.running_inspection_id == today.id
    visit = a_visit(hall, key=KEY.replace("1", "2"), began_s=NOW_S - 60, ended_s=NOW_S)
    assert offline_visits.store(session, kim, visit, NOW_S).id == today.id


def test_two_phones_without_a_network_at_one_time_become_one_inspection(session, kim, hall):
    times = {"began_s": NOW_S - 40_000, "ended_s": NOW_S - 39_000}
    first = offline_visits.store(session, kim, a_visit(hall, **times), NOW_S)
    times = {"began_s": NOW_S - 39_500, "ended_s": NOW_S - 38_000}
    second = offline_visits.store(session, kim, a_visit(hall, key=KEY.replace("1", "2"), **times), NOW_S)

    assert first.id == second.id


def test_what_was_written_an_hour_before_replaces_nothing_that_its_author_had_not_seen(
    session, kim, hall, monkeypatch, colleague
):
    running = started(session, hall, monkeypatch, NOW_S - 4000)
    checklists.answer(session, running, colleague, 1, {"hooks": ("suspicious", "a glint")})
    inspections.record_step(session, running, "lens", "suspicious", colleague, "a reflection")

    visit = a_visit(hall, answers=everything_fine(session, hall), lens="none_found", lens_at_s=NOW_S - 3500)
    assert offline_visits.store(session, kim, visit, NOW_S).id == running.id

    progress = checklists.load_progress(session, running)
    line = next(line for line in progress.parts[1].lines if line.item["key"] == "hooks")
    assert (line.answer, line.note) == ("suspicious", "a glint")
    assert [(row.answer, present(row.by).name, row.at_s) for row in line.contested] == [
        ("suspicious", "Park", NOW_S),
        ("ok", "Kim", NOW_S - 3000),
    ]
    assert recorded_step(running, "eye").outcome == recorded_step(running, "lens").outcome == "suspicious"
    with pytest.raises(Refused, match="suspicious"):
        inspections.finish(session, running, kim, "none_found")


def test_a_suspicion_handed_over_late_reopens_what_was_recorded_meanwhile(session, kim, hall, monkeypatch, colleague):
    running = started(session, hall, monkeypatch, NOW_S - 4000)
    checklists.answer_rest(session, running, colleague)
    inspections.record_step(session, running, "eye", "none_found", colleague)

    visit = a_visit(hall, answers={2: {"hooks": ("suspicious", "a hole", NOW_S - 3300)}})
    offline_visits.store(session, kim, visit, NOW_S)

    step = recorded_step(running, "eye")
    assert (step.outcome, step.at_s, step.received_s) == ("suspicious", NOW_S - 3300, NOW_S)
    assert [row.outcome for row in running.steps] == ["none_found", "reopened", "suspicious"]


@pytest.fixture
def colleague(session, hashed):
    made = User(
        login="park",
        name="Park",
        role="inspector",
        password_hash=hashed,
        session_word="0" * 32,
        created_s=1_800_000_000,
    )
    session.add(made)
    session.flush()
    return made


def test_something_suspicious_decides_the_eye_step_and_is_told(session, kim, hall):
    visit = a_visit(hall, answers={2: {"hooks": ("suspicious", "a hole behind it", 0)}})

    one = offline_visits.store(session, kim, visit, NOW_S)

    session.refresh(one)
    step = recorded_step(one, "eye")
    assert step.outcome == "suspicious" and "a hole behind it" in step.note and step.note.startswith("2: ")


def test_a_list_that_is_not_answered_to_the_end_decides_nothing(session, kim, hall):
    one = offline_visits.store(session, kim, a_visit(hall, answers={1: {"hooks": ("ok", "", 0)}}), NOW_S)

    session.refresh(one)
    assert inspections.current_steps(one)["eye"] is None
    assert checklists.load_progress(session, one).done == 1


def test_items_that_the_list_does_not_have_are_left_out(session, kim, hall):
    answers = {
        0: {"hooks": ("ok", "", 0), "basins": ("ok", "", 0)},
        99: {"hooks": ("ok", "", 0)},
        1: {"none": ("ok", "", 0)},
    }

    one = offline_visits.store(session, kim, a_visit(hall, answers=answers), NOW_S)

    assert checklists.load_progress(session, one).done == 1  # the basins


@pytest.mark.parametrize(
    "said, kept",
    [
        ((NOW_S, NOW_S - 1), (NOW_S, NOW_S)),
        ((NOW_S - 60, NOW_S + 3600), (NOW_S - 60, NOW_S)),
        ((NOW_S + 60, NOW_S + 3600), (NOW_S, NOW_S)),
        ((0, NOW_S), (NOW_S - offline_visits.OLDEST_S, NOW_S)),
        ((-500, -400), (NOW_S - offline_visits.OLDEST_S,) * 2),
    ],
    ids=["ends before it begins", "ends in the future", "in the future", "began in 1970", "before 1970"],
)
def test_impossible_times_are_replaced_by_the_nearest_possible_ones_and_marked(session, kim, hall, said, kept):
    visit = a_visit(hall, began_s=said[0], ended_s=said[1], answers={1: {"hooks": ("ok", "", said[1] + 5)}})

    one = offline_visits.store(session, kim, visit, NOW_S)

    (stored,) = offline_visits.list_visits(session, one)
    assert (stored.began_s, stored.ended_s, stored.clamped) == (*kept, True)
    assert kept[0] <= session.query(ChecklistAnswer).one().at_s <= kept[1]


def test_what_needs_words_is_refused_without_them(session, kim, hall):
    with pytest.raises(Refused, match="answer_reason_needed"):
        offline_visits.store(session, kim, a_visit(hall, answers={1: {"hooks": ("na", "", 0)}}), NOW_S)
    with pytest.raises(Refused, match="reason_needed"):
        offline_visits.store(session, kim, a_visit(hall, key=KEY.replace("1", "2"), lens="suspicious"), NOW_S)


def test_words_and_keys_that_are_none_are_errors(session, kim, hall):
    for other in ({"key": "1"}, {"lens": "maybe"}, {"answers": {1: {"hooks": ("perhaps", "", 0)}}}):
        with pytest.raises(ValueError):
            offline_visits.store(session, kim, a_visit(hall, **other), NOW_S)


def test_an_unknown_or_retired_room_is_none(session, kim, hall):
    with pytest.raises(NotFound):
        offline_visits.store(session, kim, a_visit(hall)._replace(room="zzzzzzzz"), NOW_S)
    hall.retired_s = NOW_S
    with pytest.raises(Refused, match="restroom_retired"):
        offline_visits.store(session, kim, a_visit(hall), NOW_S)


def test_the_kit_has_what_is_due_and_what_was_asked_for(session, kim, hall):
    later = restrooms.add(session, hall.facility, "Not due", block="men", stalls=1)
    session.get(Restroom, later.id).due_s = None
    own = [{"key": "", "where": "room", "text": "창고", "text_en": "Store room"}]
    kim.role = "manager"
    listed = checklists.save(session, kim, checklists.Scope(facility=hall.facility), own)

    plain, asked = offline_visits.load_kit(session, kim), offline_visits.load_kit(session, kim, [later.public_id])

    assert [room.id for room in plain.rooms] == [hall.id]
    assert {room.id for room in asked.rooms} == {hall.id, later.id}
    assert asked.lists == {hall.facility_id: listed} and asked.standard.items == checklists.BUILTIN


def test_the_kit_takes_the_same_number_of_queries_for_many_buildings(session, kim, hall, sessions):
    from sqlalchemy import event

    counted = []
    event.listen(sessions.engine, "before_cursor_execute", lambda *_: counted.append(1))

    def queries():
        session.flush()
        counted.clear()
        offline_visits.load_kit(session, kim)
        return len(counted)

    offline_visits.load_kit(session, kim)
    few = queries()
    for number in range(20):
        site = facilities.add(session, hall.facility.organisation, f"Site {number}")
        restrooms.add(session, site, "Women's", block="women", stalls=1)
    session.expire_all()

    assert queries() <= few + 2  # what has expired is read again
