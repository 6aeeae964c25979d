"""
Counts of what became of messages, by sensor and day.

Every message ends in exactly one of these words, so that nothing is lost silently:
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import clock
from server.db import insert
from server.models.intake import Tally

STORED = "stored"  # a report, now in the database
DUPLICATE = "duplicate"  # a report that was there already: normal with "at least once"
TAKEN = "taken"  # a state, info, live or ack message
CONFLICT = "conflict"  # another content under a number that is taken: dropped
BAD_TOPIC = "bad_topic"  # on no topic of ours
BAD_SIGNATURE = "bad_signature"  # not signed with the device's key, or not signed at all
MALFORMED = "malformed"  # signed, but not JSON of this format
UNKNOWN_VERSION = "unknown_version"
UNKNOWN_SENSOR = "unknown_sensor"
REVOKED = "revoked"
TOO_LARGE = "too_large"
BAD = (CONFLICT, BAD_TOPIC, BAD_SIGNATURE, MALFORMED, UNKNOWN_VERSION, UNKNOWN_SENSOR, REVOKED, TOO_LARGE)

# Not ends of a message, but counted beside them.
CHAIN_BROKEN = "chain_broken"  # a report's `prev` is not the digest of the one before it
DROPPED = "dropped"  # reports that a sensor's full journal had to give up, as it said itself
REFUSED_LOGIN = "refused_login"  # wrong name or password at the embedded broker
REFUSED_TOPIC = "refused_topic"  # a topic of another device at the embedded broker


def add(session: Session, counts: dict, now_s: int | None = None) -> None:
    """Add {(sensor name, or "" for a stranger; word): count} to today's tallies."""
    day = clock.day(clock.now_s() if now_s is None else now_s)
    rows = [{"day": day, "sensor": name, "what": what, "count": n} for (name, what), n in sorted(counts.items()) if n]
    if not rows:
        return
    statement = insert(session, Tally)
    more = {"count": Tally.count + statement.excluded.count}
    session.execute(statement.on_conflict_do_update(index_elements=["day", "sensor", "what"], set_=more), rows)


def today(session: Session) -> list[tuple[str, str, int]]:
    """(sensor, word, count) of today."""
    counts = select(Tally.sensor, Tally.what, Tally.count).where(Tally.day == clock.day(clock.now_s()))
    return list(session.execute(counts.order_by(Tally.sensor, Tally.what)))


def as_metrics(session: Session) -> str:
    """All tallies in Prometheus' text format, over days and sensors: a label per sensor would be too many."""
    counts = session.execute(select(Tally.what, func.sum(Tally.count)).group_by(Tally.what).order_by(Tally.what))
    lines = ["# HELP ansim_messages_total Messages from sensors, by what became of them.\n"]
    lines.append("# TYPE ansim_messages_total counter\n")
    lines += [f'ansim_messages_total{{what="{what}"}} {int(n)}\n' for what, n in counts]
    return "".join(lines)
