"""
Completeness of a sensor's reports: what can be confirmed, what is missing, and whether the chain of digests holds.
"""

from collections import Counter
from collections.abc import Sequence

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from ansim import messages
from server.models.intake import DroppedRange, Report, SensorBoot
from server.services.intake import bulk_sql
from server.services.intake.bulk_sql import Boot
from server.services.intake.received_report import NewReport, ReceivedReport

Boots = dict[tuple[int, int], Boot]  # by (sensor_id, boot)

CONFIRMED_BOOTS = 8  # most rows of a `stored` message; see ansim/downlink_schemas.py
_PREV_CHARS = 16
_FIRST_ROWS, _WALK_ROWS = 16, 5000  # numbers and ranges read at once, first and at most


def advance(session: Session, new: list[NewReport], boots: Boots, late: Sequence[ReceivedReport] = ()) -> Counter[int]:
    """
    Advance each boot's `upto` and `highest`; return how many reports each sensor reports as dropped.

    new    reports that were stored in this transaction
    boots  their boots, locked
    late   DROPPED reports whose number belongs to another report: only their ranges count
    """
    dropped = Counter()
    by_boot = {}
    ranges = [
        (report.report_id, report.key, report.message["body"])
        for report in new
        if report.message["kind"] == messages.DROPPED
    ]
    for report in new:
        by_boot.setdefault(report.key[:2], []).append(report)
    ranges += _unknown_ranges(session, late)
    for report_id, (sensor_id, boot, seq), body in ranges:
        dropped[sensor_id] += body["reports"]
        session.add(
            DroppedRange(
                report_id=report_id,
                sensor_id=sensor_id,
                boot=boot,
                first=body["first"],
                last=min(body["last"], seq),
                reports=body["reports"],
            )
        )
        by_boot.setdefault((sensor_id, boot), [])
    if ranges:
        session.flush()
    for key, group in by_boot.items():
        boot = boots[key]
        top = max(group, key=lambda report: report.key[2], default=None)
        if top and top.key[2] > boot.highest:
            boot.highest = top.key[2]
            boot.highest_digest = "" if top.message["kind"] == messages.DROPPED else top.digest[:_PREV_CHARS]
        seqs = {report.key[2] for report in group}
        while boot.upto + 1 in seqs:
            boot.upto += 1
        if boot.upto < boot.highest:
            _advance_upto(session, boot)
    return dropped


def _unknown_ranges(session, late):
    """Return [(row number, (sensor_id, boot, seq), body)] of the late reports whose range is not stored yet."""
    ranges = {}
    for report in late:
        body = report.message["body"]
        boot, seq = report.message["boot"], report.message["seq"]
        ranges[report.sensor_id, boot, body["first"], min(body["last"], seq)] = (seq, body)
    columns = (DroppedRange.sensor_id, DroppedRange.boot, DroppedRange.first, DroppedRange.last)
    if ranges:
        for row in session.execute(select(*columns).where(tuple_(*columns).in_(sorted(ranges)))):
            ranges.pop(tuple(row))
    row_ids = bulk_sql.take_report_ids(session, len(ranges)) if ranges else ()
    return [
        (row_id, (key[0], key[1], seq), body)
        for row_id, (key, (seq, body)) in zip(row_ids, ranges.items(), strict=True)
    ]


def _advance_upto(session, boot):
    """
    Move `upto` over reports that were stored out of order, and over dropped ranges.

    Both are read in their order and in growing parts, so that thousands of gaps take linear time, and a gap that
    stays open costs two short queries.
    """
    of_boot = (Report.sensor_id == boot.sensor_id, Report.boot == boot.boot)
    of_range = (DroppedRange.sensor_id == boot.sensor_id, DroppedRange.boot == boot.boot)
    rows = _FIRST_ROWS
    while True:
        before = boot.upto
        later = select(Report.seq).where(*of_boot, Report.seq > before).order_by(Report.seq).limit(rows)
        ranges = select(DroppedRange.first, DroppedRange.last).where(*of_range, DroppedRange.last > before)
        ranges = ranges.order_by(DroppedRange.first, DroppedRange.last).limit(rows)
        boot.upto = _walk(before, session.scalars(later).all(), session.execute(ranges).all())
        if boot.upto == before:
            return
        rows = min(rows * 4, _WALK_ROWS)


