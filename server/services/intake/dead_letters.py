"""
Dead letters: messages with a valid signature and form whose storing failed.

They are acknowledged to the broker, because the same failure would come back at each delivery, and kept so that
somebody can find out why.
"""

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from server.models.intake import DeadLetter

MAX_ROWS = 1000
MAX_REASON_CHARS = 200


def add(session: Session, sensor: str, topic: str, reason: str, body: bytes, now_s: int) -> DeadLetter:
    """Keep a message of the sensor with this name; delete all but the newest MAX_ROWS."""
    letter = DeadLetter(sensor=sensor, topic=topic, reason=reason[:MAX_REASON_CHARS], body=body, received_s=now_s)
    session.add(letter)
    session.flush()
    oldest = select(DeadLetter.id).order_by(DeadLetter.id.desc()).offset(MAX_ROWS - 1).limit(1).scalar_subquery()
    session.execute(delete(DeadLetter).where(DeadLetter.id < oldest).execution_options(synchronize_session=False))
    return letter
