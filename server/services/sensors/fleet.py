"""
The sensors of a user: loading, listing and counting them, and what the server knows about each.

    sensor = fleet.load(session, user, "hall-1", accounts.MANAGE)
    fleet.count_states(session, user, now_s, silent_after_s)             # {"silent": 3, "online": 240, ...}
    page = fleet.list_sensors(session, user, state="silent", now_s=now_s, silent_after_s=silent_after_s, by_name=True)
    fleet.load_health(session, page.rows)                                # {sensor id: Health}

A fixed sensor belongs to its place. A carried one belongs to an organisation: that of the person who enrolled it, or
of the place where it was fixed last. A sensor without an organisation may be used by everybody and managed by users
whose role holds everywhere.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, case, func, select, tuple_
from sqlalchemy.orm import Session, joinedload

from ansim import messages
from server import clock
from server.models.inspections import InspectionSensor
from server.models.intake import Selftest, SensorBoot, Tally
from server.models.places import Facility, Restroom
from server.models.sensors import Sensor
from server.services import paging
from server.services.errors import NotFound
from server.services.people import access, accounts

NEVER, ONLINE, SLEEPING, SILENT, OFFLINE, REVOKED = "never", "online", "sleeping", "silent", "offline", "revoked"
STATES = (SILENT, OFFLINE, NEVER, ONLINE, SLEEPING, REVOKED)  # those that need attention first
AHEAD_S = 60  # heard later than that: the server's clock was set back, and the sensor has not been heard since
_MOST_WORDS = 8  # of a search


class Health(NamedTuple):
    """
    gaps           number of boots with missing reports
    selftest       the newest self-test, or None
    clock_error_s  how far its clock was ahead of the server's; None if unknown
    """

    gaps: int
    selftest: Selftest | None
    clock_error_s: int | None


def load(session: Session, user, name: str, right: str = accounts.SEE) -> Sensor:
    """Return a sensor with its restroom. Raises NotFound, also where the user lacks the right."""
    sensor = session.scalar(select(Sensor).where(Sensor.name == name).options(joinedload(Sensor.restroom)))
    if sensor is None or not may(session, user, right, sensor):
        raise NotFound("sensor")
    return sensor


def may(session: Session, user, right: str, sensor: Sensor) -> bool:
    """Return whether a user has a right on a sensor."""
    if sensor.restroom is not None:
        return access.may(session, user, right, sensor.restroom.facility_id)
    if not accounts.may(user, right) or user.everywhere:
        return accounts.may(user, right)
    if sensor.organisation_id is None:
        return right in (accounts.SEE, accounts.INSPECT)
    return sensor.organisation_id in set(session.scalars(access.organisations(user)))


def within(query: Select, user) -> Select:
    """Limit a query of sensors to those a user may see."""
    if getattr(user, "everywhere", False):
        return query
    placed = access.within(select(Restroom.id), user, Restroom.facility_id)
    own = Sensor.organisation_id.is_(None) | Sensor.organisation_id.in_(access.organisations(user))
    return query.where(Sensor.restroom_id.in_(placed) | (Sensor.restroom_id.is_(None) & own))


def list_sensors(
    session: Session,
    user,
    *,
    state: str = "",
    search: str = "",
    now_s: int = 0,
    silent_after_s: int = 0,
    cursor: str | None = None,
    limit: int = 50,
    by_name: bool = False,
) -> paging.Page[Sensor]:
    """
    Return sensors with restroom and facility: in the order in which they were enrolled, or by name.

    state   one of STATES, "" for all; needs now_s and silent_after_s
    search  words that all occur in the sensor's name or label, or in the names of its restroom and facility

    Raises BadCursor.
    """
    query = select(Sensor).outerjoin(Sensor.restroom).outerjoin(Restroom.facility)
    query = within(query.options(joinedload(Sensor.restroom).joinedload(Restroom.facility)), user)
    if state:
        query = query.where(_state(now_s, silent_after_s) == state)
    text = func.lower(Sensor.name + " " + Sensor.label)
    for name in (Restroom.name, Restroom.name_en, Facility.name, Facility.name_en):
        text = text + " " + func.lower(func.coalesce(name, ""))
    for word in search.lower().split()[:_MOST_WORDS]:
        query = query.where(text.contains(word, autoescape=True))
    after_id = paging.decode(cursor)
    if not by_name:
        query = query.order_by(Sensor.id)
        if after_id is not None:
            query = query.where(Sensor.id > after_id)
    else:
        query = query.order_by(Sensor.name)
        if after_id is not None:
            after = session.scalar(within(select(Sensor.name).where(Sensor.id == after_id), user))
            if after is None:
                raise paging.BadCursor("cursor")
            query = query.where(Sensor.name > after)
    return paging.cut(session.scalars(query.limit(limit + 1)).all(), limit)


def list_all(session: Session, user) -> list[Sensor]:
    """Return all sensors of a user by name, with their restrooms; for a roll-out."""
    query = select(Sensor).options(joinedload(Sensor.restroom)).order_by(Sensor.name)
    return list(session.scalars(within(query, user)))


def list_available(session: Session, user) -> list[Sensor]:
    """Return the sensors that a user can choose for an inspection, the ones heard last first."""
    query = select(Sensor).where(Sensor.revoked_s.is_(None), Sensor.id.not_in(select_busy()))
    query = within(query, user).options(joinedload(Sensor.restroom))
    return list(session.scalars(query.order_by(func.coalesce(Sensor.last_seen_s, 0).desc(), Sensor.name)))


def select_busy() -> Select:
    """Return a query for the ids of the sensors in a running inspection."""
    query = select(InspectionSensor.sensor_id)
    return query.join(Restroom, Restroom.running_inspection_id == InspectionSensor.inspection_id)


def count_states(session: Session, user, now_s: int, silent_after_s: int) -> dict[str, int]:
    """Return {state: count} of the sensors a user may see, in the order of STATES."""
    state = _state(now_s, silent_after_s)
    query = within(select(state, func.count(Sensor.id)), user).group_by(state)
    counts = dict(session.execute(query).all())
    return {name: counts[name] for name in STATES if name in counts}


def state_of(sensor: Sensor, now_s: int, silent_after_s: int) -> str:
    """Return NEVER (heard), ONLINE, SLEEPING (between uploads), SILENT (should be connected), OFFLINE or REVOKED."""
    if sensor.revoked_s is not None:
        return REVOKED
    if sensor.last_seen_s is None:
        return NEVER
    if sensor.state in (messages.DISCONNECTED, messages.LOST):
        return OFFLINE
    if sensor.silent_s is not None or not -AHEAD_S <= now_s - sensor.last_seen_s <= silent_after_s:
        return SILENT
    return SLEEPING if sensor.state == messages.SLEEPING else ONLINE


def _state(now_s, silent_after_s):
    """state_of() as SQL."""
    return case(
        (Sensor.revoked_s.is_not(None), REVOKED),
        (Sensor.last_seen_s.is_(None), NEVER),
        (Sensor.state.in_((messages.DISCONNECTED, messages.LOST)), OFFLINE),
        (Sensor.silent_s.is_not(None), SILENT),
        (Sensor.last_seen_s < now_s - silent_after_s, SILENT),
        (Sensor.last_seen_s > now_s + AHEAD_S, SILENT),
        (Sensor.state == messages.SLEEPING, SLEEPING),
        else_=ONLINE,
    )


def load_health(session: Session, sensors: Sequence[Sensor]) -> dict[int, Health]:
    """Return {sensor id: Health} with three queries, however many sensors there are."""
    sensor_ids = [sensor.id for sensor in sensors]
    query = select(SensorBoot.sensor_id, func.count(SensorBoot.id)).group_by(SensorBoot.sensor_id)
    query = query.where(SensorBoot.sensor_id.in_(sensor_ids), SensorBoot.upto < SensorBoot.highest)
    gaps = dict(session.execute(query).all())
    newest = select(func.max(Selftest.id)).where(Selftest.sensor_id.in_(sensor_ids)).group_by(Selftest.sensor_id)
    selftests = {row.sensor_id: row for row in session.scalars(select(Selftest).where(Selftest.id.in_(newest)))}
    boots = [(sensor.id, sensor.info["boot"]) for sensor in sensors if sensor.info]
    query = select(SensorBoot.sensor_id, SensorBoot.zero_s)
    query = query.where(tuple_(SensorBoot.sensor_id, SensorBoot.boot).in_(boots))
    zeros = dict(session.execute(query).all())
    return {
        sensor.id: Health(
            gaps.get(sensor.id, 0), selftests.get(sensor.id), _clock_error_s(sensor, zeros.get(sensor.id))
        )
        for sensor in sensors
    }


def load_selftest(session: Session, sensor: Sensor) -> Selftest | None:
    """Return the newest self-test of a sensor, if there is one."""
    query = select(Selftest).where(Selftest.sensor_id == sensor.id)
    return session.scalar(query.order_by(Selftest.id.desc()).limit(1))


def load_counters(session: Session, sensor: Sensor, days: int = 7) -> dict[str, int]:
    """Return {kind of services/intake/counters.py: messages} of the last days."""
    since = clock.day(clock.now_s()) - days + 1
    query = select(Tally.what, func.sum(Tally.count)).where(Tally.sensor == sensor.name, Tally.day >= since)
    return dict(session.execute(query.group_by(Tally.what)).all())


def load_clock_error_s(session: Session, sensor: Sensor) -> int | None:
    """Return how many seconds a sensor's clock was ahead at its newest info message; None if unknown."""
    if not sensor.info:
        return None
    query = select(SensorBoot.zero_s)
    query = query.where(SensorBoot.sensor_id == sensor.id, SensorBoot.boot == sensor.info["boot"])
    return _clock_error_s(sensor, session.scalar(query))


def _clock_error_s(sensor, zero_s):
    """zero_s: time of tick 0 of the sensor's boot."""
    if zero_s is None or not sensor.info or sensor.info_s is None or sensor.info.get("clock") == "unknown":
        return None
    return zero_s + sensor.info["up_s"] - sensor.info_s
