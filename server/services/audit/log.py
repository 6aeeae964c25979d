"""
The log: what happened, in the order it happened, so that nothing can be changed later without being noticed.

    log.add(session, "inspection.finished", one.public_id, {"result": "none_found"}, user)

Call it in the transaction that makes the change, as its last step: on PostgreSQL the next writer waits until it ends.
Entry n's digest is SHA-256 over the canonical JSON {"at_s", "body", "kind", "n", "personal", "subject"}, and
its hash SHA-256 over the previous entry's hash and that digest (32 + 32 bytes; the first entry's previous hash is
zeros). Two steps, so that a proof can show one entry and of the others only digests. Who did it, and whatever
else is personal, lies in a row of its own; the entry holds only its salted digest, so it can be forgotten.
docs/log.md describes all this for outsiders.
"""

import hashlib
import json
import re
import secrets
from json.encoder import encode_basestring
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.models.audit import LogEntry, LogPersonal, LogTip
from server.services.audit import canonical

if TYPE_CHECKING:  # accounts.py writes into the log, so it imports this module
    from server.services.people.accounts import Actor

START = "0" * 64  # what stands for the hash before the first entry
ERASED = "personal.erased"  # body {"entries": [n, ...]}: these entries' personal fields are forgotten
SIGNED = "log.signed"  # body: a head, see log_heads.py
TIP = 1  # the row number of the one LogTip
_SALT_BYTES = 16
_KIND = re.compile(r"[a-z][a-z_]*(\.[a-z_]+)+")


def add(
    session: Session, kind: str, subject: str, body: dict, by: "Actor | None" = None, personal: dict | None = None
) -> LogEntry:
    """
    Append an entry; return it.

    kind      two or more words with dots, at most 64 characters: "inspection.finished"
    subject   the public id of what it is about, 1..64 characters
    body      facts without personal data; see server/services/audit/canonical.py for what it may hold
    by        who did it; None or accounts.SYSTEM: the program itself, or nobody who has an account
    personal  further fields that can be forgotten later, such as {"partners": [...]}; "by" is added

    Raises ValueError if one of them is not so.
    """
    if not _KIND.fullmatch(kind) or len(kind) > 64:
        raise ValueError(f"{kind!r} is no kind of entry")
    if not 1 <= len(subject) <= 64:
        raise ValueError(f"{subject!r} is no subject")
    content = dict(personal or {})
    if by is not None and by.id is not None:
        content["by"] = {"id": by.public_id, "name": by.name}
    # The lock of this row keeps the chain from forking. On SQLite the whole transaction has the write lock.
    session.flush()
    tip = session.get(LogTip, TIP, with_for_update=True, populate_existing=True)
    entry = LogEntry(n=tip.n + 1, at_s=clock.now_s(), kind=kind, subject=subject, body=canonical.text(body))
    if content:
        aside = LogPersonal(n=entry.n, salt=secrets.token_hex(_SALT_BYTES), content=canonical.text(content))
        entry.personal = commitment(aside.salt, aside.content)
        session.add(aside)
    entry.hash = next_hash(bytes.fromhex(tip.hash), digest(entry)).hex()
    session.add(entry)
    tip.n, tip.hash = entry.n, entry.hash
    session.flush()
    return entry


def written(n: int, at_s: int, kind: str, subject: str, body: str, personal: str | None) -> bytes:
    """An entry's canonical JSON, put together from its columns. Raises TypeError or ValueError on other types."""
    quoted = f'"{personal}"' if personal is not None else "null"
    text = (
        f'{{"at_s":{at_s:d},"body":{body},"kind":{encode_basestring(kind)},"n":{n:d},'
        f'"personal":{quoted},"subject":{encode_basestring(subject)}}}'
    )
    return text.encode()


def digest(entry: LogEntry) -> bytes:
    """The SHA-256 of an entry's canonical JSON."""
    text = written(entry.n, entry.at_s, entry.kind, entry.subject, entry.body, entry.personal)
    return hashlib.sha256(text).digest()


def next_hash(previous: bytes, entry_digest: bytes) -> bytes:
    """The hash of the entry that has this digest and comes after the one with the hash `previous`."""
    return hashlib.sha256(previous + entry_digest).digest()


def commitment(salt: str, content: str) -> str:
    """What an entry holds of its personal fields, hex."""
    return hashlib.sha256((salt + content).encode()).hexdigest()


def entries(
    session: Session, subjects=None, kind: str = "", before_n: int | None = None, limit: int = 50
) -> list[tuple[LogEntry, dict | None]]:
    """
    Entries, newest first, each with its personal fields (None: it has none, or they are forgotten).

    subjects  public ids; None: everything
    kind      the beginning of a kind, such as "inspection."
    """
    wanted = select(LogEntry, LogPersonal.content).outerjoin(LogPersonal, LogPersonal.n == LogEntry.n)
    if subjects is not None:
        wanted = wanted.where(LogEntry.subject.in_(list(subjects)))
    if kind:
        wanted = wanted.where(LogEntry.kind.startswith(kind, autoescape=True))
    if before_n is not None:
        wanted = wanted.where(LogEntry.n < before_n)
    rows = session.execute(wanted.order_by(LogEntry.n.desc()).limit(limit))
    return [(entry, json.loads(content) if content else None) for entry, content in rows]


def forget(session: Session, numbers, by: "Actor | None" = None, why: str = "retention") -> int:
    """
    Remove the personal fields of entries and add entries that say so; return how many there were.

    why  a word for the body, such as "retention" or "person_erased"
    """
    numbers = sorted(set(numbers))
    gone = 0
    for start in range(0, len(numbers), 500):
        part = numbers[start : start + 500]
        there = list(session.scalars(select(LogPersonal.n).where(LogPersonal.n.in_(part)).order_by(LogPersonal.n)))
        if there:
            add(session, ERASED, "log", {"entries": there, "why": why}, by)
            session.execute(LogPersonal.__table__.delete().where(LogPersonal.n.in_(there)))
            gone += len(there)
    return gone


def naming(session: Session, public_id: str) -> list[int]:
    """The numbers of the entries whose personal fields name this person."""
    name = '"id":' + canonical.text(public_id)
    about = select(LogPersonal.n).join(LogEntry, LogEntry.n == LogPersonal.n).where(LogEntry.subject == public_id)
    by_them = select(LogPersonal.n).where(LogPersonal.content.contains(name, autoescape=True))
    return sorted({*session.scalars(about), *session.scalars(by_them)})
