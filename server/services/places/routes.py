"""
Where an inspector goes next: what is due, building by building, the nearest first, while it is open.

    stops = routes.next_route(session, user, now_s, zone, start=(37.57, 126.97), blocks=("women",))
"""

import math
from collections import namedtuple
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server.models.places import Restroom
from server.services.people import access
from server.services.places import opening_hours
from server.services.places.plans import DAY_S, MINUTES_A_RESTROOM

AHEAD_S = 14 * DAY_S  # what is due so soon is worth doing while one is there
CANDIDATES = 300
DETOUR = 1.3  # streets are longer than the straight line
KM_A_DEGREE = 111.2
# way -> (km/h, how many degrees of latitude around the start are looked at)
FOOT, CAR = "foot", "car"
WAYS = {FOOT: (4.0, 0.06), CAR: (25.0, 0.3)}

# One building to go to. km from the one before; arrive_s; open: True, or None where its hours do not say.
Stop = namedtuple("Stop", ("facility", "rooms", "km", "arrive_s", "open", "minutes"))
# stops in order; closed: buildings that are not open when one could be there, as (facility, rooms); start (lat, lon)
Route = namedtuple("Route", ("stops", "closed", "start"))


def next_route(session: Session, user, now_s: int, zone, start=None, blocks=(), way=FOOT, most: int = 12) -> Route:
    """
    Return the next buildings for an inspector.

    zone    the site's time zone (tzinfo), for opening hours
    start   (latitude, longitude); None: begin at what is overdue longest
    blocks  only these rooms; () for all
    """
    speed, around = WAYS[way]
    if start is None:
        start = _longest_overdue(session, user, now_s, blocks)
    rooms = _candidates(session, user, now_s, start, blocks, around)
    left = {}
    for room in rooms:
        left.setdefault(room.facility_id, []).append(room)
    stops, closed, at, time_s = [], [], start, now_s
    while left and len(stops) < most:
        # Buildings without a position come last; among equals the one that is due longest.
        facility_id, km = min(
            ((one, _km(at, _position(there))) for one, there in left.items()),
            key=lambda one: (one[1] is None, one[1] or 0, left[one[0]][0].due_s),
        )
        there = left.pop(facility_id)
        arrive_s = time_s + (int(km * DETOUR / speed * 3600) if km else 0)
        states = [_open(room, arrive_s, zone) for room in there]
        now_open = [room for room, state in zip(there, states, strict=True) if state is not False]
        if not now_open:
            closed.append((there[0].facility, there))
            continue
        minutes = len(now_open) * MINUTES_A_RESTROOM
        state = True if all(states) else None
        stops.append(Stop(there[0].facility, now_open, km, arrive_s, state, minutes))
        at, time_s = _position(now_open) or at, arrive_s + minutes * 60
    return Route(stops, closed, start)


def _due(user, now_s, blocks):
    wanted = access.within(select(Restroom), user, Restroom.facility_id)
    wanted = wanted.where(Restroom.due_s <= now_s + AHEAD_S, Restroom.running_inspection_id.is_(None))
    return wanted.where(Restroom.block.in_(blocks)) if blocks else wanted


def _longest_overdue(session, user, now_s, blocks):
    wanted = _due(user, now_s, blocks).where(Restroom.latitude.is_not(None))
    room = session.scalar(wanted.order_by(Restroom.due_s, Restroom.id).limit(1))
    return (room.latitude, room.longitude) if room else None


def _candidates(session, user, now_s, start, blocks, around):
    """Due rooms near the start, the nearest first; if there are none, those that are due longest, wherever."""
    wanted = _due(user, now_s, blocks).options(joinedload(Restroom.facility)).limit(CANDIDATES)
    if start is not None:
        latitude, longitude = start
        wide = math.cos(math.radians(latitude)) or 0.01
        north, east = Restroom.latitude - latitude, (Restroom.longitude - longitude) * wide
        near = wanted.where(
            Restroom.latitude.between(latitude - around, latitude + around),
            Restroom.longitude.between(longitude - around / wide, longitude + around / wide),
        )
        found = session.scalars(near.order_by(north * north + east * east, Restroom.due_s, Restroom.id)).all()
        if found:
            return found
    return session.scalars(wanted.order_by(Restroom.due_s, Restroom.id)).all()


def _position(rooms):
    return next(((room.latitude, room.longitude) for room in rooms if room.latitude is not None), None)


def _km(one, other):
    if one is None or other is None:
        return None
    north = (one[0] - other[0]) * KM_A_DEGREE
    east = (one[1] - other[1]) * KM_A_DEGREE * math.cos(math.radians(one[0]))
    return math.hypot(north, east)


def _open(room, at_s, zone):
    at = datetime.fromtimestamp(at_s, zone)
    return opening_hours.is_open(room.opening_hours, at.weekday(), at.hour * 60 + at.minute)
