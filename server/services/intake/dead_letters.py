"""
Dead letters: messages with a valid signature and form whose storing failed.

They are acknowledged to the broker, because the same failure would come back at each delivery, and kept so that
somebody can find out why.
"""

import re

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server.models.intake import DeadLetter
from server.models.outside import MESSAGE_REFUSED
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.outside import notifications

MAX_ROWS = 1000
MAX_REASON_CHARS = 200
NOTIFY_EVERY_S = 86400
_DIGIT = rb"[0-9A-Fa-f]"
_ADDRESS = re.compile(rb"(?<!%s)(?:(?:%s{2}[:-]){5}%s{2}|%s{12}(?!%s))" % ((_DIGIT,) * 5))


def add(session: Session, sensor: str, topic: str, reason: str, body: bytes, now_s: int) -> DeadLetter:
    """
    Keep a message of the sensor with this name; delete all but the newest MAX_ROWS.

    People are notified once a day and sensor.
    """
    letter = DeadLetter(sensor=sensor, topic=topic, reason=reason[:MAX_REASON_CHARS], body=body, received_s=now_s)
    session.add(letter)
    session.flush()
    oldest = select(DeadLetter.id).order_by(DeadLetter.id.desc()).offset(MAX_ROWS - 1).limit(1).scalar_subquery()
    session.execute(delete(DeadLetter).where(DeadLetter.id < oldest).execution_options(synchronize_session=False))
    if not notifications.is_recent(session, MESSAGE_REFUSED, sensor, NOTIFY_EVERY_S):
        place = select(Restroom.facility_id, Restroom.name).join(Sensor, Sensor.restroom_id == Restroom.id)
        row = session.execute(place.where(Sensor.name == sensor)).first()
        facts = {"restroom": row.name} if row else {}
        notifications.enqueue(session, MESSAGE_REFUSED, row.facility_id if row else None, sensor, **facts)
    return letter


def newest(session: Session, before_id: int | None = None, limit: int = 30) -> list[DeadLetter]:
    """Return the newest dead letters before a row, newest first."""
    query = select(DeadLetter).order_by(DeadLetter.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(DeadLetter.id < before_id)
    return list(session.scalars(query))


def without_addresses(body: bytes) -> bytes:
    """Return the bytes with every hardware address written as zeros, in as many bytes."""
    return _ADDRESS.sub(lambda match: re.sub(rb"[0-9A-Fa-f]", b"0", match[0]), body)


def as_hex(body: bytes, columns: int = 16) -> list[tuple[str, str, str]]:
    """Return [(offset, bytes in hex, the same as text), ...] without hardware addresses; "." for control characters."""
    body = without_addresses(body)
    rows = [(at, body[at : at + columns]) for at in range(0, len(body), columns)]
    return [
        (f"{at:04x}", row.hex(" "), "".join(chr(byte) if 32 <= byte < 127 else "." for byte in row)) for at, row in rows
    ]
