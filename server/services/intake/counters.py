"""
Counters of what became of messages, by sensor and day.

Every message has exactly one of these outcomes, so that none is lost silently:
"""

from collections.abc import Mapping

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import clock
from server.db import insert
from server.models.intake import Tally

STORED = "stored"  # a report, now in the database
DUPLICATE = "duplicate"  # a report that was stored before: normal with "at least once"
ACCEPTED = "taken"  # a state, info, live or ack message
CONFLICT = "conflict"  # other content under a number that is stored: dropped
BAD_TOPIC = "bad_topic"  # on no topic of ours
BAD_SIGNATURE = "bad_signature"  # not signed with the device's key, or not signed at all
MALFORMED = "malformed"  # signed, but not JSON of this format
UNKNOWN_VERSION = "unknown_version"
UNKNOWN_SENSOR = "unknown_sensor"
REVOKED = "revoked"
TOO_LARGE = "too_large"
POISON = "poison"  # of a valid form, but storing it failed: see dead_letters.py
OVER_QUOTA = "over_quota"  # more than quotas.py allows: not confirmed, so the sensor sends it again later
REJECTED = (
    CONFLICT,
    BAD_TOPIC,
    BAD_SIGNATURE,
    MALFORMED,
    UNKNOWN_VERSION,
    UNKNOWN_SENSOR,
    REVOKED,
    TOO_LARGE,
    POISON,
    OVER_QUOTA,
)

# Counted besides the outcomes.
CHAIN_BROKEN = "chain_broken"  # a report's `prev` is not the digest of the one before it
DROPPED = "dropped"  # reports that a sensor's full journal has dropped, by its own account
REFUSED_LOGIN = "refused_login"  # wrong name or password at the embedded broker
REFUSED_TOPIC = "refused_topic"  # a topic of another device at the embedded broker
BAD_PACKET = "bad_packet"  # a packet at the embedded broker that is not MQTT 3.1.1, or has QoS 2
THROTTLED = "throttled"  # packets that the embedded broker read later, because the sensor was over its quota


def add(session: Session, counts: Mapping[tuple[str, str], int], now_s: int | None = None) -> None:
    """Add {(sensor name, outcome): count} to today's counters; the name is "" for senders that are not enrolled."""
    day = clock.day(clock.now_s() if now_s is None else now_s)
    rows = [
        {"day": day, "sensor": name, "what": outcome, "count": count}
        for (name, outcome), count in sorted(counts.items())
        if count
    ]
    if not rows:
        return
    statement = insert(session, Tally)
    added = {"count": Tally.count + statement.excluded.count}
    session.execute(statement.on_conflict_do_update(index_elements=["day", "sensor", "what"], set_=added), rows)


def list_today(session: Session) -> list[tuple[str, str, int]]:
    """Return [(sensor name, outcome, count), ...] of today."""
    query = select(Tally.sensor, Tally.what, Tally.count).where(Tally.day == clock.day(clock.now_s()))
    rows = session.execute(query.order_by(Tally.sensor, Tally.what))
    return [(sensor, outcome, count) for sensor, outcome, count in rows]


def sums(session: Session) -> dict[str, int]:
    """Return {outcome: messages of all days that are kept and all sensors}."""
    counts = session.execute(select(Tally.what, func.sum(Tally.count)).group_by(Tally.what).order_by(Tally.what))
    return {outcome: int(count) for outcome, count in counts}