def _walk(upto, seqs, ranges):
    """Return the number up to which nothing is missing, by numbers and (first, last) ranges in rising order."""
    at_seq = at_range = 0
    while True:
        if at_range < len(ranges) and ranges[at_range][0] <= upto + 1:
            upto = max(upto, ranges[at_range][1])
            at_range += 1
        elif at_seq < len(seqs) and seqs[at_seq] <= upto + 1:
            upto = max(upto, seqs[at_seq])
            at_seq += 1
        else:
            return upto


def check_chain(session: Session, new: list[NewReport], boots: Boots) -> Counter[int]:
    """
    Count, by sensor, the reports whose `prev` is not the digest of the report before.

    Only pairs of stored reports can be checked: each pair once, when the second of them is stored.
    Call it before advance(), which changes the boots that it reads.
    """
    broken = Counter()
    by_key = {report.key: report for report in new}
    neighbours = {}  # key of a report that may be in the database -> its neighbour in `new`
    for report in new:
        sensor_id, boot, seq = report.key
        before = by_key.get((sensor_id, boot, seq - 1))
        if before:
            broken[sensor_id] += _breaks_chain(before, report)
        elif seq > 1 and seq - 1 == boots[(sensor_id, boot)].highest:
            digest = boots[(sensor_id, boot)].highest_digest
            broken[sensor_id] += bool(digest) and digest != report.message["prev"] and not _is_dropped(report)
        elif seq > 1:
            neighbours[(sensor_id, boot, seq - 1)] = report
        if seq < boots[(sensor_id, boot)].highest and (sensor_id, boot, seq + 1) not in by_key:
            neighbours[(sensor_id, boot, seq + 1)] = report
    for row in _load_rows(session, neighbours):
        report = neighbours[(row.sensor_id, row.boot, row.seq)]
        if _is_dropped(report) or row.kind == messages.DROPPED:
            continue
        if row.seq < report.key[2]:
            broken[report.sensor_id] += row.digest[:_PREV_CHARS] != report.message["prev"]
        else:
            broken[report.sensor_id] += report.digest[:_PREV_CHARS] != row.prev
    return +broken


def confirmations(boots: Boots) -> dict[int, dict[int, int]]:
    """Return {sensor_id: {boot: upto}} of the newest of these boots, at most CONFIRMED_BOOTS per sensor."""
    by_sensor: dict[int, list[tuple[int, int]]] = {}
    for (sensor_id, number), boot in sorted(boots.items()):
        by_sensor.setdefault(sensor_id, []).append((number, boot.upto))
    return {sensor_id: dict(rows[-CONFIRMED_BOOTS:]) for sensor_id, rows in by_sensor.items()}


def confirmation_of(session: Session, sensor_id: int) -> dict[int, int]:
    """Return {boot: upto} of a sensor's newest boots, for the `stored` message that it gets on connecting."""
    query = select(SensorBoot.boot, SensorBoot.upto).where(SensorBoot.sensor_id == sensor_id)
    rows = session.execute(query.order_by(SensorBoot.boot.desc()).limit(CONFIRMED_BOOTS)).all()
    return {row.boot: row.upto for row in reversed(rows)}


def gaps(session: Session, sensor_id: int) -> list[tuple[int, int, int]]:
    """Return [(boot, first missing seq, highest seq), ...] of the boots with missing reports, newest first."""
    query = select(SensorBoot.boot, SensorBoot.upto + 1, SensorBoot.highest)
    query = query.where(SensorBoot.sensor_id == sensor_id, SensorBoot.upto < SensorBoot.highest)
    rows = session.execute(query.order_by(SensorBoot.boot.desc()))
    return [(boot, missing, highest) for boot, missing, highest in rows]


def _load_rows(session, keys):
    if not keys:
        return []
    columns = (Report.sensor_id, Report.boot, Report.seq, Report.kind, Report.prev, Report.digest)
    query = select(*columns).where(tuple_(Report.sensor_id, Report.boot, Report.seq).in_(sorted(keys)))
    return session.execute(query).all()


def _breaks_chain(before, report):
    if _is_dropped(before) or _is_dropped(report):
        return False
    return before.digest[:_PREV_CHARS] != report.message["prev"]


def _is_dropped(report):
    # It stands for reports that are gone, whose digests are unknown.
    return report.message["kind"] == messages.DROPPED
