"""Enrolling, watching and revoking sensors."""

import secrets

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from ansim import envelope, report, topics
from server import clock
from server.models.inspections import Inspection, InspectionSensor
from server.models.reports import Selftest, Tally
from server.models.sensors import Sensor
from server.services.errors import NotFound, Refused
from server.vault import Vault

NEVER, ONLINE, SLEEPING, SILENT, OFFLINE, REVOKED = "never", "online", "sleeping", "silent", "offline", "revoked"


def list_sensors(session: Session) -> list[Sensor]:
    """All sensors by name, their places loaded."""
    return list(session.scalars(select(Sensor).options(joinedload(Sensor.restroom)).order_by(Sensor.name)))


def sensor(session: Session, name: str) -> Sensor:
    """Return a sensor by name. Raises NotFound."""
    found = session.scalar(select(Sensor).where(Sensor.name == name).options(joinedload(Sensor.restroom)))
    if found is None:
        raise NotFound("sensor")
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
    session: Session, vault: Vault, name: str, label: str = "", key: bytes | None = None, **fields
) -> tuple[Sensor, bytes]:
    """
    Add a sensor; return it and its key of 32 bytes, which is never shown again.

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
    return added, key


def revoke(session: Session, one: Sensor) -> None:
    """Cut a sensor off for good: the broker ends its connection, ingest takes nothing from it any more."""
    session.get(Sensor, one.id).revoked_s = clock.now_s()


def watch(session: Session, now_s: int, silent_after_s: int) -> list[str]:
    """
    Note which sensors have fallen silent; return their names.

    The broker's last will alone does not tell: amqtt sends none for a client that stops answering.
    """
    gone = (
        Sensor.silent_s.is_(None),
        Sensor.revoked_s.is_(None),
        Sensor.last_seen_s <= now_s - silent_after_s,
        Sensor.state.not_in((report.DISCONNECTED, "")),
    )
    names = list(session.scalars(select(Sensor.name).where(*gone)))
    if names:
        session.execute(update(Sensor).where(Sensor.name.in_(names)).values(silent_s=now_s))
    return names
