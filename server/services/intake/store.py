"""
Storing reports: each once, in one transaction for many, with what is read from them.

    recorded = record(session, pseudonyms, [Incoming(sensor_id, message, body), ...], now_s)

(The ingest process gives its Letters, which have the same three fields.)

MQTT delivers at least once and the sensor sends again until it is confirmed, so the same
report may come many times. The database's unique (sensor, boot, seq) has the last word.
"""

from collections import namedtuple
from hashlib import sha256

from sqlalchemy.orm import Session

from ansim import messages
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import completeness, dating, derive, statements

# sensor_id  row number of the sensor whose signature was checked
# message    the decoded and checked report
# body       its exact JSON bytes
Incoming = namedtuple("Incoming", ("sensor_id", "message", "body"))

# What became of the reports of one call.
# stored        Incoming that are new
# duplicates    Incoming that were there already
# conflicts     Incoming with a number that another content has
# chain_broken  Counter of sensor_id: reports whose `prev` does not fit
# dropped       Counter of sensor_id: reports that journals gave up
# confirm       {sensor_id: [[boot, upto], ...]}: what to tell the sensors after the commit
Recorded = namedtuple("Recorded", ("stored", "duplicates", "conflicts", "chain_broken", "dropped", "confirm"))

# A signed report whose content is not of this format. Its number counts, or all that come after it would wait for
# ever; its content is not kept, because nobody knows what it names.
UNREADABLE = "unreadable"

# A report that has just been stored.
# key        (sensor_id, boot, seq)
# digest     SHA-256 of its exact bytes, hex
# at_s       when it was made, or None
# report_id  its row number
New = namedtuple("New", ("key", "message", "body", "digest", "at_s", "report_id"))


def record(session: Session, pseudonyms: Pseudonyms, incoming: list, now_s: int) -> Recorded:
    """Store what is new of some reports. The caller commits, then acknowledges and confirms."""
    first, duplicates, conflicts = _first_of_each(incoming)
    boots = statements.lock_boots(session, {key[:2] for key in first}, now_s)
    # Above the highest number that is stored of a boot nothing is, so only the others have to be looked up.
    for key, there in statements.stored_digests(session, [key for key in first if key[2] <= boots[key[:2]].highest]):
        one, digest = first.pop(key)
        (duplicates if there == digest else conflicts).append(one)
    new = _insert(session, pseudonyms, first, boots, now_s)

    derive.record(session, pseudonyms, new, now_s)
    chain_broken = completeness.check_chain(session, new, boots)
    # A journal that gave up reports says so under the number of the last of them, which may have been delivered
    # before: the other content does not count, but the range that is missing before it does.
    late = [one for one in conflicts if one.message["kind"] == messages.DROPPED]
    dropped = completeness.advance(session, new, boots, late)
    dating.learn(session, new, boots)
    if new or late:
        statements.save_boots(session, boots.values())
    stored = [one for one, _ in first.values()]
    return Recorded(stored, duplicates, conflicts, chain_broken, dropped, completeness.confirmations(boots))


def _first_of_each(incoming):
    """Return {(sensor_id, boot, seq): (Incoming, digest)}, and what else came with one of these numbers."""
    first, duplicates, conflicts = {}, [], []
    for one in incoming:
        key = (one.sensor_id, one.message["boot"], one.message["seq"])
        digest = sha256(one.body).hexdigest()
        if key not in first:
            first[key] = (one, digest)
        elif first[key][1] == digest:
            duplicates.append(one)
        else:
            conflicts.append(one)
    return first, duplicates, conflicts


def _insert(session, pseudonyms, first, boots, now_s):
    """Insert reports that are not there; return them as New, in the order they came."""
    if not first:
        return []
    rows, new = [], []
    for report_id, (key, (one, digest)) in zip(
        statements.take_report_ids(session, len(first)), first.items(), strict=True
    ):
        message = one.message
        tick_ms = message["tick_ms"]
        at_s = dating.at_s(message["at_s"], tick_ms, boots[key[:2]].zero_s)
        content = derive.without_addresses(session, pseudonyms, message, one.body, at_s or now_s)
        new.append(New(key, message, one.body, digest, at_s, report_id))
        rows.append(
            (
                report_id,
                *key,
                message["kind"],
                tick_ms,
                at_s,
                now_s,
                message["inspection"],
                message["prev"],
                digest,
                content,
            )
        )
    statements.insert_reports(session, rows)
    return new
