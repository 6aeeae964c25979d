"""
The log: a hash chain of entries, so that a later change to any of them is detected.

    log.add(session, "inspection.finished", inspection.public_id, {"result": "none_found"}, user)

Call it as the last step of the transaction that makes the change: on PostgreSQL the next writer waits until it ends.
Entry n's digest is SHA-256 over the canonical JSON {"at_s", "body", "kind", "n", "personal", "subject"}, and
its hash SHA-256 over the previous entry's hash and that digest (32 + 32 bytes; the first entry's previous hash is
zeros). Two steps, so that a proof can show one entry and only the digests of the others. The acting user and other
personal fields are in a row of their own; the entry has only its salted digest, so that they can be forgotten.
docs/log.md describes this for verifiers.
"""

import hashlib
import json
import re
import secrets
from collections.abc import Collection, Iterable
from json.encoder import encode_basestring
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import Select, delete, select
from sqlalchemy.orm import Session

from server import clock
from server.models.audit import LogEntry, LogPersonal, LogTip
from server.services import paging
from server.services.audit import canonical, edit_conflicts

if TYPE_CHECKING:  # accounts.py writes into the log, so it imports this module
    from server.services.people.accounts import Actor

START = "0" * 64  # the hash before the first entry
ERASED = "personal.erased"  # body {"entries": [n, ...]}: these entries' personal fields are forgotten
SIGNED = "log.signed"  # body: a head, see heads.py
TIP = 1  # the row number of the one LogTip
_SALT_BYTES = 16
_KIND = re.compile(r"[a-z][a-z_]*(\.[a-z_]+)+")


class Record(NamedTuple):
    """An entry and its personal fields; None: it has none, or they are forgotten."""

    entry: LogEntry
    personal: dict | None


def add(
    session: Session, kind: str, subject: str, body: dict, by: "Actor | None" = None, personal: dict | None = None
) -> LogEntry:
    """
    Append an entry; return it.

    kind      two or more words with dots, at most 64 characters: "inspection.finished"
    subject   the public id of what it is about, 1..64 characters
    body      facts without personal data, of the types that canonical.py allows
    by        the acting user; None or accounts.SYSTEM: the program itself, or a person without an account
    personal  more fields that can be forgotten later, such as {"partners": [...]}; "by" is added

    Raises ValueError if an argument is not of this form; ChangedMeanwhile, see edit_conflicts.py.
    """
    if not _KIND.fullmatch(kind) or len(kind) > 64:
        raise ValueError(f"{kind!r} is not a kind of entry")
    if not 1 <= len(subject) <= 64:
        raise ValueError(f"{subject!r} is not a subject")
    content = dict(personal or {})
    if by is not None and by.id is not None:
        content["by"] = {"id": by.public_id, "name": by.name}
    # The lock of this row keeps the chain from forking. On SQLite the whole transaction has the write lock.
    session.flush()
    tip = session.get_one(LogTip, TIP, with_for_update=True, populate_existing=True)
    if "by" in content:
        edit_conflicts.check(session, kind, subject)
    entry = LogEntry(n=tip.n + 1, at_s=next_time_s(session, tip), kind=kind, subject=subject, body=canonical.text(body))
    if content:
        row = LogPersonal(n=entry.n, salt=secrets.token_hex(_SALT_BYTES), content=canonical.text(content))
        entry.personal = commitment(row.salt, row.content)
        session.add(row)
    entry.hash = next_hash(bytes.fromhex(tip.hash), digest(entry)).hex()
    session.add(entry)
    tip.n, tip.hash = entry.n, entry.hash
    session.flush()
    edit_conflicts.note(session, entry.n)
    return entry


def newest_n(session: Session) -> int:
    """Return the number of the newest entry; 0 without any."""
    return session.scalar(select(LogTip.n).where(LogTip.id == TIP)) or 0


def next_time_s(session: Session, tip: LogTip) -> int:
    """Return the time of the next entry: now, but never before the newest entry, also if the clock was set back."""
    return max(clock.now_s(), session.scalar(select(LogEntry.at_s).where(LogEntry.n == tip.n)) or 0)


