"""
Verify the log: every entry, its personal fields, and the signed heads.

    verification = verify(session)       # .problem is None, or names the first broken entry
"""

import hashlib
import json
from collections.abc import Callable, Collection, Iterable, Iterator
from json.encoder import encode_basestring
from typing import NamedTuple

from sqlalchemy import func, select, text
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from server import clock
from server.models.audit import LogEntry, LogHead, LogPersonal, LogTip
from server.services.audit import heads as log_heads
from server.services.audit import log

BATCH = 5_000
SPECIAL = (log.ERASED, log.SIGNED)

_EVERYTHING = (
    "SELECT e.n, e.at_s, e.kind, e.subject, e.body, e.personal, e.hash, p.salt, p.content "
    "FROM log_entry e LEFT JOIN log_personal p ON p.n = e.n "
)

# Kinds of problems.
MISSING = "missing"  # there is no entry with this number, but there are later ones, or were
CHANGED = "changed"  # the entry, or its hash, does not match
PERSONAL_CHANGED = "personal_changed"
PERSONAL_GONE = "personal_gone"  # and no entry says that they were forgotten
PERSONAL_EXTRA = "personal_extra"  # personal fields of an entry that has none
HEAD_CHANGED = "head_changed"  # a head's signature is invalid, or the chain has another head there
HEAD_DIFFERS = "head_differs"  # another hash was signed for this entry: the chain was recomputed
HEAD_GONE = "head_gone"  # the chain has a head that is missing
TIP_DIFFERS = "tip_differs"  # the newest entry is not the last one added
UNREADABLE = "unreadable"  # the database cannot read it: its file is damaged
FOREIGN_KEY = "foreign_key"  # its head is signed with a key that is not allowed
UNKNOWN = "unknown"  # a head that was kept elsewhere has another hash
TIME_BACK = "time_back"  # it is older than the entry before it
TIME_BEYOND = "time_beyond"  # it is younger than a head that covers it, or than now
ERASED_LATER = "erased_later"  # it says that entries were forgotten that did not exist yet
ERASED_THERE = "erased_there"  # the chain says that its personal fields are forgotten, but they are there
TRIGGER_GONE = "trigger_gone"  # the database does not refuse changes to the log any more
TRIGGERS = {  # by dialect
    "sqlite": {
        *("log_entry_no_update", "log_entry_no_delete", "log_entry_no_replace"),
        *("log_head_no_update", "log_head_no_delete", "log_head_no_replace"),
        *("log_personal_no_update", "log_personal_no_replace"),
    },
    "postgresql": {
        f"{table}_{name}" for table in ("log_entry", "log_head", "log_personal") for name in ("refuses", "stays")
    },
}
AHEAD_S = 600  # entries may be so much younger than this server's clock, which may have been set back


class Problem(NamedTuple):
    """
    n     number of the broken entry, or of the entry that the broken row belongs to
    what  one of the kinds above
    """

    n: int
    what: str


class Verification(NamedTuple):
    """
    entries   number of verified entries
    personal  how many of them still have personal fields
    heads     number of signed heads
    hash      the newest hash, hex
    problem   the first Problem, or None
    """

    entries: int
    personal: int
    heads: int
    hash: str
    problem: Problem | None


def verify(
    session: Session,
    progress: Callable[[int], None] | None = None,
    keys: Collection[str] | None = None,
    known_heads: Iterable[dict] = (),
) -> Verification:
    """
    Verify the log up to the first broken entry of the chain.

    progress     called with the number of entries so far
    keys         public keys, hex, that heads may be signed with; None: any
    known_heads  heads that others have kept, [{"n", "hash", ...}], such as from /log/heads.json
    """
    walk = None
    try:
        heads = {head.n: head for head in session.scalars(select(LogHead))}
        tip = session.get(LogTip, log.TIP, populate_existing=True)
        walk = _Walk(heads, tip.n if tip else 0, {head["n"]: head["hash"] for head in known_heads})
        problem = walk.verify_chain(_rows(session), progress)
        if problem is None:
            problem = walk.verify_rest(tip, _orphan(session), keys)
        if problem is None and lacking_triggers(session):
            problem = Problem(walk.entries, TRIGGER_GONE)
    except (DatabaseError, *_driver_errors(session)):
        problem = Problem(_unreadable(session, walk.entries + 1 if walk else 1), UNREADABLE)
        if walk is None:
            return Verification(0, 0, 0, log.START, problem)
    return Verification(walk.entries, walk.with_personal, len(walk.heads), walk.hash.hex(), problem)


