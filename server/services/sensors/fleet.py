"""
The fleet page: many sensors at once, by state or by words, and the health of a page of them in a few questions.

    fleet.counts(session, user, now_s, silent_after_s)             # {"silent": 3, "online": 240, ...}
    ones = fleet.page(session, user, now_s, silent_after_s, which="silent")
    fleet.health(session, ones)                                    # {sensor row: Health}
"""

from collections import namedtuple

from sqlalchemy import case, func, select, tuple_
from sqlalchemy.orm import Session, joinedload

from ansim import messages
from server.models.intake import Selftest, SensorBoot
from server.models.places import Facility, Restroom
from server.models.sensors import Sensor
from server.services.sensors.enrolment import NEVER, OFFLINE, ONLINE, REVOKED, SILENT, SLEEPING, clock_error, visible

# What wants a person's attention stands first.
STATES = (SILENT, OFFLINE, NEVER, ONLINE, SLEEPING, REVOKED)

# gaps           boots that miss reports
# selftest       the newest Selftest, or None
# clock_error_s  how far its clock was ahead of ours; None while nobody knows
Health = namedtuple("Health", ("gaps", "selftest", "clock_error_s"))


def counts(session: Session, user, now_s: int, silent_after_s: int) -> dict:
    """{state: how many}, in the order of STATES, of the sensors a person may see."""
    state = _state(now_s, silent_after_s)
    found = dict(session.execute(visible(select(state, func.count(Sensor.id)), user).group_by(state)).all())
    return {name: found[name] for name in STATES if name in found}


def page(
    session: Session, user, now_s: int, silent_after_s: int, which="", search="", after="", limit: int = 50
) -> list[Sensor]:
    """
    Sensors by name with their places, after the one called `after`.

    which   one of STATES, or "" for all
    search  words that all occur in the sensor's name or label, or in its place's
    """
    wanted = select(Sensor).outerjoin(Sensor.restroom).outerjoin(Restroom.facility)
    wanted = visible(wanted.options(joinedload(Sensor.restroom).joinedload(Restroom.facility)), user)
    if which:
        wanted = wanted.where(_state(now_s, silent_after_s) == which)
    places = (Restroom.name, Restroom.name_en, Facility.name, Facility.name_en)
    text = func.lower(Sensor.name + " " + Sensor.label)
    for name in places:
        text = text + " " + func.lower(func.coalesce(name, ""))
    for word in search.lower().split()[:8]:
        wanted = wanted.where(text.contains(word, autoescape=True))
    return list(session.scalars(wanted.where(Sensor.name > after).order_by(Sensor.name).limit(limit)))


def health(session: Session, ones: list[Sensor]) -> dict:
    """{sensor row: Health} in three questions, however many there are."""
    numbers = [one.id for one in ones]
    missing = select(SensorBoot.sensor_id, func.count(SensorBoot.id)).group_by(SensorBoot.sensor_id)
    missing = missing.where(SensorBoot.sensor_id.in_(numbers), SensorBoot.upto < SensorBoot.highest)
    gaps = dict(session.execute(missing).all())
    newest = select(func.max(Selftest.id)).where(Selftest.sensor_id.in_(numbers)).group_by(Selftest.sensor_id)
    tested = {one.sensor_id: one for one in session.scalars(select(Selftest).where(Selftest.id.in_(newest)))}
    boots = [(one.id, one.info["boot"]) for one in ones if one.info]
    zeros = select(SensorBoot.sensor_id, SensorBoot.zero_s)
    zeros = dict(session.execute(zeros.where(tuple_(SensorBoot.sensor_id, SensorBoot.boot).in_(boots))).all())
    return {
        one.id: Health(gaps.get(one.id, 0), tested.get(one.id), clock_error(one, zeros.get(one.id))) for one in ones
    }


def _state(now_s, silent_after_s):
    """services.sensors.status() as the database can tell it."""
    return case(
        (Sensor.revoked_s.is_not(None), REVOKED),
        (Sensor.last_seen_s.is_(None), NEVER),
        (Sensor.state.in_((messages.DISCONNECTED, messages.LOST)), OFFLINE),
        (Sensor.last_seen_s < now_s - silent_after_s, SILENT),
        (Sensor.state == messages.SLEEPING, SLEEPING),
        else_=ONLINE,
    )
