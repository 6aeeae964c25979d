"""What visitors ask for at the door, and what answers it."""

import pytest
from sqlalchemy import select

from server.models import InspectionRequest, Notification
from server.services.errors import Refused
from server.services.inspecting import inspections
from server.services.people import accounts
from server.services.people.accounts import SYSTEM
from server.services.places import visitor_requests
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
