"""Lists for programs: what a person may see, filtered, by row number from a cursor on. One query a list."""

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server import ids
from server.models.audit import LogEntry
from server.models.findings import Finding
from server.models.places import Facility, Restroom
from server.models.sensors import Sensor
from server.services.people import access
from server.services.sensors.enrolment import visible


def findings(
    session: Session, user, status="", restroom="", facility="", since_s=None, after=None, limit=50
) -> list[Finding]:
    """Findings, oldest first, with sensor, restroom and inspection."""
    # What no restroom is known of is for those who see everything: it is in no facility, so within() leaves it out.
    wanted = access.within(select(Finding).outerjoin(Finding.restroom), user, Restroom.facility_id)
    wanted = wanted.options(
        joinedload(Finding.sensor),
        joinedload(Finding.inspection),
        joinedload(Finding.restroom).joinedload(Restroom.facility),
    )
    if status:
        wanted = wanted.where(Finding.status == status)
    if restroom:
        chosen = select(Restroom.id).where(Restroom.public_id == ids.clean(restroom))
        wanted = wanted.where(Finding.restroom_id.in_(chosen))
    if facility:
        chosen = select(Restroom.id).where(Restroom.facility_id.in_(_facility(facility)))
        wanted = wanted.where(Finding.restroom_id.in_(chosen))
    if since_s is not None:
        wanted = wanted.where(Finding.created_s >= since_s)
    return _from(session, wanted, Finding.id, after, limit)


def sensors(session: Session, user, after=None, limit=50) -> list[Sensor]:
    """Sensors with their places: those fixed in the person's places, and carried ones of their organisations."""
    wanted = visible(select(Sensor).options(joinedload(Sensor.restroom)), user)
    return _from(session, wanted, Sensor.id, after, limit)


def log_entries(session: Session, kind="", subject="", after=None, limit=50) -> list[LogEntry]:
    """Entries of the log, oldest first. kind: its beginning, such as "inspection."."""
    wanted = select(LogEntry)
    if kind:
        wanted = wanted.where(LogEntry.kind.startswith(kind, autoescape=True))
    if subject:
        wanted = wanted.where(LogEntry.subject == subject)
    return _from(session, wanted, LogEntry.n, after, limit)


def _facility(public_id):
    return select(Facility.id).where(Facility.public_id == ids.clean(public_id))


def _from(session, wanted, number, after, limit):
    """One row more than `limit`, so that the caller knows whether there are more."""
    if after is not None:
        wanted = wanted.where(number > after)
    return list(session.scalars(wanted.order_by(number).limit(limit + 1)))
