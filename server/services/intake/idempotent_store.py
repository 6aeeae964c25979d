"""
Store reports: each exactly once, many in one transaction, together with what is derived from them.

    recorded = record(session, pseudonyms, [ReceivedReport(sensor_id, message, body), ...], now_s)

MQTT delivers at least once, and a sensor sends a report until it is confirmed, so the same
report may come many times. The unique (sensor, boot, seq) of the database decides.
"""

from collections import Counter
from collections.abc import Callable
from hashlib import sha256
from typing import NamedTuple

from sqlalchemy.orm import Session

from ansim import messages
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import bulk_sql, completeness, dating, derived_rows
from server.services.intake.received_report import NewReport, ReceivedReport

# Kind of a signed report that is not of this format. Its number counts, or later reports would never be confirmed;
# its content is not stored, because it may name anything.
UNREADABLE = "unreadable"


class Recorded(NamedTuple):
    """What became of the reports of one call of record()."""

    stored: list[ReceivedReport]
    duplicates: list[ReceivedReport]  # stored before
    conflicts: list[ReceivedReport]  # their number belongs to a report with other content
    over_quota: list[ReceivedReport]  # not stored: the sensor sends them again
    chain_broken: Counter[int]  # sensor_id -> reports whose `prev` does not fit
    dropped: Counter[int]  # sensor_id -> reports that journals have dropped
    confirm: dict[int, dict[int, int]]  # sensor_id -> {boot: upto} to confirm after the commit


Admit = Callable[[ReceivedReport, int], bool]  # (report, highest seq stored of its boot, 0 for a new boot)


def record(
    session: Session,
    pseudonyms: Pseudonyms,
    received: list[ReceivedReport],
    now_s: int,
    admit: Admit = lambda report, highest: True,
) -> Recorded:
    """
    Store the new ones of some reports. The caller commits, then acknowledges and confirms.

    admit  returns False for a new report that is over a quota; it is not stored
    """
    unique, duplicates, conflicts = _split(received)
    over_quota = _remove_over_quota(session, unique, admit)
    boots = bulk_sql.lock_boots(session, {key[:2] for key in unique}, now_s)
    # No report of a boot above its `highest` is stored, so only the others have to be looked up.
    known_keys = [key for key in unique if key[2] <= boots[key[:2]].highest]
    for key, stored_digest in bulk_sql.stored_digests(session, known_keys):
        report, digest = unique.pop(key)
        (duplicates if stored_digest == digest else conflicts).append(report)
    new = _insert(session, pseudonyms, unique, boots, now_s)

    derived_rows.record(session, pseudonyms, new, now_s)
    chain_broken = completeness.check_chain(session, new, boots)
    # A DROPPED report has the number of the last report that it stands for, which may have been delivered before:
    # its other content does not count, but its range does.
    late = [report for report in conflicts if report.message["kind"] == messages.DROPPED]
    dropped = completeness.advance(session, new, boots, late)
    dating.apply_clock_reports(session, new, boots)
    if new or late:
        bulk_sql.save_boots(session, boots.values())
    stored = [report for report, _ in unique.values()]
    confirm = completeness.confirmations(boots)
    return Recorded(stored, duplicates, conflicts, over_quota, chain_broken, dropped, confirm)


def _remove_over_quota(session, unique, admit):
    """Remove the new reports that are over a quota; return them."""
    highest = bulk_sql.highest_seqs(session, {key[:2] for key in unique})
    over_quota = []
    for key in sorted(unique):
        top = highest.get(key[:2], 0)
        if key[2] <= top:
            continue  # stored already, or one that closes a gap
        if admit(unique[key][0], top):
            highest[key[:2]] = key[2]
        else:
            over_quota.append(unique.pop(key)[0])
    return over_quota


def _split(received):
    """
    Return {(sensor_id, boot, seq): (report, digest)} of the first with each number, the duplicates and the conflicts.
    """
    first, duplicates, conflicts = {}, [], []
    for report in received:
        key = (report.sensor_id, report.message["boot"], report.message["seq"])
        digest = sha256(report.body).hexdigest()
        if key not in first:
            first[key] = (report, digest)
        elif first[key][1] == digest:
            duplicates.append(report)
        else:
            conflicts.append(report)
    return first, duplicates, conflicts


def _insert(session, pseudonyms, unique, boots, now_s):
    """Insert reports that are not stored yet; return them as NewReports, in the order they came."""
    if not unique:
        return []
    rows, new = [], []
    for report_id, (key, (report, digest)) in zip(
        bulk_sql.take_report_ids(session, len(unique)), unique.items(), strict=True
    ):
        message = report.message
        tick_ms = message["tick_ms"]
        at_s = dating.report_time(message["at_s"], tick_ms, boots[key[:2]].zero_s, now_s)
        content = derived_rows.without_addresses(session, pseudonyms, message, report.body, at_s or now_s)
        new.append(NewReport(key, message, report.body, digest, at_s, report_id))
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
    bulk_sql.insert_reports(session, rows)
    return new
