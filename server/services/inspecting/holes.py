"""
Holes a lens could look through: found, covered with a sticker, reported for repair, closed.

    hole = holes.add(session, room, user, 2, "left partition, knee height", inspection=inspection)
    holes.record_event(session, hole, user, models.photos.TICKET, "FM-2044")
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from server import clock, db
from server.models.inspections import Inspection
from server.models.photos import CLOSED, FOUND, HOLE_EVENTS, STICKER, TICKET, Hole, HoleEvent
from server.models.places import Restroom
from server.services import paging
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.inspecting import result_validity
from server.services.people import access, accounts
from server.services.people.accounts import Actor

OPEN_HOLES, CLOSED_HOLES, ALL_HOLES = "open", "closed", "all"


def load(session: Session, user: Actor, public_id: str, right: str = accounts.SEE) -> Hole:
    """Return a hole with its restroom and events. Raises NotFound, also without the right at its facility."""
    query = select(Hole).where(Hole.public_id == public_id)
    query = query.options(
        joinedload(Hole.restroom).joinedload(Restroom.facility),
        joinedload(Hole.by),
        selectinload(Hole.events).joinedload(HoleEvent.by),
    )
    hole = session.scalar(query)
    if hole is None or not access.may(session, user, right, hole.restroom.facility_id):
        raise NotFound("hole")
    return hole


def list_holes(
    session: Session, user: Actor, *, state: str = OPEN_HOLES, cursor: str | None = None, limit: int = 50
) -> paging.Page[Hole]:
    """
    Return a page of the holes a user may see, newest first.

    state   OPEN_HOLES, CLOSED_HOLES or ALL_HOLES
    cursor  public id of the last hole of the page before
    """
    query = select(Hole).join(Restroom, Restroom.id == Hole.restroom_id)
    query = access.within(query, user, Restroom.facility_id)
    query = query.options(joinedload(Hole.restroom).joinedload(Restroom.facility))
    if state != ALL_HOLES:
        query = query.where(Hole.closed_s.is_(None) if state == OPEN_HOLES else Hole.closed_s.is_not(None))
    if cursor:
        query = query.where(Hole.id < load(session, user, cursor).id)
    rows = list(session.scalars(query.order_by(Hole.id.desc()).limit(limit + 1)))
    return paging.Page(rows[:limit], rows[limit - 1].public_id if len(rows) > limit else None)


def list_for_inspection(session: Session, inspection: Inspection) -> list[Hole]:
    """Return the holes found during an inspection, and the open ones of its restroom, oldest first."""
    is_open_here = (Hole.restroom_id == inspection.restroom_id) & Hole.closed_s.is_(None)
    query = select(Hole).where((Hole.inspection_id == inspection.id) | is_open_here)
    return list(session.scalars(query.order_by(Hole.id)))


def count_open(session: Session, user: Actor) -> int:
    """Count the open holes a user may see."""
    query = select(func.count(Hole.id)).join(Restroom, Restroom.id == Hole.restroom_id)
    return session.scalar(access.within(query.where(Hole.closed_s.is_(None)), user, Restroom.facility_id)) or 0


def add(
    session: Session, room: Restroom, user: Actor, stall: int, place: str, inspection: Inspection | None = None
) -> Hole:
    """
    Record a hole. After the end of its inspection it reopens the result "none found" (result_validity.py).

    Raises Refused: hole_place_needed, stall_unknown(stalls).
    """
    place = place.strip()[:200]
    if not place:
        raise Refused("hole_place_needed")
    if not 0 <= stall <= max(room.stalls, 0):
        raise Refused("stall_unknown", stalls=room.stalls)
    now_s = clock.now_s()
    hole = Hole(
        restroom_id=room.id,
        inspection_id=inspection.id if inspection else None,
        stall=stall,
        place=place,
        found_s=now_s,
        by_id=user.id,
        ticket="",
    )
    session.add(hole)
    session.flush()
    _add_event(session, hole, user, FOUND, place, now_s)
    body = {"restroom": room.public_id, "stall": stall, "place": place}
    log.add(session, "hole.found", hole.public_id, body, user)
    if inspection is not None and inspection.result is not None:
        result_validity.reopen(session, inspection, hole=hole.public_id)
    return hole


def record_event(session: Session, hole: Hole, user: Actor, kind: str, text: str = "") -> HoleEvent:
    """
    Record what was done about a hole.

    text  the ticket's number for TICKET; how it was repaired for CLOSED
    Raises Refused: hole_closed, reason_needed (every kind but STICKER needs a text).
    """
    if kind not in HOLE_EVENTS or kind == FOUND:
        raise ValueError(f"{kind!r} cannot happen to a recorded hole")
    hole = db.lock_row(session, hole)
    text = text.strip()[:1000]
    if hole.closed_s is not None:
        raise Refused("hole_closed")
    if not text and kind != STICKER:
        raise Refused("reason_needed")
    now_s = clock.now_s()
    if kind == STICKER:
        hole.sticker_s = now_s
    elif kind == TICKET:
        hole.ticket = text[:200]
    elif kind == CLOSED:
        hole.closed_s = now_s
    event = _add_event(session, hole, user, kind, text, now_s)
    log.add(session, f"hole.{kind}", hole.public_id, {}, user, {"text": text} if text else None)
    return event


def _add_event(session, hole, user, kind, text, now_s):
    event = HoleEvent(hole_id=hole.id, kind=kind, text=text, at_s=now_s, by_id=user.id)
    session.add(event)
    session.flush()
    return event
