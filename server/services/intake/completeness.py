"""
How complete a sensor's reports are: what can be confirmed, what is missing, whether the chain of digests holds.
"""

from collections import Counter

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from ansim import messages
from server.models.intake import DroppedRange, Report, SensorBoot
from server.services.intake import statements

CONFIRMED_BOOTS = 8  # most rows of a `stored` message; see ansim/messages.py
_PREV_CHARS = 16
_WALK_ROWS = 5000


def advance(session: Session, new: list, boots: dict, late: list = ()) -> Counter:
    """
    Move each boot's `upto` and `highest` along; return how many reports each sensor said it dropped.

    new    reports.New, stored in this transaction
    boots  {(sensor_id, boot): bulk.Boot}, locked
    late   reports.Incoming of kind DROPPED whose number another report has already: only their ranges count
    """
    dropped = Counter()
    seqs = {}
    told = [(one.report_id, one.key, one.message["body"]) for one in new if one.message["kind"] == messages.DROPPED]
    for one in new:
        seqs.setdefault(one.key[:2], []).append(one)
    told += _unknown_ranges(session, late)
    for report_id, (sensor_id, boot, seq), body in told:
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
        seqs.setdefault((sensor_id, boot), [])
    if told:
        session.flush()
    for key, group in seqs.items():
        boot = boots[key]
        top = max(group, key=lambda one: one.key[2], default=None)
        if top and top.key[2] > boot.highest:
            boot.highest = top.key[2]
            boot.highest_digest = "" if top.message["kind"] == messages.DROPPED else top.digest[:_PREV_CHARS]
        fresh = {one.key[2] for one in group}
        while boot.upto + 1 in fresh:
            boot.upto += 1
        if boot.upto < boot.highest:
            _walk(session, boot)
    return dropped


def _unknown_ranges(session, late):
    """Return [(row number, (sensor_id, boot, seq), body)] of the late ones whose range is not noted yet."""
    found = {}
    for one in late:
        body = one.message["body"]
        boot, seq = one.message["boot"], one.message["seq"]
        found[one.sensor_id, boot, body["first"], min(body["last"], seq)] = (seq, body)
    columns = (DroppedRange.sensor_id, DroppedRange.boot, DroppedRange.first, DroppedRange.last)
    if found:
        for row in session.execute(select(*columns).where(tuple_(*columns).in_(sorted(found)))):
            found.pop(tuple(row))
    numbers = statements.take_report_ids(session, len(found)) if found else ()
    return [
        (number, (key[0], key[1], seq), body) for number, (key, (seq, body)) in zip(numbers, found.items(), strict=True)
    ]


def _walk(session, boot):
    """Move `upto` over what was stored out of order, and over dropped ranges."""
    mine = (DroppedRange.sensor_id == boot.sensor_id, DroppedRange.boot == boot.boot, DroppedRange.last > boot.upto)
    ranges = session.execute(select(DroppedRange.first, DroppedRange.last).where(*mine)).all()
    moved = True
    while moved:
        before = boot.upto
        later = select(Report.seq).where(Report.sensor_id == boot.sensor_id, Report.boot == boot.boot)
        later = later.where(Report.seq > boot.upto).order_by(Report.seq).limit(_WALK_ROWS)
        for seq in session.scalars(later):
            if seq != boot.upto + 1:
                break
            boot.upto = seq
        for first, last in ranges:
            if first <= boot.upto + 1 <= last:
                boot.upto = last
        moved = boot.upto > before


def check_chain(session: Session, new: list, boots: dict) -> Counter:
    """
    Count, by sensor, the reports whose `prev` is not the digest of the one before.

    Only pairs of which both halves are stored can be checked: each pair once, when its second half comes.
    Call it before advance(), which moves what it looks at.
    """
    broken = Counter()
    here = {one.key: one for one in new}
    unknown = {}  # key of a neighbour that only the database may know -> (sensor_id, expects what of whom)
    for one in new:
        sensor_id, boot, seq = one.key
        before = here.get((sensor_id, boot, seq - 1))
        if before:
            broken[sensor_id] += _does_not_follow(before, one)
        elif seq > 1 and seq - 1 == boots[(sensor_id, boot)].highest:
            digest = boots[(sensor_id, boot)].highest_digest
            broken[sensor_id] += bool(digest) and digest != one.message["prev"] and not _is_dropped(one)
        elif seq > 1:
            unknown[(sensor_id, boot, seq - 1)] = one
        if seq < boots[(sensor_id, boot)].highest and (sensor_id, boot, seq + 1) not in here:
            unknown[(sensor_id, boot, seq + 1)] = one
    for row in _neighbours(session, unknown):
        one = unknown[(row.sensor_id, row.boot, row.seq)]
        if _is_dropped(one) or row.kind == messages.DROPPED:
            continue
        if row.seq < one.key[2]:
            broken[one.key[0]] += row.digest[:_PREV_CHARS] != one.message["prev"]
        else:
            broken[one.key[0]] += one.digest[:_PREV_CHARS] != row.prev
    return +broken


def confirmations(boots: dict) -> dict:
    """Return {sensor_id: [[boot, upto], ...]} of these boots, in order, not more than fit into a message."""
    confirm = {}
    for (sensor_id, number), boot in sorted(boots.items()):
        confirm.setdefault(sensor_id, []).append([number, boot.upto])
    return {sensor_id: rows[-CONFIRMED_BOOTS:] for sensor_id, rows in confirm.items()}


def confirmation_of(session: Session, sensor_id: int) -> list:
    """Return [[boot, upto], ...] of a sensor's newest boots: what it is told when it connects."""
    wanted = select(SensorBoot.boot, SensorBoot.upto).where(SensorBoot.sensor_id == sensor_id)
    rows = session.execute(wanted.order_by(SensorBoot.boot.desc()).limit(CONFIRMED_BOOTS)).all()
    return [list(row) for row in reversed(rows)]


def gaps(session: Session, sensor_id: int) -> list:
    """Return [(boot, first missing seq, highest seq), ...] of the boots that miss reports, newest first."""
    wanted = select(SensorBoot.boot, SensorBoot.upto + 1, SensorBoot.highest)
    wanted = wanted.where(SensorBoot.sensor_id == sensor_id, SensorBoot.upto < SensorBoot.highest)
    return list(session.execute(wanted.order_by(SensorBoot.boot.desc())))


def _neighbours(session, keys):
    if not keys:
        return []
    columns = (Report.sensor_id, Report.boot, Report.seq, Report.kind, Report.prev, Report.digest)
    wanted = select(*columns).where(tuple_(Report.sensor_id, Report.boot, Report.seq).in_(sorted(keys)))
    return session.execute(wanted).all()


def _does_not_follow(before, one):
    if _is_dropped(before) or _is_dropped(one):
        return False
    return before.digest[:_PREV_CHARS] != one.message["prev"]


def _is_dropped(one):
    # It stands for reports that are gone, whose digests nobody knows.
    return one.message["kind"] == messages.DROPPED
