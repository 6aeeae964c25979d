"""State, info and proximity messages of sensors, and detection of silent ones."""

import time

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from ansim import messages
from server import clock
from server.models.findings import Finding
from server.models.intake import Proximity, SensorBoot, Tally
from server.models.outside import SENSOR_BACK, SENSOR_OVER_QUOTA
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.intake import counters
from server.services.outside import notifications
from server.services.sensors import command_queue

SEEN_EVERY_S = 5  # resolution of `last_seen_s`; writing it for every message would double the work
OVER_QUOTA_EVERY_S = 86400  # one notification in this time
PROXIMITY_KEPT_MS = 10 * 60 * 1000
LIVE_LATE_MS = 2000  # a later point has waited in the sensor; for less, its clock is not exact enough


def heard(session: Session, sensor_ids, now_s: int) -> None:
    """Record that these sensors have just been heard."""
    if sensor_ids:
        _notify_back(session, sensor_ids)
        # Sorted, so that two ingest workers cannot deadlock.
        rows = [{"id": sensor_id, "last_seen_s": now_s, "silent_s": None} for sensor_id in sorted(sensor_ids)]
        session.execute(update(Sensor), rows)


def _notify_back(session, sensor_ids):
    """Enqueue a notification for each of these sensors that was silent."""
    query = select(Sensor.name, Restroom.facility_id, Restroom.name).outerjoin(
        Restroom, Restroom.id == Sensor.restroom_id
    )
    query = query.where(Sensor.id.in_(sensor_ids), Sensor.silent_s.is_not(None))
    for name, facility_id, restroom in session.execute(query.order_by(Sensor.id)).all():
        notifications.enqueue(session, SENSOR_BACK, facility_id, name, **({"restroom": restroom} if restroom else {}))


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


def notify_over_quota(session: Session, now_s: int) -> list[str]:
    """Enqueue a notification for each sensor over its quota, one a day; return their names."""
    query = select(Tally.sensor, Restroom.facility_id, Restroom.name).distinct()
    query = query.join(Sensor, Sensor.name == Tally.sensor).outerjoin(Restroom, Restroom.id == Sensor.restroom_id)
    query = query.where(
        Tally.day == clock.day(now_s),
        Tally.what.in_((counters.OVER_QUOTA, counters.THROTTLED)),
    )
    over = [
        row
        for row in session.execute(query).all()
        if not notifications.is_recent(session, SENSOR_OVER_QUOTA, row[0], OVER_QUOTA_EVERY_S)
    ]
    for name, facility_id, restroom in over:
        facts = {"restroom": restroom} if restroom else {}
        notifications.enqueue(session, SENSOR_OVER_QUOTA, facility_id, name, **facts)
    return [name for name, _facility_id, _restroom in over]


def take_live(session: Session, sensor_id: int, message: dict, now_ms: int) -> None:
    """Store one point of a proximity curve, without the address."""
    followed_id = command_queue.finding_of(session, sensor_id, messages.LOCATE, Finding.address == message["subject"])
    query = select(Finding.id).where(Finding.sensor_id == sensor_id, Finding.address == message["subject"])
    session.add(
        Proximity(
            sensor_id=sensor_id,
            finding_id=followed_id or session.scalar(query.order_by(Finding.id.desc()).limit(1)),
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


class SilenceDetector:
    """
    Detects sensors that have fallen silent.

    The broker's last will is not enough: amqtt publishes none for a client that stops answering. The time since a
    sensor was heard is measured by the monotonic clock, from when `last_seen_s` was seen to change; so neither a
    clock that is set nor another ingest worker confuses it. Only at the start the clock of the machine is trusted.
    """

    def __init__(self):
        self._heard: dict[int, tuple[int, float]] = {}  # row number -> (last_seen_s, when that was seen first)

    def detect(self, session: Session, now_s: int, silent_after_s: int, now: float | None = None) -> list[str]:
        """Mark the sensors that have fallen silent and enqueue notifications; return their names."""
        now = time.monotonic() if now is None else now
        query = select(Sensor.id, Sensor.name, Sensor.last_seen_s, Restroom.facility_id, Restroom.name)
        query = query.outerjoin(Restroom, Restroom.id == Sensor.restroom_id).where(
            Sensor.silent_s.is_(None),
            Sensor.revoked_s.is_(None),
            Sensor.last_seen_s.is_not(None),
            Sensor.state.not_in((messages.DISCONNECTED, "")),
        )
        silent, heard = [], {}
        for sensor_id, name, seen_s, facility_id, restroom in session.execute(query):
            if seen_s is None:
                continue  # the query leaves them out
            before = self._heard.get(sensor_id)
            if before is None:
                before = (seen_s, now - max(0, now_s - seen_s))
            elif before[0] != seen_s:
                before = (seen_s, now)
            heard[sensor_id] = before
            if now - before[1] >= silent_after_s:
                silent.append((name, facility_id, restroom))
        self._heard = heard
        return _mark_silent(session, silent, now_s)


def _mark_silent(session, silent, now_s):
    names = [name for name, _facility_id, _restroom in silent]
    if names:
        session.execute(update(Sensor).where(Sensor.name.in_(names)).values(silent_s=now_s))
    for name, facility_id, restroom in silent:
        facts = {"restroom": restroom} if restroom else {}
        notifications.enqueue(session, "sensor_silent", facility_id, name, **facts)
    return names
