"""
Restrooms on a map: single places where there are few in view, groups with their numbers where there are many.

    box = maps.extent(session, user)                            # None if no restroom has a position
    for group in maps.list_groups(session, user, box, now_s):   # at most ACROSS * DOWN
    for spot in maps.list_spots(session, user, box):            # None if there are too many for single places
"""

from typing import NamedTuple

from sqlalchemy import case, distinct, func, select
from sqlalchemy.orm import Session, joinedload

from server.models.findings import OPEN, Finding
from server.models.places import Restroom
from server.services.people import access
from server.services.places import due_dates

MOST_SINGLE = 300  # restrooms in view; more become groups
ACROSS, DOWN = 12, 10  # groups at most, so that their numbers stand beside each other
EDGE = 1e-9  # of a part: a position on an edge of the view belongs to its outermost part


class Box(NamedTuple):
    """Degrees of latitude and longitude, WGS 84."""

    south: float
    west: float
    north: float
    east: float


class Group(NamedTuple):
    """The restrooms in one part of the view; rooms, overdue and findings (rooms with open ones) are counts."""

    latitude: float
    longitude: float
    rooms: int
    overdue: int
    findings: int
    box: Box


class Spot(NamedTuple):
    """The restrooms at one position, usually those of a building, each with whether it has open findings."""

    latitude: float
    longitude: float
    rooms: list[tuple[Restroom, bool]]


def extent(session: Session, user) -> Box | None:
    """Return the box around all restrooms that a user may see; None if none of them has a position."""
    place = Restroom.latitude, Restroom.longitude
    corners = func.min(place[0]), func.min(place[1]), func.max(place[0]), func.max(place[1])
    row = session.execute(_within(select(*corners), user)).one()
    return None if row[0] is None else Box(*row)


def list_spots(session: Session, user, box: Box) -> list[Spot] | None:
    """Return the restrooms in a box by position; None if there are more than MOST_SINGLE."""
    query = _within(select(Restroom), user, box).options(joinedload(Restroom.facility)).limit(MOST_SINGLE + 1)
    rooms = session.scalars(query).all()
    if len(rooms) > MOST_SINGLE:
        return None
    with_findings = set(session.scalars(_within(_with_findings(Restroom.id), user, box)))
    by_position = {}
    for room in sorted(rooms, key=lambda room: (room.sort_key, room.id)):
        position = room.latitude, room.longitude
        by_position.setdefault(position, []).append((room, room.id in with_findings))
    return [Spot(latitude, longitude, rooms) for (latitude, longitude), rooms in by_position.items()]


def list_groups(session: Session, user, box: Box, now_s: int) -> list[Group]:
    """Return the restrooms in a box grouped by its parts; a group's position is the mean of its restrooms'."""
    high, wide = (_step(box.south, box.north, DOWN), _step(box.west, box.east, ACROSS))
    # round(x - 0.5) is floor(x) in both databases, whose casts to a whole number differ, and so do their halves
    row = func.round((Restroom.latitude - box.south) / high - 0.5 + EDGE)
    column = func.round((Restroom.longitude - box.west) / wide - 0.5 + EDGE)
    middle = func.avg(Restroom.latitude), func.avg(Restroom.longitude)
    numbers = func.count(), func.count(case((due_dates.is_due(now_s), 1)))
    query = _within(select(row, column, *middle, *numbers), user, box).group_by(row, column)
    findings = _within(_with_findings(row, column, func.count(distinct(Restroom.id))), user, box).group_by(row, column)
    with_findings = {(down, across): count for down, across, count in session.execute(findings)}
    return [
        Group(
            latitude,
            longitude,
            rooms,
            overdue,
            with_findings.get((down, across), 0),
            _part(box, down, across, high, wide),
        )
        for down, across, latitude, longitude, rooms, overdue in session.execute(query)
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
