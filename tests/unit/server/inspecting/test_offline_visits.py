"""What is written down without a network and handed over later."""

import pytest

from server import clock
from server.models import ChecklistAnswer, LogEntry, OfflineVisit
from server.models.places import Restroom
from server.services.errors import NotFound, Refused
from server.services.inspecting import checklists, inspections, offline_visits
from server.services.people import accounts
from server.services.places import facilities, restrooms
from tests.support.steps import recorded_step

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
        stall: {item["key"]: ("ok", "") for item in items if item["where"] in wheres} for stall, wheres in here.items()
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


def test_it_joins_the_inspection_that_runs_there(session, kim, hall):
    running = inspections.start(session, hall, accounts.SYSTEM)

    one = offline_visits.store(session, kim, a_visit(hall), NOW_S)

    assert one.id == running.id and one.started_s == NOW_S - 3600
    session.refresh(one)
    assert [person.user_id for person in one.people] == [kim.id]


def test_something_suspicious_decides_the_eye_step_and_is_told(session, kim, hall):
    visit = a_visit(hall, answers={2: {"hooks": ("suspicious", "a hole behind it")}})

    one = offline_visits.store(session, kim, visit, NOW_S)

    session.refresh(one)
    step = recorded_step(one, "eye")
    assert step.outcome == "suspicious" and "a hole behind it" in step.note and step.note.startswith("2: ")


def test_a_list_that_is_not_answered_to_the_end_decides_nothing(session, kim, hall):
    one = offline_visits.store(session, kim, a_visit(hall, answers={1: {"hooks": ("ok", "")}}), NOW_S)

    session.refresh(one)
    assert inspections.current_steps(one)["eye"] is None
    assert checklists.load_progress(session, one).done == 1


def test_items_that_the_list_does_not_have_are_left_out(session, kim, hall):
    answers = {0: {"hooks": ("ok", ""), "basins": ("ok", "")}, 99: {"hooks": ("ok", "")}, 1: {"none": ("ok", "")}}

    one = offline_visits.store(session, kim, a_visit(hall, answers=answers), NOW_S)

    assert checklists.load_progress(session, one).done == 1  # the basins


@pytest.mark.parametrize(
    "times",
    [(NOW_S, NOW_S - 1), (NOW_S, NOW_S + 3600), (NOW_S - 15 * 86400, NOW_S)],
    ids=["ends before it begins", "in the future", "older than two weeks"],
)
def test_times_that_cannot_be_right_are_refused(session, kim, hall, times):
    with pytest.raises(Refused, match="visit_times"):
        offline_visits.store(session, kim, a_visit(hall, began_s=times[0], ended_s=times[1]), NOW_S)


def test_what_needs_words_is_refused_without_them(session, kim, hall):
    with pytest.raises(Refused, match="answer_reason_needed"):
        offline_visits.store(session, kim, a_visit(hall, answers={1: {"hooks": ("na", "")}}), NOW_S)
    with pytest.raises(Refused, match="reason_needed"):
        offline_visits.store(session, kim, a_visit(hall, key=KEY.replace("1", "2"), lens="suspicious"), NOW_S)


def test_words_and_keys_that_are_none_are_errors(session, kim, hall):
    for other in ({"key": "1"}, {"lens": "maybe"}, {"answers": {1: {"hooks": ("perhaps", "")}}}):
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
