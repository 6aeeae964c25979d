"""
Restrooms on a map: single places where there are few in view, groups with their numbers where there are many.

    box = maps.extent(session, user)                       # Box, or None where no restroom has a position
    for group in maps.groups(session, user, box, now_s):   # at most ACROSS * DOWN of them
    for spot in maps.spots(session, user, box):            # None if there are too many for single places
"""

from collections import namedtuple

from sqlalchemy import case, distinct, func, select
from sqlalchemy.orm import Session, joinedload

from server.models.findings import OPEN, Finding
from server.models.places import Restroom
from server.services.people import access

MOST_SINGLE = 300  # restrooms in view; more become groups
ACROSS, DOWN = 12, 10  # groups at most, so that their numbers stand beside each other
EDGE = 1e-9  # of a part: what lies on an edge of the view belongs to its outermost part

# Degrees of latitude and longitude, WGS 84.
Box = namedtuple("Box", ("south", "west", "north", "east"))
# The restrooms of one part of the view. box: that part; overdue, findings: how many are, or have open ones
Group = namedtuple("Group", ("latitude", "longitude", "rooms", "overdue", "findings", "box"))
# The restrooms at one position, which are those of a building: rooms are [(Restroom, has open findings), ...]
Spot = namedtuple("Spot", ("latitude", "longitude", "rooms"))


def extent(session: Session, user) -> Box | None:
    """Return the box around all restrooms that a person may see; None if none of them has a position."""
    place = Restroom.latitude, Restroom.longitude
    corners = func.min(place[0]), func.min(place[1]), func.max(place[0]), func.max(place[1])
    found = session.execute(_within(select(*corners), user)).one()
    return None if found[0] is None else Box(*found)


def spots(session: Session, user, box: Box) -> list[Spot] | None:
    """Return the restrooms in a box by position; None if there are more than MOST_SINGLE."""
    wanted = _within(select(Restroom), user, box).options(joinedload(Restroom.facility)).limit(MOST_SINGLE + 1)
    rooms = session.scalars(wanted).all()
    if len(rooms) > MOST_SINGLE:
        return None
    with_findings = set(session.scalars(_within(_with_findings(Restroom.id), user, box)))
    by_position = {}
    for room in sorted(rooms, key=lambda room: (room.sort_key, room.id)):
        position = room.latitude, room.longitude
        by_position.setdefault(position, []).append((room, room.id in with_findings))
    return [Spot(*position, rooms) for position, rooms in by_position.items()]


def groups(session: Session, user, box: Box, now_s: int) -> list[Group]:
    """Return the restrooms in a box by part of it, each group in the middle of its own."""
    high, wide = (_step(box.south, box.north, DOWN), _step(box.west, box.east, ACROSS))
    # round(x - 0.5) is floor(x) in both databases, whose casts to a whole number differ, and so do their halves
    row = func.round((Restroom.latitude - box.south) / high - 0.5 + EDGE)
    column = func.round((Restroom.longitude - box.west) / wide - 0.5 + EDGE)
    middle = func.avg(Restroom.latitude), func.avg(Restroom.longitude)
    numbers = func.count(), func.count(case((Restroom.due_s <= now_s, 1)))
    wanted = _within(select(row, column, *middle, *numbers), user, box).group_by(row, column)
    findings = _within(_with_findings(row, column, func.count(distinct(Restroom.id))), user, box).group_by(row, column)
    with_findings = {(down, across): count for down, across, count in session.execute(findings)}
    return [
        Group(*found, with_findings.get((down, across), 0), _part(box, down, across, high, wide))
        for down, across, *found in session.execute(wanted)
    ]


def _step(low, high, parts):
    return max(high - low, 1e-6) * (1 + EDGE) / parts


def _part(box, down, across, high, wide):
    south, west = box.south + down * high, box.west + across * wide
    return Box(south, west, south + high, west + wide)


def _with_findings(*columns):
    return select(*columns).join(Finding, Finding.restroom_id == Restroom.id).where(Finding.status == OPEN)


def _within(query, user, box=None):
    query = access.within(query, user, Restroom.facility_id)
    query = query.where(Restroom.retired_s.is_(None), Restroom.latitude.is_not(None), Restroom.longitude.is_not(None))
    if box is not None:
        query = query.where(Restroom.latitude.between(box.south, box.north))
        query = query.where(Restroom.longitude.between(box.west, box.east))
    return query
