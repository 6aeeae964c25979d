"""Enrolling, watching and revoking sensors."""

import secrets

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from ansim import envelope, report, topics
from server import clock
from server.models.inspections import Inspection, InspectionSensor
from server.models.people import User
from server.models.places import Restroom
from server.models.reports import Selftest, SensorBoot, Tally
from server.models.sensors import Sensor
from server.services import access, log, notices, people, plans, progress
from server.services.errors import NotFound, Refused
from server.vault import Vault

NEVER, ONLINE, SLEEPING, SILENT, OFFLINE, REVOKED = "never", "online", "sleeping", "silent", "offline", "revoked"


def list_sensors(session: Session, user=None) -> list[Sensor]:
    """The sensors a person may see, by name, their places loaded: carried ones, and those fixed in their places."""
    wanted = select(Sensor).options(joinedload(Sensor.restroom)).order_by(Sensor.name)
    if user is not None:
        placed = access.within(select(Sensor.id).join(Restroom), user, Restroom.facility_id)
        wanted = wanted.where(Sensor.restroom_id.is_(None) | Sensor.id.in_(placed))
    return list(session.scalars(wanted))


def sensor(session: Session, name: str, user=None, right: str = people.SEE) -> Sensor:
    """Return a sensor by name. Raises NotFound, also if `user` does not have the right where it is."""
    found = session.scalar(select(Sensor).where(Sensor.name == name).options(joinedload(Sensor.restroom)))
    if found is None:
        raise NotFound("sensor")
    if user is not None:
        access.check(session, user, right, found.restroom.facility_id if found.restroom else None)
    return found


def available(session: Session) -> list[Sensor]:
    """Sensors that can be chosen for an inspection, the ones heard last first."""
    busy = select(InspectionSensor.sensor_id).join(Inspection).where(Inspection.result.is_(None))
    wanted = select(Sensor).where(Sensor.revoked_s.is_(None), Sensor.id.not_in(busy))
    wanted = wanted.options(joinedload(Sensor.restroom))
    return list(session.scalars(wanted.order_by(func.coalesce(Sensor.last_seen_s, 0).desc(), Sensor.name)))


def status(one: Sensor, now_s: int, silent_after_s: int) -> str:
    """NEVER (heard), ONLINE, SLEEPING (between uploads), SILENT (should be there), OFFLINE or REVOKED."""
    if one.revoked_s is not None:
        return REVOKED
    if one.last_seen_s is None:
        return NEVER
    if one.state in (report.DISCONNECTED, report.LOST):
        return OFFLINE
    if now_s - one.last_seen_s > silent_after_s:
        return SILENT
    return SLEEPING if one.state == report.SLEEPING else ONLINE


def last_selftest(session: Session, one: Sensor) -> Selftest | None:
    """The newest self-test of a sensor."""
    return session.scalar(select(Selftest).where(Selftest.sensor_id == one.id).order_by(Selftest.id.desc()).limit(1))


def tallies(session: Session, one: Sensor, days: int = 7) -> dict:
    """How many messages came to which end in the last days: {word of tally.py: count}."""
    since = clock.day(clock.now_s()) - days + 1
    counts = select(Tally.what, func.sum(Tally.count)).where(Tally.sensor == one.name, Tally.day >= since)
    return dict(session.execute(counts.group_by(Tally.what)).all())


def enrol(
    session: Session, vault: Vault, name: str, label: str = "", key: bytes | None = None, by_id=None, **fields
) -> tuple[Sensor, bytes]:
    """
    Add a sensor; return it and its key of 32 bytes, which is never shown again.

    by_id   row number of who enrolled it, None for a command line
    fields  other columns of Sensor

    Raises Refused: sensor_name_bad, sensor_exists(sensor).
    """
    if not topics.is_device(name):
        raise Refused("sensor_name_bad")
    if session.scalar(select(Sensor.id).where(Sensor.name == name)):
        raise Refused("sensor_exists", sensor=name)
    key = key or secrets.token_bytes(envelope.KEY_BYTES)
    added = Sensor(name=name, label=label, key_sealed=vault.seal(key), enrolled_s=clock.now_s(), **fields)
    session.add(added)
    session.flush()
    log.add(session, "sensor.enrolled", name, {"label": label}, session.get(User, by_id) if by_id else None)
    return added, key


def new_key(session: Session, vault: Vault, one: Sensor, by_id=None) -> bytes:
    """Give a sensor another key and return it. With the old one it is a stranger from now on."""
    key = secrets.token_bytes(envelope.KEY_BYTES)
    one.key_sealed = vault.seal(key)
    one.keyed_s = clock.now_s()
    session.flush()
    log.add(session, "sensor.keyed", one.name, {}, session.get(User, by_id) if by_id else None)
    return key


def revoke(session: Session, one: Sensor, by: User | None = None) -> None:
    """Cut a sensor off for good: the broker ends its connection, ingest takes nothing from it any more."""
    session.get(Sensor, one.id).revoked_s = clock.now_s()
    log.add(session, "sensor.revoked", one.name, {}, by)


def place(session: Session, one: Sensor, room: Restroom | None) -> None:
    """
    Say in which restroom a sensor is fixed; None: it is carried. What it reported before keeps its place.

    Raises Refused: sensor_revoked(sensor), restroom_retired.
    """
    if one.revoked_s is not None:
        raise Refused("sensor_revoked", sensor=one.name)
    if room is not None and room.retired_s is not None:
        raise Refused("restroom_retired")
    before, one.restroom_id = one.restroom_id, room.id if room else None
    session.flush()
    plans.refresh(session, [room_id for room_id in (before, one.restroom_id) if room_id])
    session.flush()


def gaps(session: Session, one: Sensor) -> list:
    """Return [(boot, first missing seq, highest seq), ...] of reports that are missing and not told as dropped."""
    return progress.gaps(session, one.id)


def clock_error_s(session: Session, one: Sensor) -> int | None:
    """How many seconds a sensor's clock was ahead of ours at its newest info message; None while nobody knows."""
    if not one.info or one.info_s is None or one.info.get("clock") == "unknown":
        return None
    wanted = select(SensorBoot.zero_s).where(SensorBoot.sensor_id == one.id, SensorBoot.boot == one.info["boot"])
    zero_s = session.scalar(wanted)
    return None if zero_s is None else zero_s + one.info["up_s"] - one.info_s


def watch(session: Session, now_s: int, silent_after_s: int) -> list[str]:
    """
    Note which sensors have fallen silent, and tell who wants to know; return their names.

    The broker's last will alone does not tell: amqtt sends none for a client that stops answering.
    """
    gone = (
        Sensor.silent_s.is_(None),
        Sensor.revoked_s.is_(None),
        Sensor.last_seen_s <= now_s - silent_after_s,
        Sensor.state.not_in((report.DISCONNECTED, "")),
    )
    where = select(Sensor.name, Restroom.facility_id, Restroom.name).outerjoin(
        Restroom, Restroom.id == Sensor.restroom_id
    )
    found = session.execute(where.where(*gone)).all()
    names = [name for name, _facility, _room in found]
    if names:
        session.execute(update(Sensor).where(Sensor.name.in_(names)).values(silent_s=now_s))
    for name, facility_id, room in found:
        notices.tell(session, "sensor_silent", facility_id, name, **({"restroom": room} if room else {}))
    return names
