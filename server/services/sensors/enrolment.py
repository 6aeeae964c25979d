"""
Enrolling, watching and revoking sensors.

A fixed sensor is its place's. A carried one is its organisation's: of whoever set it up, or of where it was fixed last.
One of no organisation may be used by everybody and managed by those whose role holds everywhere.
"""

import secrets

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from ansim import envelope, messages, topics
from server import clock
from server.models.inspections import InspectionSensor
from server.models.intake import Selftest, SensorBoot, Tally
from server.models.people import User
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.intake import completeness
from server.services.outside import notifications
from server.services.people import access, accounts
from server.services.places import plans
from server.vault import Vault

NEVER, ONLINE, SLEEPING, SILENT, OFFLINE, REVOKED = "never", "online", "sleeping", "silent", "offline", "revoked"


def list_sensors(session: Session, user=None) -> list[Sensor]:
    """The sensors a person may see, by name, their places loaded: carried ones, and those fixed in their places."""
    wanted = select(Sensor).options(joinedload(Sensor.restroom)).order_by(Sensor.name)
    return list(session.scalars(visible(wanted, user)))


def visible(wanted, user):
    """Limit a query of sensors to those a person may see. `user` None means the system itself."""
    if user is None or getattr(user, "everywhere", False):
        return wanted
    placed = access.within(select(Restroom.id), user, Restroom.facility_id)
    ours = Sensor.organisation_id.is_(None) | Sensor.organisation_id.in_(access.organisations(user))
    return wanted.where(Sensor.restroom_id.in_(placed) | (Sensor.restroom_id.is_(None) & ours))


def sensor(session: Session, name: str, user=None, right: str = accounts.SEE) -> Sensor:
    """Return a sensor by name. Raises NotFound, also if `user` does not have the right where it is."""
    found = session.scalar(select(Sensor).where(Sensor.name == name).options(joinedload(Sensor.restroom)))
    if found is None:
        raise NotFound("sensor")
    if user is not None and not _may(session, user, right, found):
        raise NotFound("sensor")
    return found


def _may(session, user, right, one):
    if one.restroom is not None:
        return access.may(session, user, right, one.restroom.facility_id)
    if user.everywhere or not accounts.may(user, right):
        return accounts.may(user, right)
    if one.organisation_id is None:
        return right in (accounts.SEE, accounts.INSPECT)
    return one.organisation_id in set(session.scalars(access.organisations(user)))


def available(session: Session, user=None) -> list[Sensor]:
    """Sensors that a person can choose for an inspection, the ones heard last first."""
    wanted = select(Sensor).where(Sensor.revoked_s.is_(None), Sensor.id.not_in(busy()))
    wanted = visible(wanted, user).options(joinedload(Sensor.restroom))
    return list(session.scalars(wanted.order_by(func.coalesce(Sensor.last_seen_s, 0).desc(), Sensor.name)))


def busy():
    """The row numbers of the sensors that take part in a running inspection, as a query."""
    wanted = select(InspectionSensor.sensor_id)
    return wanted.join(Restroom, Restroom.running_inspection_id == InspectionSensor.inspection_id)


def status(one: Sensor, now_s: int, silent_after_s: int) -> str:
    """NEVER (heard), ONLINE, SLEEPING (between uploads), SILENT (should be there), OFFLINE or REVOKED."""
    if one.revoked_s is not None:
        return REVOKED
    if one.last_seen_s is None:
        return NEVER
    if one.state in (messages.DISCONNECTED, messages.LOST):
        return OFFLINE
    if now_s - one.last_seen_s > silent_after_s:
        return SILENT
    return SLEEPING if one.state == messages.SLEEPING else ONLINE


def last_selftest(session: Session, one: Sensor) -> Selftest | None:
    """The newest self-test of a sensor."""
    return session.scalar(select(Selftest).where(Selftest.sensor_id == one.id).order_by(Selftest.id.desc()).limit(1))


def tallies(session: Session, one: Sensor, days: int = 7) -> dict:
    """How many messages came to which end in the last days: {outcome of counters.py: count}."""
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
    by = session.get(User, by_id) if by_id else None
    added = Sensor(name=name, label=label, key_sealed=vault.seal(key), enrolled_s=clock.now_s(), **fields)
    added.organisation_id = _organisation(session, added.restroom_id, by)
    session.add(added)
    session.flush()
    log.add(session, "sensor.enrolled", name, {"label": label}, by)
    return added, key


def _organisation(session, restroom_id, by):
    """Whose a new sensor is: its place's, else that of who sets it up, if they belong to one only."""
    if restroom_id is not None:
        return session.get(Restroom, restroom_id).facility.organisation_id
    if by is None or by.everywhere:
        return None
    mine = session.scalars(access.organisations(by)).all()
    return mine[0] if len(mine) == 1 else None


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


def place(session: Session, one: Sensor, room: Restroom | None, by: User | None = None) -> None:
    """
    Say in which restroom a sensor is fixed; None: it is carried. What it reported before keeps its place.

    Raises Refused: sensor_revoked(sensor), restroom_retired.
    """
    if one.revoked_s is not None:
        raise Refused("sensor_revoked", sensor=one.name)
    if room is not None and room.retired_s is not None:
        raise Refused("restroom_retired")
    before, one.restroom_id = one.restroom_id, room.id if room else None
    if room is not None:
        one.organisation_id = room.facility.organisation_id
    session.flush()
    plans.refresh(session, [room_id for room_id in (before, one.restroom_id) if room_id])
    log.add(session, "sensor.placed", one.name, {"restroom": room.public_id if room else None}, by)


def gaps(session: Session, one: Sensor) -> list:
    """Return [(boot, first missing seq, highest seq), ...] of reports that are missing and not told as dropped."""
    return completeness.gaps(session, one.id)


def clock_error_s(session: Session, one: Sensor) -> int | None:
    """How many seconds a sensor's clock was ahead of ours at its newest info message; None while nobody knows."""
    boot = one.info["boot"] if one.info else None
    wanted = select(SensorBoot.zero_s).where(SensorBoot.sensor_id == one.id, SensorBoot.boot == boot)
    return clock_error(one, session.scalar(wanted) if one.info else None)


def clock_error(one: Sensor, zero_s: int | None) -> int | None:
    """clock_error_s(), if the time of the boot's tick 0 is known already."""
    if zero_s is None or not one.info or one.info_s is None or one.info.get("clock") == "unknown":
        return None
    return zero_s + one.info["up_s"] - one.info_s


def watch(session: Session, now_s: int, silent_after_s: int) -> list[str]:
    """
    Note which sensors have fallen silent, and tell who wants to know; return their names.

    The broker's last will alone does not tell: amqtt sends none for a client that stops answering.
    """
    gone = (
        Sensor.silent_s.is_(None),
        Sensor.revoked_s.is_(None),
        Sensor.last_seen_s <= now_s - silent_after_s,
        Sensor.state.not_in((messages.DISCONNECTED, "")),
    )
    where = select(Sensor.name, Restroom.facility_id, Restroom.name).outerjoin(
        Restroom, Restroom.id == Sensor.restroom_id
    )
    found = session.execute(where.where(*gone)).all()
    names = [name for name, _facility, _room in found]
    if names:
        session.execute(update(Sensor).where(Sensor.name.in_(names)).values(silent_s=now_s))
    for name, facility_id, room in found:
        notifications.enqueue(session, "sensor_silent", facility_id, name, **({"restroom": room} if room else {}))
    return names
