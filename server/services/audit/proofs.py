"""
A proof of some entries for outsiders: the entries whole, of the others between them and a signed head only digests.

    proof = of_inspection(session, one, with_names=True)      # JSON-able; tools/verify_proof.py checks it

    {"format": "ansim proof 1", "subjects": [...], "parts": [
        {"after": hash before the part's first item,
         "items": [{"n", "hash", "digest"} | {"n", "hash", "entry": {...}, "personal": {"salt", "content"} | null}],
         "head": {"n", "at_s", "hash", "key", "signature"}}]}

Each part ends at the first head that covers its entries, so a proof stays as short as one day's log.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.audit import LogEntry, LogHead, LogPersonal
from server.models.findings import Finding
from server.models.inspections import Inspection
from server.services.audit import heads as log_heads
from server.services.audit import log
from server.services.errors import Refused

FORMAT = "ansim proof 1"


def subjects_of(session: Session, one: Inspection) -> list[str]:
    """The public ids that an inspection's story is told under: its own, and its findings'."""
    found = session.scalars(select(Finding.public_id).where(Finding.inspection_id == one.id).order_by(Finding.id))
    return [one.public_id, *found]


def of_inspection(session: Session, one: Inspection, key, with_names: bool = True, stamp=None) -> dict:
    """
    Return the proof of everything the log says about an inspection and its findings.

    key         signs a head now if the newest entry has none yet; see log_heads.open_key()
    with_names  also the personal fields that are still kept

    Raises Refused: nothing_logged. The session must be one that writes.
    """
    return of_subjects(session, subjects_of(session, one), key, with_names, stamp)


def of_subjects(session: Session, subjects, key, with_names: bool = True, stamp=None) -> dict:
    """of_inspection() for any public ids; the empty list: the whole log."""
    wanted = select(LogEntry.n).order_by(LogEntry.n)
    if subjects:
        wanted = wanted.where(LogEntry.subject.in_(subjects))
    numbers = list(session.scalars(wanted))
    if not numbers:
        raise Refused("nothing_logged")
    if log_heads.covering(session, numbers[-1]) is None:
        log_heads.sign(session, key, stamp)
        if log_heads.covering(session, numbers[-1]) is None:  # the newest entry tells of a head itself
            numbers.pop()
    heads = list(session.scalars(select(LogHead).where(LogHead.n >= numbers[0]).order_by(LogHead.n)))
    parts, first = [], 0
    for head in heads:
        inside = [n for n in numbers[first:] if n <= head.n]
        first += len(inside)
        if inside:
            parts.append(_part(session, inside, head, with_names))
    there = select(LogEntry.subject).where(LogEntry.subject.in_(subjects)).distinct()
    return {"format": FORMAT, "subjects": sorted(session.scalars(there)) if subjects else [], "parts": parts}


def _part(session, numbers, head, with_names):
    start, shown = numbers[0], set(numbers)
    before = session.scalar(select(LogEntry.hash).where(LogEntry.n == start - 1)) or log.START
    rows = select(LogEntry, LogPersonal).outerjoin(LogPersonal, LogPersonal.n == LogEntry.n)
    rows = session.execute(rows.where(LogEntry.n >= start, LogEntry.n <= head.n).order_by(LogEntry.n))
    items = [_item(entry, aside if with_names else None, entry.n in shown) for entry, aside in rows]
    signed = {"n": head.n, "at_s": head.at_s, "hash": head.hash, "key": head.key, "signature": head.signature}
    return {"after": before, "items": items, "head": signed}


def _item(entry, aside, shown):
    if not shown:
        return {"n": entry.n, "hash": entry.hash, "digest": log.digest(entry).hex()}
    text = log.written(entry.n, entry.at_s, entry.kind, entry.subject, entry.body, entry.personal)
    personal = {"salt": aside.salt, "content": aside.content} if aside is not None else None
    return {"n": entry.n, "hash": entry.hash, "entry": text.decode(), "personal": personal}
