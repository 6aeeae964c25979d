"""Lists for programs: what a person may see, filtered, by row number from a cursor on. One query a list."""

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server import ids
from server.models.sensors import Sensor
from server.services.sensors.enrolment import visible


def sensors(session: Session, user, after=None, limit=50) -> list[Sensor]:
    """Sensors with their places: those fixed in the person's places, and carried ones of their organisations."""
    wanted = visible(select(Sensor).options(joinedload(Sensor.restroom)), user)
    return _from(session, wanted, Sensor.id, after, limit)


def _facility(public_id):
    return select(Facility.id).where(Facility.public_id == ids.clean(public_id))


def _from(session, wanted, number, after, limit):
    """One row more than `limit`, so that the caller knows whether there are more."""
    if after is not None:
        wanted = wanted.where(number > after)
    return list(session.scalars(wanted.order_by(number).limit(limit + 1)))
