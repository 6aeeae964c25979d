"""
The work of an inspector: what to sign, where to go next, and who and which sensors come along.

    team = my_work.load_team(session, user, now_s)
    room = my_work.next_room(session, user, inspection, now_s, zone)
"""

from datetime import tzinfo
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from server.models.inspections import Inspection, InspectionPerson, InspectionResult, InspectionSensor, Signature
from server.models.people import User
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.people import access
from server.services.places import due_dates, routes

SHIFT_S = 12 * 3600  # a team stays together this long after the start of its last inspection
UNSIGNED_S = 90 * due_dates.DAY_S


class Team(NamedTuple):
    """
    What the user took along to the newest inspection of this shift.

    sensors   names of sensors without a fixed place
    accounts  public ids of the others who have an account
    partners  (name, agency) of the people without one
    """

    sensors: list[str]
    accounts: list[str]
    partners: list[tuple[str, str]]


def load_team(session: Session, user: User, now_s: int) -> Team:
    """Return the team of the newest inspection that the user started within SHIFT_S; empty without one."""
    newest = select(Inspection).where(Inspection.started_by_id == user.id, Inspection.started_s > now_s - SHIFT_S)
    inspection = session.scalar(newest.order_by(Inspection.started_s.desc(), Inspection.id.desc()).limit(1))
    if inspection is None:
        return Team([], [], [])
    used = select(Sensor.name).join(InspectionSensor, InspectionSensor.sensor_id == Sensor.id)
    used = used.where(InspectionSensor.inspection_id == inspection.id, Sensor.restroom_id.is_(None))
    others = [person for person in inspection.people if person.user_id != user.id]
    ids = [person.user_id for person in others if person.user_id is not None]
    return Team(
        list(session.scalars(used.order_by(InspectionSensor.id))),
        list(session.scalars(select(User.public_id).where(User.id.in_(ids)).order_by(User.id))),
        [(person.name, person.agency) for person in others if person.user_id is None],
    )


def next_room(session: Session, user: User, inspection: Inspection, now_s: int, zone: tzinfo) -> Restroom | None:
    """
    Return the restroom to inspect after this one; None if nothing is due within routes.AHEAD_S.

    First what is due in the same building, the longest due first; then the next stop of the route from there.
    A restroom that was visited in this shift is left out, also if the visit was in vain.
    """
    here = inspection.restroom
    visited = set(session.scalars(select(Inspection.restroom_id).where(Inspection.finished_s > now_s - SHIFT_S)))
    visited.add(here.id)
    query = access.within(select(Restroom), user, Restroom.facility_id).options(joinedload(Restroom.facility))
    query = query.where(
        Restroom.facility_id == here.facility_id,
        Restroom.running_inspection_id.is_(None),
        due_dates.is_due(now_s + routes.AHEAD_S),
    )
    for room in session.scalars(query.order_by(Restroom.due_s, Restroom.id)):
        if room.id not in visited:
            return room
    start = None
    if here.latitude is not None and here.longitude is not None:
        start = here.latitude, here.longitude
    stops = routes.plan_route(session, user, now_s, zone, start).stops
    return next((room for stop in stops for room in stop.rooms if room.id not in visited), None)


def list_unsigned(session: Session, user: User, now_s: int, limit: int = 20) -> list[tuple[Inspection, list[str]]]:
    """
    Return the finished inspections of the user whose newest result lacks a signature, the newest first.

    Each with the names of the people who have not signed; only those of the last UNSIGNED_S.
    """
    took_part = select(InspectionPerson.inspection_id).where(InspectionPerson.user_id == user.id)
    newest = (
        select(func.max(InspectionResult.id))
        .where(InspectionResult.inspection_id == Inspection.id)
        .correlate(Inspection)
        .scalar_subquery()
    )
    signed = select(Signature.id).where(Signature.result_id == newest, Signature.person_id == InspectionPerson.id)
    open_people = select(InspectionPerson.id).where(InspectionPerson.inspection_id == Inspection.id, ~signed.exists())
    query = select(Inspection).join(Restroom, Restroom.id == Inspection.restroom_id)
    query = query.where(Inspection.id.in_(took_part), Inspection.finished_s > now_s - UNSIGNED_S, open_people.exists())
    query = access.within(query, user, Restroom.facility_id)
    query = query.options(joinedload(Inspection.restroom).joinedload(Restroom.facility))
    found = session.scalars(query.order_by(Inspection.finished_s.desc(), Inspection.id.desc()).limit(limit)).all()
    return [(inspection, _list_missing(session, inspection)) for inspection in found]


def _list_missing(session, inspection):
    signed = select(Signature.person_id).where(Signature.result_id == inspection.results[-1].id)
    person_ids = set(session.scalars(signed))
    return [person.name for person in inspection.people if person.id not in person_ids]
