"""
The next route of an inspector: due restrooms building by building, the nearest first, while they are open.

    route = routes.plan_route(session, user, now_s, zone, start=(37.57, 126.97), blocks=("women",))
"""

import math
from collections.abc import Collection
from datetime import datetime, tzinfo
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server.models.places import Facility, Restroom
from server.services.people import access
from server.services.places import due_dates, opening_hours
from server.services.places.due_dates import DAY_S, MINUTES_A_RESTROOM

AHEAD_S = 14 * DAY_S  # a restroom due within this time is worth including while the inspector is in the building
CANDIDATES = 300
DETOUR = 1.3  # streets are longer than the straight line
KM_A_DEGREE = 111.2
# {mode: (km/h, degrees of latitude around the start to search)}
FOOT, CAR = "foot", "car"
MODES = {FOOT: (4.0, 0.06), CAR: (25.0, 0.3)}


class Stop(NamedTuple):
    """One building. km from the stop before; open True, or None if its hours do not say."""

    facility: Facility
    rooms: list[Restroom]
    km: float | None
    arrive_s: int
    open: bool | None
    minutes: int


class Route(NamedTuple):
    """
    stops   in order
    closed  buildings that are closed at the time of arrival, as (facility, restrooms)
    start   (latitude, longitude), or None
    """

    stops: list[Stop]
    closed: list[tuple[Facility, list[Restroom]]]
    start: tuple[float, float] | None


def plan_route(
    session: Session,
    user,
    now_s: int,
    zone: tzinfo,
    start: tuple[float, float] | None = None,
    blocks: Collection[str] = (),
    mode: str = FOOT,
    most: int = 12,
) -> Route:
    """
    Return the next buildings for an inspector.

    zone    the site's time zone, for opening hours
    start   (latitude, longitude); None: begin at the restroom that has been overdue longest
    blocks  only restrooms of these blocks; () for all
    """
    speed, around = MODES[mode]
    if start is None:
        start = _longest_overdue(session, user, now_s, blocks)
    rooms_of = {}
    for room in _candidates(session, user, now_s, start, blocks, around):
        rooms_of.setdefault(room.facility_id, []).append(room)
    stops, closed, position, time_s = [], [], start, now_s
    while rooms_of and len(stops) < most:
        # Buildings without a position come last; among equals the one that is due longest.
        facility_id, km = min(
            ((facility_id, _km(position, _position(rooms))) for facility_id, rooms in rooms_of.items()),
            key=lambda pair: (pair[1] is None, pair[1] or 0, rooms_of[pair[0]][0].due_s),
        )
        rooms = rooms_of.pop(facility_id)
        arrive_s = time_s + (int(km * DETOUR / speed * 3600) if km else 0)
        states = [_open(room, arrive_s, zone) for room in rooms]
        open_rooms = [room for room, state in zip(rooms, states, strict=True) if state is not False]
        if not open_rooms:
            closed.append((rooms[0].facility, rooms))
            continue
        minutes = len(open_rooms) * MINUTES_A_RESTROOM
        state = True if all(states) else None
        stops.append(Stop(rooms[0].facility, open_rooms, km, arrive_s, state, minutes))
        position, time_s = _position(open_rooms) or position, arrive_s + minutes * 60
    return Route(stops, closed, start)


def _due(user, now_s, blocks):
    query = access.within(select(Restroom), user, Restroom.facility_id)
    query = query.where(due_dates.is_due(now_s + AHEAD_S), Restroom.running_inspection_id.is_(None))
    return query.where(Restroom.block.in_(blocks)) if blocks else query


def _longest_overdue(session, user, now_s, blocks):
    query = _due(user, now_s, blocks).where(Restroom.latitude.is_not(None))
    room = session.scalar(query.order_by(Restroom.due_s, Restroom.id).limit(1))
    return (room.latitude, room.longitude) if room else None


def _candidates(session, user, now_s, start, blocks, around):
    """Return due restrooms near the start, the nearest first; if there are none, those due longest, anywhere."""
    query = _due(user, now_s, blocks).options(joinedload(Restroom.facility)).limit(CANDIDATES)
    if start is not None:
        latitude, longitude = start
        wide = math.cos(math.radians(latitude)) or 0.01
        north, east = Restroom.latitude - latitude, (Restroom.longitude - longitude) * wide
        near = query.where(
            Restroom.latitude.between(latitude - around, latitude + around),
            Restroom.longitude.between(longitude - around / wide, longitude + around / wide),
        )
        rooms = session.scalars(near.order_by(north * north + east * east, Restroom.due_s, Restroom.id)).all()
        if rooms:
            return rooms
    return session.scalars(query.order_by(Restroom.due_s, Restroom.id)).all()


def _position(rooms):
    return next(((room.latitude, room.longitude) for room in rooms if room.latitude is not None), None)


def _km(a, b):
    if a is None or b is None:
        return None
    north = (a[0] - b[0]) * KM_A_DEGREE
    east = (a[1] - b[1]) * KM_A_DEGREE * math.cos(math.radians(a[0]))
    return math.hypot(north, east)


def _open(room, at_s, zone):
    local = datetime.fromtimestamp(at_s, zone)
    return opening_hours.is_open(room.opening_hours, local.weekday(), local.hour * 60 + local.minute)