class _Walk:
    """One walk along the chain."""

    def __init__(self, heads: dict[int, LogHead], tip_n: int, known_hashes: dict[int, str]):
        self.entries = 0
        self.with_personal = 0
        self.hash = bytes.fromhex(log.START)
        self.logged_heads: dict[int, dict] = {}  # n -> the head's body in the chain
        self.absent: list[int] = []  # entries whose personal fields are missing
        self.forgotten: set[int] = set()  # entries whose personal fields are forgotten, by the chain
        self.present: set[int] = set()  # entries whose personal fields are there
        self.heads = heads
        self._tip_n = tip_n
        self._known_hashes = known_hashes

    def verify_chain(self, rows: Iterable[tuple], progress: Callable[[int], None] | None) -> Problem | None:
        """Return the first Problem in the order of the entries."""
        # A log has millions of entries, so this loop is inlined and does only what it has to.
        sha256, quote, heads, known_hashes = hashlib.sha256, encode_basestring, self.heads, self._known_hashes
        previous, expected, with_personal, latest_s = self.hash, 1, 0, 0
        present = self.present
        for n, at_s, kind, subject, body, personal, entry_hash, salt, content in rows:
            if n != expected:
                return Problem(expected, MISSING)
            # The same as log.serialize().
            quoted = "null" if personal is None else f'"{personal}"'
            try:
                line = (
                    f'{{"at_s":{at_s:d},"body":{body},"kind":{quote(kind)},"n":{n:d},'
                    f'"personal":{quoted},"subject":{quote(subject)}}}'
                )
            except (TypeError, ValueError):
                return Problem(n, CHANGED)
            previous = sha256(previous + sha256(line.encode()).digest()).digest()
            if previous.hex() != entry_hash:
                return Problem(n, CHANGED)
            if at_s < latest_s:
                return Problem(n, TIME_BACK)
            latest_s = at_s
            if salt is not None:
                if sha256(f"{salt}{content}".encode()).hexdigest() != personal:
                    return Problem(n, PERSONAL_EXTRA if personal is None else PERSONAL_CHANGED)
                with_personal += 1
                present.add(n)
            elif personal is not None:
                self.absent.append(n)
            if n in heads and (what := _unfit_head(heads[n], entry_hash, at_s)):
                return Problem(n, what)
            if n in known_hashes and known_hashes[n] != entry_hash:
                return Problem(n, UNKNOWN)
            if kind in SPECIAL:
                what = self._remember(n, kind, json.loads(body))
                if what:
                    return Problem(n, what)
            if not n % BATCH:
                self.hash, self.entries, self.with_personal = previous, n, with_personal
                if progress:
                    progress(n)
            expected += 1
        self.hash, self.entries, self.with_personal = previous, expected - 1, with_personal
        if latest_s > clock.now_s() + AHEAD_S:
            return Problem(self.entries, TIME_BEYOND)
        return None

    def _has_evidence_of(self, n: int) -> bool:
        """True if there was once an entry n, by the heads or the tip."""
        return any(head_n >= n for head_n in (*self.heads, *self._known_hashes)) or self._tip_n >= n

    def _remember(self, n: int, kind: str, body: dict) -> str | None:
        """Remember what an entry says about others; return a kind of problem, or None."""
        if kind != log.ERASED:
            self.logged_heads[body["n"]] = body
            return None
        self.forgotten.update(body["entries"])
        return ERASED_LATER if any(number >= n for number in body["entries"]) else None

    def verify_rest(self, tip: LogTip | None, orphan: int | None, keys: Collection[str] | None) -> Problem | None:
        """Return the first Problem that shows only after the whole chain is read."""
        if self._has_evidence_of(self.entries + 1):
            return Problem(self.entries + 1, MISSING)
        problems = [Problem(orphan, PERSONAL_EXTRA)] if orphan is not None else []
        problems += [Problem(n, PERSONAL_GONE) for n in self.absent if n not in self.forgotten][:1]
        problems += [Problem(n, ERASED_THERE) for n in sorted(self.forgotten & self.present)][:1]
        for n, head in sorted(self.heads.items()):
            if not log_heads.has_valid_signature(head) or self.logged_heads.get(n) != log_heads.as_body(head):
                problems.append(Problem(n, HEAD_CHANGED))
            elif keys is not None and head.key not in keys:
                problems.append(Problem(n, FOREIGN_KEY))
        problems += [Problem(n, HEAD_GONE) for n in sorted(self.logged_heads.keys() - self.heads.keys())]
        if tip is None or (tip.n, tip.hash) != (self.entries, self.hash.hex()):
            problems.append(Problem(self.entries, TIP_DIFFERS))
        return min(problems, default=None, key=lambda problem: problem.n)


