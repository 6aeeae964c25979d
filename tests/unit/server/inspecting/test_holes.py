import pytest

from server.models import LogEntry
from server.services.errors import NotFound, Refused
from server.services.inspecting import holes
from server.services.people import accounts


def refusal(call, *arguments, **named):
    with pytest.raises(Refused) as refused:
        call(*arguments, **named)
    return refused.value.code


@pytest.fixture
def hole(session, hall, kim):
    return holes.add(session, hall, kim, 2, " left partition, knee height ")


def test_a_hole_goes_from_sticker_to_ticket_to_repaired(session, hole, kim):
    holes.record_event(session, hole, kim, "sticker")
    holes.record_event(session, hole, kim, "ticket", "FM-2044")
    holes.record_event(session, hole, kim, "closed", "filled and painted")

    found = holes.load(session, accounts.SYSTEM, hole.public_id)

    assert [event.kind for event in found.events] == ["found", "sticker", "ticket", "closed"]
    assert (
        found.sticker_s and found.closed_s and (found.ticket, found.place) == ("FM-2044", "left partition, knee height")
    )
    kinds = [entry.kind for entry in session.query(LogEntry).order_by(LogEntry.n)]
    assert kinds[-4:] == ["hole.found", "hole.sticker", "hole.ticket", "hole.closed"]


def test_the_list_has_open_ones_first_and_counts_them(session, hole, hall, kim):
    other = holes.add(session, hall, kim, 0, "ceiling")
    holes.record_event(session, other, kim, "closed", "plastered")

    assert [one.id for one in holes.list_holes(session, kim).rows] == [hole.id]
    assert [one.id for one in holes.list_holes(session, kim, state="closed").rows] == [other.id]
    assert len(holes.list_holes(session, kim, state="all").rows) == 2 and holes.count_open(session, kim) == 1


def test_what_is_missing_is_asked_for(session, hole, hall, kim):
    assert refusal(holes.add, session, hall, kim, 1, " ") == "hole_place_needed"
    assert refusal(holes.add, session, hall, kim, 5, "door") == "stall_unknown"
    assert refusal(holes.record_event, session, hole, kim, "ticket") == "reason_needed"
    assert refusal(holes.record_event, session, hole, kim, "closed", "") == "reason_needed"
    with pytest.raises(ValueError, match="found"):
        holes.record_event(session, hole, kim, "found")


def test_a_repaired_hole_stays_as_it_is(session, hole, kim):
    holes.record_event(session, hole, kim, "closed", "filled")

    assert refusal(holes.record_event, session, hole, kim, "sticker") == "hole_closed"


def test_somebody_of_another_place_sees_none(session, hole, kim):
    kim.everywhere = False
    session.flush()

    assert holes.list_holes(session, kim).rows == [] and holes.count_open(session, kim) == 0
    with pytest.raises(NotFound):
        holes.load(session, accounts.SYSTEM, "nothing")
