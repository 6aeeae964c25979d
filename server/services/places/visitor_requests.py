"""
What visitors ask for: an inspection of the restroom they stand in. No account, no name, no words: only that it is wished.

    asking.ask(session, room)             # counted with those who asked before, until an inspection answers
    asking.answer(session, inspection)    # by inspections.finish()
"""

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, contains_eager

from server import clock
from server.models.outside import INSPECTION_ASKED
from server.models.places import Facility, InspectionRequest, Restroom
from server.services.audit import log
from server.services.errors import Refused
from server.services.outside import notifications
from server.services.people import access

MOST_SHOWN = 50


def ask(session: Session, room: Restroom) -> InspectionRequest:
    """
    Somebody asks for an inspection of this restroom; the first one is told to whoever wants to know.

    Raises Refused: restroom_retired.
    """
    # Locked, so that two who ask at the same moment are counted together.
    room = session.get(Restroom, room.id, with_for_update=True, populate_existing=True)
    if room.retired_s is not None:
        raise Refused("restroom_retired")
    now_s = clock.now_s()
    there = open_one(session, room)
    if there is not None:
        there.count += 1
        there.last_s = now_s
        return there
    added = InspectionRequest(restroom_id=room.id, first_s=now_s, last_s=now_s, count=1)
    session.add(added)
    session.flush()
    log.add(session, "restroom.asked", room.public_id, {}, None)
    notifications.enqueue(session, INSPECTION_ASKED, room.facility_id, room.public_id, restroom=room.name)
    return added


def answer(session: Session, inspection) -> None:
    """A completed inspection answers what was asked for before it ended."""
    done = {"answered_s": clock.now_s(), "inspection_id": inspection.id}
    concerned = (InspectionRequest.restroom_id == inspection.restroom_id) & InspectionRequest.answered_s.is_(None)
    session.execute(update(InspectionRequest).where(concerned).values(**done))


def open_one(session: Session, room: Restroom) -> InspectionRequest | None:
    """What is asked for of this restroom and not answered yet."""
    return session.scalar(_open().where(InspectionRequest.restroom_id == room.id))


def open_ones(session: Session, user, limit: int = MOST_SHOWN) -> list[InspectionRequest]:
    """What this person's places are asked for, the oldest first, with restroom and facility."""
    wanted = _open().join(InspectionRequest.restroom).join(Restroom.facility)
    wanted = wanted.options(contains_eager(InspectionRequest.restroom).contains_eager(Restroom.facility))
    wanted = access.within(wanted, user, Restroom.facility_id).where(Restroom.retired_s.is_(None))
    return list(session.scalars(wanted.order_by(InspectionRequest.first_s).limit(limit)))


def count_open(session: Session, user) -> int:
    """How many restrooms of this person's places are asked for."""
    wanted = select(func.count(InspectionRequest.id)).join(InspectionRequest.restroom).join(Facility)
    wanted = wanted.where(InspectionRequest.answered_s.is_(None), Restroom.retired_s.is_(None))
    return session.scalar(access.within(wanted, user, Restroom.facility_id))


def _open():
    return select(InspectionRequest).where(InspectionRequest.answered_s.is_(None))
