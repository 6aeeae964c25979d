"""
Proofs of entries: the entries in full, and only digests of the others up to a signed head.

    proof = prove_inspection(session, inspection, key)      # JSON-able; tools/verify_proof.py checks it

    {"format": "ansim proof 1", "subjects": [...], "parts": [
        {"after": hash before the part's first item,
         "items": [{"n", "hash", "digest"} | {"n", "hash", "entry": {...}, "personal": {"salt", "content"} | null}],
         "head": {"n", "at_s", "hash", "key", "signature"}}]}

Each part ends at the first head that covers its entries, so a proof is no longer than one day's log.
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.audit import LogEntry, LogHead, LogPersonal
from server.models.findings import Finding
from server.models.inspections import Inspection
from server.services.audit import heads as log_heads
from server.services.audit import log
from server.services.errors import Refused

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "ansim proof 1"


def list_subjects(session: Session, inspection: Inspection) -> list[str]:
    """Return the subjects of an inspection's entries: its own public id and those of its findings."""
    findings = select(Finding.public_id).where(Finding.inspection_id == inspection.id).order_by(Finding.id)
    return [inspection.public_id, *session.scalars(findings)]


def prove_inspection(
    session: Session,
    inspection: Inspection,
    key: "Ed25519PrivateKey",
    with_names: bool = True,
    stamp: Callable[[bytes], bytes] | None = None,
) -> dict:
    """
    Return the proof of all entries about an inspection and its findings.

    key         signs a head now if the newest entry has none yet; see signing_key.load()
    with_names  include the personal fields that are not forgotten
    stamp       see heads.sign()

    Raises Refused: nothing_logged. The session must be one that writes.
    """
    return prove_subjects(session, list_subjects(session, inspection), key, with_names, stamp)


def prove_subjects(
    session: Session,
    subjects: list[str],
    key: "Ed25519PrivateKey",
    with_names: bool = True,
    stamp: Callable[[bytes], bytes] | None = None,
) -> dict:
    """Like prove_inspection(), for any subjects; []: the whole log."""
    query = select(LogEntry.n).order_by(LogEntry.n)
    if subjects:
        query = query.where(LogEntry.subject.in_(subjects))
    numbers = list(session.scalars(query))
    if not numbers:
        raise Refused("nothing_logged")
    if log_heads.covering(session, numbers[-1]) is None:
        log_heads.sign(session, key, stamp)
        if log_heads.covering(session, numbers[-1]) is None:  # the newest entry is a head's own `log.signed`
            numbers.pop()
    heads = list(session.scalars(select(LogHead).where(LogHead.n >= numbers[0]).order_by(LogHead.n)))
    parts, first = [], 0
    for head in heads:
        covered = [n for n in numbers[first:] if n <= head.n]
        first += len(covered)
        if covered:
            parts.append(_part(session, covered, head, with_names))
    known = select(LogEntry.subject).where(LogEntry.subject.in_(subjects)).distinct()
    return {"format": FORMAT, "subjects": sorted(session.scalars(known)) if subjects else [], "parts": parts}


def _part(session: Session, numbers: list[int], head: LogHead, with_names: bool) -> dict:
    start, in_full = numbers[0], set(numbers)
    before = session.scalar(select(LogEntry.hash).where(LogEntry.n == start - 1)) or log.START
    query = select(LogEntry, LogPersonal).outerjoin(LogPersonal, LogPersonal.n == LogEntry.n)
    rows = session.execute(query.where(LogEntry.n >= start, LogEntry.n <= head.n).order_by(LogEntry.n))
    items = [_item(entry, personal if with_names else None, entry.n in in_full) for entry, personal in rows]
    signed = {"n": head.n, "at_s": head.at_s, "hash": head.hash, "key": head.key, "signature": head.signature}
    return {"after": before, "items": items, "head": signed}


def _item(entry: LogEntry, personal: LogPersonal | None, in_full: bool) -> dict:
    if not in_full:
        return {"n": entry.n, "hash": entry.hash, "digest": log.digest(entry).hex()}
    text = log.serialize(entry.n, entry.at_s, entry.kind, entry.subject, entry.body, entry.personal)
    fields = {"salt": personal.salt, "content": personal.content} if personal is not None else None
    return {"n": entry.n, "hash": entry.hash, "entry": text.decode(), "personal": fields}