def serialize(n: int, at_s: int, kind: str, subject: str, body: str, personal: str | None) -> bytes:
    """Return an entry's canonical JSON from its columns. Raises TypeError or ValueError on columns of other types."""
    quoted = f'"{personal}"' if personal is not None else "null"
    text = (
        f'{{"at_s":{at_s:d},"body":{body},"kind":{encode_basestring(kind)},"n":{n:d},'
        f'"personal":{quoted},"subject":{encode_basestring(subject)}}}'
    )
    return text.encode()


def digest(entry: LogEntry) -> bytes:
    """Return the SHA-256 of an entry's canonical JSON."""
    text = serialize(entry.n, entry.at_s, entry.kind, entry.subject, entry.body, entry.personal)
    return hashlib.sha256(text).digest()


def next_hash(previous: bytes, entry_digest: bytes) -> bytes:
    """Return the hash of the entry with this digest that follows the entry with the hash `previous`."""
    return hashlib.sha256(previous + entry_digest).digest()


def commitment(salt: str, content: str) -> str:
    """Return the salted digest of personal fields that an entry holds, hex."""
    return hashlib.sha256((salt + content).encode()).hexdigest()


def list_entries(
    session: Session,
    subjects: Collection[str] | None = None,
    kind: str = "",
    before_n: int | None = None,
    limit: int = 50,
) -> paging.Page[Record]:
    """
    Return entries with their personal fields, newest first. The caller has checked that the user may see them.

    subjects  public ids; None: the whole log
    kind      the beginning of a kind, such as "inspection."
    before_n  only entries before this one
    """
    query = _filtered(select(LogEntry, LogPersonal.content), subjects, kind)
    query = query.outerjoin(LogPersonal, LogPersonal.n == LogEntry.n)
    if before_n is not None:
        query = query.where(LogEntry.n < before_n)
    rows = session.execute(query.order_by(LogEntry.n.desc()).limit(limit + 1))
    records = [Record(entry, json.loads(content) if content else None) for entry, content in rows]
    return paging.cut(records, limit, key=lambda record: record.entry.n)


def list_from(
    session: Session, kind: str = "", subject: str = "", cursor: str | None = None, limit: int = 50
) -> paging.Page[LogEntry]:
    """Return entries without personal fields, oldest first, after a cursor. Raises paging.BadCursor."""
    query, after_n = _filtered(select(LogEntry), [subject] if subject else None, kind), paging.decode(cursor)
    if after_n is not None:
        query = query.where(LogEntry.n > after_n)
    entries = session.scalars(query.order_by(LogEntry.n).limit(limit + 1)).all()
    return paging.cut(entries, limit, key=lambda entry: entry.n)


def _filtered(query: Select, subjects: Collection[str] | None, kind: str) -> Select:
    if subjects is not None:
        query = query.where(LogEntry.subject.in_(list(subjects)))
    if kind:
        query = query.where(LogEntry.kind.startswith(kind, autoescape=True))
    return query


def forget(session: Session, numbers: Iterable[int], by: "Actor | None" = None, why: str = "retention") -> int:
    """
    Delete the personal fields of entries and log that; return the number of entries that had some.

    why  for the body, such as "retention" or "person_erased"
    """
    unique = sorted(set(numbers))
    count = 0
    for start in range(0, len(unique), 500):
        batch = LogPersonal.n.in_(unique[start : start + 500])
        present = list(session.scalars(select(LogPersonal.n).where(batch).order_by(LogPersonal.n)))
        if present:
            add(session, ERASED, "log", {"entries": present, "why": why}, by)
            session.execute(delete(LogPersonal).where(LogPersonal.n.in_(present)))
            count += len(present)
    return count


def numbers_naming(session: Session, public_id: str) -> list[int]:
    """Return the numbers of the entries whose personal fields name a user."""
    field = '"id":' + canonical.text(public_id)
    about = select(LogPersonal.n).join(LogEntry, LogEntry.n == LogPersonal.n).where(LogEntry.subject == public_id)
    by_them = select(LogPersonal.n).where(LogPersonal.content.contains(field, autoescape=True))
    return sorted({*session.scalars(about), *session.scalars(by_them)})
