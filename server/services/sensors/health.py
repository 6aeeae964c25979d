"""State, info and proximity messages of sensors, and detection of silent ones."""

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ansim import messages
from server.models.findings import Finding
from server.models.intake import Proximity, SensorBoot
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.outside import notifications

SEEN_EVERY_S = 5  # resolution of `last_seen_s`; writing it for every message would double the work
PROXIMITY_KEPT_MS = 10 * 60 * 1000
LIVE_LATE_MS = 2000  # a later point has waited in the sensor; for less, its clock is not exact enough


def heard(session: Session, sensor_ids, now_s: int) -> None:
    """Record that these sensors have just been heard."""
    if sensor_ids:
        # Sorted, so that two ingest workers cannot deadlock.
        rows = [{"id": sensor_id, "last_seen_s": now_s, "silent_s": None} for sensor_id in sorted(sensor_ids)]
        session.execute(update(Sensor), rows)


def take_state(session: Session, sensor_id: int, message: dict, now_s: int, retained: bool) -> None:
    """Store a state message. A retained one is old: it does not say when the sensor was connected."""
    sensor = session.get_one(Sensor, sensor_id)
    if retained and sensor.state == message["state"]:
        return
    sensor.state = message["state"]
    sensor.state_s = now_s
    if message["boot"]:
        sensor.boot = message["boot"]


def take_info(session: Session, sensor_id: int, message: dict, now_s: int | None = None) -> None:
    """Store a whole info message. now_s None: an old one that the broker had retained."""
    sensor = session.get_one(Sensor, sensor_id)
    if now_s is not None or sensor.info is None:
        sensor.info_s = now_s
    sensor.info = message
    sensor.boot = message["boot"]
    sensor.inspection_ref = message["inspection"]


def take_live(session: Session, sensor_id: int, message: dict, now_ms: int) -> None:
    """Store one point of a proximity curve, without the address."""
    query = select(Finding.id).where(Finding.sensor_id == sensor_id, Finding.address == message["subject"])
    session.add(
        Proximity(
            sensor_id=sensor_id,
            finding_id=session.scalar(query.order_by(Finding.id.desc()).limit(1)),
            received_ms=_heard_ms(session, sensor_id, message, now_ms),
            rssi_dbm=message["rssi_dbm"],
            smoothed_dbm=message["smoothed_dbm"],
            sigma_db=message["sigma_db"],
            trend=message["trend"],
        )
    )


def _heard_ms(session, sensor_id, message, now_ms):
    """
    Return when a live point was heard: now, unless it waited in the sensor.

    A Wi-Fi sensor that follows a signal connects every ten seconds and sends several points at once.
    """
    of_boot = (SensorBoot.sensor_id == sensor_id, SensorBoot.boot == message["boot"])
    zero_s = session.scalar(select(SensorBoot.zero_s).where(*of_boot))
    if zero_s is None:
        return now_ms
    heard_ms = zero_s * 1000 + message["tick_ms"]
    return heard_ms if LIVE_LATE_MS < now_ms - heard_ms < PROXIMITY_KEPT_MS else now_ms


def forget_proximity(session: Session, now_ms: int) -> None:
    """Delete old points."""
    session.execute(delete(Proximity).where(Proximity.received_ms < now_ms - PROXIMITY_KEPT_MS))


def proximity(session: Session, sensor: Sensor, since_ms: int = 0, limit: int = 300) -> list[Proximity]:
    """Return the newest proximity points of a sensor, oldest first."""
    query = select(Proximity).where(Proximity.sensor_id == sensor.id, Proximity.received_ms > since_ms)
    return list(reversed(session.scalars(query.order_by(Proximity.id.desc()).limit(limit)).all()))


def is_connected(state: str) -> bool:
    """Return whether a sensor receives commands in this state."""
    return state in (messages.INIT, messages.READY)


def detect_silent(session: Session, now_s: int, silent_after_s: int) -> list[str]:
    """
    Mark the sensors that have fallen silent and enqueue notifications; return their names.

    The broker's last will is not enough: amqtt publishes none for a client that stops answering.
    """
    query = select(Sensor.name, Restroom.facility_id, Restroom.name).outerjoin(
        Restroom, Restroom.id == Sensor.restroom_id
    )
    query = query.where(
        Sensor.silent_s.is_(None),
        Sensor.revoked_s.is_(None),
        Sensor.last_seen_s <= now_s - silent_after_s,
        Sensor.state.not_in((messages.DISCONNECTED, "")),
    )
    silent = session.execute(query).all()
    names = [name for name, _facility_id, _restroom in silent]
    if names:
        session.execute(update(Sensor).where(Sensor.name.in_(names)).values(silent_s=now_s))
    for name, facility_id, restroom in silent:
        facts = {"restroom": restroom} if restroom else {}
        notifications.enqueue(session, "sensor_silent", facility_id, name, **facts)
    return names