def _unfit_head(head: LogHead, entry_hash: str, at_s: int) -> str | None:
    """Return a kind of problem if a head does not fit its entry, else None."""
    if head.hash != entry_hash:
        return HEAD_DIFFERS
    return TIME_BEYOND if head.at_s < at_s else None


def lacking_triggers(session: Session) -> set[str]:
    """Return the names of the triggers that protect the log and are missing, switched off or emptied."""
    dialect = session.get_bind().dialect.name
    if dialect == "sqlite":
        rows = session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'"))
        standing = {name for name, sql in rows if "RAISE(ABORT" in (sql or "")}
    else:
        rows = session.execute(
            text(
                "SELECT t.tgname FROM pg_trigger t JOIN pg_proc p ON p.oid = t.tgfoid "
                "WHERE t.tgenabled IN ('O', 'A') AND p.proname = 'log_refuses' AND p.prosrc LIKE '%RAISE EXCEPTION%'"
            )
        )
        standing = {row.tgname for row in rows}
    return TRIGGERS[dialect] - standing


def _rows(session: Session) -> Iterator[tuple]:
    """Yield the driver's rows of entries with personal fields; SQLAlchemy's rows would take a third of the time."""
    connection = session.connection()
    # psycopg keeps a named cursor on the server, so that a long log needs no memory.
    named = ("log_check",) if connection.dialect.name == "postgresql" else ()
    cursor = connection.connection.cursor(*named)
    try:
        cursor.execute(_EVERYTHING + "ORDER BY e.n")
        while batch := cursor.fetchmany(BATCH):
            yield from batch
    finally:
        cursor.close()


def _driver_errors(session: Session) -> tuple[type[Exception], ...]:
    """Return the errors of the database's driver, which _rows() does not wrap."""
    driver = session.get_bind().dialect.dbapi
    assert driver, "the session is bound to a database"
    return (driver.DatabaseError, UnicodeError)


def _unreadable(session: Session, start: int) -> int:
    """Return the number of the first entry from `start` on that the database cannot read."""
    session.rollback()
    for n in range(start, start + 2 * BATCH):
        cursor = session.connection().connection.cursor()
        try:
            cursor.execute(f"{_EVERYTHING}WHERE e.n = {n:d}")
            cursor.fetchall()
        except (DatabaseError, *_driver_errors(session)):
            return n
        finally:
            cursor.close()
    return start


def _orphan(session: Session) -> int | None:
    """Return the number of the first personal fields without an entry, if any."""
    query = select(func.min(LogPersonal.n)).outerjoin(LogEntry, LogEntry.n == LogPersonal.n)
    return session.scalar(query.where(LogEntry.n.is_(None)))
