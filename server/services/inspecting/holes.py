"""
Holes a lens could look through: found, covered with a sticker, reported for repair, closed.

    hole = holes.add(session, room, user, 2, "left partition, knee height", inspection=one)
    holes.note(session, hole, user, models.photos.TICKET, "FM-2044")
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from server import clock
from server.models.photos import CLOSED, FOUND, HOLE_EVENTS, STICKER, TICKET, Hole, HoleEvent
from server.models.places import Restroom
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import access

OPEN_HOLES, CLOSED_HOLES, ALL_HOLES = "open", "closed", "all"


def add(session: Session, room: Restroom, user, stall: int, place: str, inspection=None) -> Hole:
    """Record a hole. Raises Refused: hole_place_needed, stall_unknown(stalls)."""
    place = place.strip()[:200]
    if not place:
        raise Refused("hole_place_needed")
    if not 0 <= stall <= max(room.stalls, 0):
        raise Refused("stall_unknown", stalls=room.stalls)
    now_s = clock.now_s()
    added = Hole(
        restroom_id=room.id,
        inspection_id=inspection.id if inspection else None,
        stall=stall,
        place=place,
        found_s=now_s,
        by_id=user.id if user else None,
        ticket="",
    )
    session.add(added)
    session.flush()
    _event(session, added, user, FOUND, place, now_s)
    body = {"restroom": room.public_id, "stall": stall, "place": place}
    log.add(session, "hole.found", added.public_id, body, user)
    return added


def note(session: Session, one: Hole, user, kind: str, text: str = "") -> HoleEvent:
    """
    Record what was done about a hole.

    text  the ticket's number for TICKET; how it was repaired for CLOSED
    Raises Refused: hole_closed, reason_needed (TICKET and CLOSED without a text).
    """
    if kind not in HOLE_EVENTS or kind == FOUND:
        raise ValueError(f"{kind!r} cannot happen to a hole that is there")
    one = session.get(Hole, one.id, with_for_update=True, populate_existing=True)
    text = text.strip()[:1000]
    if one.closed_s is not None:
        raise Refused("hole_closed")
    if not text and kind != STICKER:
        raise Refused("reason_needed")
    now_s = clock.now_s()
    if kind == STICKER:
        one.sticker_s = now_s
    elif kind == TICKET:
        one.ticket = text[:200]
    elif kind == CLOSED:
        one.closed_s = now_s
    added = _event(session, one, user, kind, text, now_s)
    log.add(session, f"hole.{kind}", one.public_id, {}, user, {"text": text} if text else None)
    return added


def hole(session: Session, public_id: str) -> Hole:
    """Return a hole with its restroom and events. Raises NotFound."""
    wanted = select(Hole).where(Hole.public_id == public_id)
    wanted = wanted.options(
        joinedload(Hole.restroom).joinedload(Restroom.facility),
        joinedload(Hole.by),
        selectinload(Hole.events).joinedload(HoleEvent.by),
    )
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("hole")
    return found


def list_holes(session: Session, user, state: str = OPEN_HOLES, room=None, limit: int = 50, before_id=None):
    """Holes a person may see, newest first; state: OPEN_HOLES, CLOSED_HOLES or ALL_HOLES."""
    wanted = select(Hole).join(Restroom, Restroom.id == Hole.restroom_id)
    wanted = access.within(wanted, user, Restroom.facility_id)
    wanted = wanted.options(joinedload(Hole.restroom).joinedload(Restroom.facility))
    if state != ALL_HOLES:
        wanted = wanted.where(Hole.closed_s.is_(None) if state == OPEN_HOLES else Hole.closed_s.is_not(None))
    if room is not None:
        wanted = wanted.where(Hole.restroom_id == room.id)
    if before_id is not None:
        wanted = wanted.where(Hole.id < before_id)
    return list(session.scalars(wanted.order_by(Hole.id.desc()).limit(limit)))


def of_inspection(session: Session, one) -> list[Hole]:
    """Holes found during an inspection, and those of its restroom that are still open: oldest first."""
    here = (Hole.inspection_id == one.id) | ((Hole.restroom_id == one.restroom_id) & Hole.closed_s.is_(None))
    return list(session.scalars(select(Hole).where(here).order_by(Hole.id)))


def count_open(session: Session, user) -> int:
    """How many holes a person may see wait for a repair."""
    counted = select(func.count(Hole.id)).join(Restroom, Restroom.id == Hole.restroom_id)
    return session.scalar(access.within(counted.where(Hole.closed_s.is_(None)), user, Restroom.facility_id))


def _event(session, one, user, kind, text, now_s):
    added = HoleEvent(hole_id=one.id, kind=kind, text=text, at_s=now_s, by_id=user.id if user else None)
    session.add(added)
    session.flush()
    return added
