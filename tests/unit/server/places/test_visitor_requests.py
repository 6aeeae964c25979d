"""What visitors ask for at the door, and what answers it."""

import pytest
from sqlalchemy import select

from server import clock
from server.models import InspectionRequest, Notification
from server.services.errors import Refused
from server.services.inspecting import inspections
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.places import restrooms, visitor_requests
from tests.support.values import present


def inspect(session, room, result, reason=""):
    one = inspections.start(session, room, accounts.SYSTEM)
    inspections.record_step(session, one, "lens", "none_found", accounts.SYSTEM)
    inspections.finish(session, one, accounts.SYSTEM, result, reason)
    return one


def test_those_who_ask_are_counted_together_and_told_once(session, hall):
    visitor_requests.record(session, hall)
    visitor_requests.record(session, hall)

    assert present(visitor_requests.load_open(session, hall)).count == 2
    assert [row.restroom.id for row in visitor_requests.list_open(session, SYSTEM)] == [hall.id]
    notifications = session.scalars(select(Notification).where(Notification.kind == "inspection_asked")).all()
    assert [(row.facility_id, row.subject) for row in notifications] == [(hall.facility_id, hall.public_id)]


def test_a_completed_inspection_answers_and_one_that_was_not_completed_does_not(session, hall):
    visitor_requests.record(session, hall)
    inspect(session, hall, "not_completed", "locked")
    assert visitor_requests.count_open(session, SYSTEM) == 1

    done = inspect(session, hall, "none_found")

    assert visitor_requests.load_open(session, hall) is None and visitor_requests.count_open(session, SYSTEM) == 0
    assert session.scalar(select(InspectionRequest)).inspection_id == done.id


def test_a_correction_reopens_the_request_or_answers_it(session, hall):
    visitor_requests.record(session, hall)
    done = inspect(session, hall, "none_found")

    inspections.correct(session, done, SYSTEM, "not_completed", "the wrong room")
    reopened = visitor_requests.load_open(session, hall)
    inspections.correct(session, done, SYSTEM, "none_found", "the right room after all")

    assert present(reopened).count == 1
    assert visitor_requests.load_open(session, hall) is None
    assert session.scalar(select(InspectionRequest)).inspection_id == done.id


def test_a_reopened_request_joins_the_open_one_and_needs_no_answer_if_another_inspection_followed(session, hall):
    visitor_requests.record(session, hall)
    first = inspect(session, hall, "none_found")
    visitor_requests.record(session, hall)
    inspections.correct(session, first, SYSTEM, "not_completed", "the wrong room")
    joined = present(visitor_requests.load_open(session, hall)).count
    second, third = inspect(session, hall, "none_found"), inspect(session, hall, "none_found")

    inspections.correct(session, second, SYSTEM, "not_completed", "the wrong room")

    assert joined == 2 and visitor_requests.load_open(session, hall) is None
    assert session.scalar(select(InspectionRequest.inspection_id)) == third.id


def test_a_visit_before_the_question_is_no_answer(session, hall, monkeypatch):
    visitor_requests.record(session, hall)
    now_s = clock.now_s()
    one = inspections.start(session, hall, SYSTEM)
    inspections.record_step(session, one, "lens", "none_found", SYSTEM)
    monkeypatch.setattr(inspections, "_ended_s", lambda *_: now_s - 3600)  # handed over by a phone

    inspections.finish(session, one, SYSTEM, "none_found")

    assert visitor_requests.load_open(session, hall) is not None


def test_a_room_that_was_only_visited_in_vain_was_never_inspected(session, hall):
    one = inspect(session, hall, "not_completed", "locked")
    never = restrooms.count_restrooms(session, SYSTEM, state=restrooms.NEVER)
    inspections.correct(session, one, SYSTEM, "none_found", "it was open")

    assert (never, restrooms.count_restrooms(session, SYSTEM, state=restrooms.NEVER)) == (1, 0)


def test_whoever_asks_after_an_inspection_begins_anew(session, hall):
    visitor_requests.record(session, hall)
    inspect(session, hall, "none_found")

    visitor_requests.record(session, hall)

    assert present(visitor_requests.load_open(session, hall)).count == 1
    assert len(session.scalars(select(InspectionRequest)).all()) == 2


def test_a_restroom_that_is_gone_is_not_asked_for(session, hall):
    hall.retired_s = 1

    with pytest.raises(Refused, match="restroom_retired"):
        visitor_requests.record(session, hall)
