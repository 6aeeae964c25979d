"""
Is the log as it was written? Goes through every entry, its personal fields, and the heads.

    report = check(session)       # .problem is None, or names the first broken entry
"""

import hashlib
import json
from collections import namedtuple
from json.encoder import encode_basestring

from sqlalchemy import func, select
from sqlalchemy.exc import DatabaseError
from sqlalchemy.orm import Session

from server.models.audit import LogEntry, LogHead, LogPersonal, LogTip
from server.services.audit import heads as log_heads
from server.services.audit import log

BATCH = 5_000
SPECIAL = (log.ERASED, log.SIGNED)

_EVERYTHING = (
    "SELECT e.n, e.at_s, e.kind, e.subject, e.body, e.personal, e.hash, p.salt, p.content "
    "FROM log_entry e LEFT JOIN log_personal p ON p.n = e.n "
)

# The ways to be broken.
MISSING = "missing"  # there is no entry with this number; later ones are there, or were
CHANGED = "changed"  # the entry, or its hash, is not what was written
PERSONAL_CHANGED = "personal_changed"
PERSONAL_GONE = "personal_gone"  # and no entry says that they were forgotten
PERSONAL_EXTRA = "personal_extra"  # personal fields that no entry knows
HEAD_CHANGED = "head_changed"  # a head's signature does not fit, or the chain tells of another head
HEAD_DIFFERS = "head_differs"  # a head was signed when this entry had another hash: everything was computed anew
HEAD_GONE = "head_gone"  # the chain tells of a head that is not there
TIP_DIFFERS = "tip_differs"  # the newest entry is not the one that was added last
UNREADABLE = "unreadable"  # the database cannot read it: its file is damaged there
FOREIGN_KEY = "foreign_key"  # its head is signed, but with none of the keys that may sign
UNKNOWN = "unknown"  # a head that was handed in from outside is not the one that is here

# n     the number of the entry that is broken, or that the broken row belongs to
# what  one of the words above
Problem = namedtuple("Problem", ("n", "what"))

# entries   how many were checked
# personal  how many of them still have personal fields
# heads     how many signed heads
# hash      the newest hash, hex
# problem   the first Problem, or None
Report = namedtuple("Report", ("entries", "personal", "heads", "hash", "problem"))


def check(session: Session, progress=None, keys=None, seen=()) -> Report:
    """
    Go through the log; stops at the first broken entry of the chain.

    progress  progress(entries so far) is called often
    keys      public keys, hex, that heads may be signed with; None: any
    seen      heads as others have kept them, [{"n", "hash", ...}], such as from /log/heads.json
    """
    run = None
    try:
        heads = {head.n: head for head in session.scalars(select(LogHead))}
        tip = session.get(LogTip, log.TIP, populate_existing=True)
        run = _Run(heads, tip.n if tip else 0, {head["n"]: head["hash"] for head in seen})
        problem = run.chain(_rows(session), progress)
        if problem is None:
            problem = run.after(tip, _orphan(session), keys)
    except (DatabaseError, *_of_the_driver(session)):
        problem = Problem(_unreadable(session, run.entries + 1 if run else 1), UNREADABLE)
        if run is None:
            return Report(0, 0, 0, log.START, problem)
    return Report(run.entries, run.with_personal, len(run.heads), run.hash.hex(), problem)


class _Run:
    """One walk along the chain, and what has to be remembered on the way."""

    def __init__(self, heads, tip_n, seen):
        self.entries = 0
        self.with_personal = 0
        self.hash = bytes.fromhex(log.START)
        self.told = {}  # n -> head as the chain tells it
        self.absent = []  # entries whose personal fields are not there
        self.forgotten = set()  # entries whose personal fields the chain says are forgotten
        self.heads = heads
        self._tip_n = tip_n
        self._seen = seen

    def chain(self, rows, progress):
        """Return the first Problem in the order of the entries."""
        # A log has millions of entries: every step here is one that cannot be left out, and nothing is called twice.
        sha256, quote, heads, seen = hashlib.sha256, encode_basestring, self.heads, self._seen
        previous, expected, with_personal = self.hash, 1, 0
        for n, at_s, kind, subject, body, personal, told, salt, content in rows:
            if n != expected:
                return Problem(expected, MISSING)
            # As services.log.written() spells it.
            quoted = "null" if personal is None else f'"{personal}"'
            try:
                text = (
                    f'{{"at_s":{at_s:d},"body":{body},"kind":{quote(kind)},"n":{n:d},'
                    f'"personal":{quoted},"subject":{quote(subject)}}}'
                )
            except (TypeError, ValueError):
                return Problem(n, CHANGED)
            previous = sha256(previous + sha256(text.encode()).digest()).digest()
            if previous.hex() != told:
                return Problem(n, CHANGED)
            if salt is not None:
                if sha256(f"{salt}{content}".encode()).hexdigest() != personal:
                    return Problem(n, PERSONAL_EXTRA if personal is None else PERSONAL_CHANGED)
                with_personal += 1
            elif personal is not None:
                self.absent.append(n)
            if n in heads and heads[n].hash != told:
                return Problem(n, HEAD_DIFFERS)
            if n in seen and seen[n] != told:
                return Problem(n, UNKNOWN)
            if kind in SPECIAL:
                self._remember(kind, json.loads(body))
            if not n % BATCH:
                self.hash, self.entries, self.with_personal = previous, n, with_personal
                if progress:
                    progress(n)
            expected += 1
        self.hash, self.entries, self.with_personal = previous, expected - 1, with_personal
        return None

    def _told_of(self, n):
        return any(head >= n for head in (*self.heads, *self._seen)) or self._tip_n >= n

    def _remember(self, kind, body):
        if kind == log.ERASED:
            self.forgotten.update(body["entries"])
        else:
            self.told[body["n"]] = body

    def after(self, tip, orphan, keys):
        """Return what only the whole chain can tell."""
        if self._told_of(self.entries + 1):
            return Problem(self.entries + 1, MISSING)
        problems = [Problem(orphan, PERSONAL_EXTRA)] if orphan is not None else []
        problems += [Problem(n, PERSONAL_GONE) for n in self.absent if n not in self.forgotten][:1]
        for n, head in sorted(self.heads.items()):
            if not log_heads.fits(head) or self.told.get(n) != log_heads.described(head):
                problems.append(Problem(n, HEAD_CHANGED))
            elif keys is not None and head.key not in keys:
                problems.append(Problem(n, FOREIGN_KEY))
        problems += [Problem(n, HEAD_GONE) for n in sorted(self.told.keys() - self.heads.keys())]
        if tip is None or (tip.n, tip.hash) != (self.entries, self.hash.hex()):
            problems.append(Problem(self.entries, TIP_DIFFERS))
        return min(problems, default=None, key=lambda problem: problem.n)


def _rows(session):
    """Entries and their personal fields as the driver gives them: SQLAlchemy's rows take a third of the whole time."""
    connection = session.connection()
    # A named cursor of psycopg stays on the server, so that a long log needs no memory.
    named = ("log_check",) if connection.dialect.name == "postgresql" else ()
    cursor = connection.connection.cursor(*named)
    try:
        cursor.execute(_EVERYTHING + "ORDER BY e.n")
        while part := cursor.fetchmany(BATCH):
            yield from part
    finally:
        cursor.close()


def _of_the_driver(session):
    """What the database's own driver raises, which _rows() does not wrap."""
    return (session.get_bind().dialect.dbapi.DatabaseError, UnicodeError)


def _unreadable(session, start):
    """The number of the first entry from `start` on that the database cannot read."""
    session.rollback()
    for n in range(start, start + 2 * BATCH):
        cursor = session.connection().connection.cursor()
        try:
            cursor.execute(f"{_EVERYTHING}WHERE e.n = {n:d}")
            cursor.fetchall()
        except (DatabaseError, *_of_the_driver(session)):
            return n
        finally:
            cursor.close()
    return start


def _orphan(session):
    """The first personal fields that belong to no entry, if any."""
    wanted = select(func.min(LogPersonal.n)).outerjoin(LogEntry, LogEntry.n == LogPersonal.n)
    return session.scalar(wanted.where(LogEntry.n.is_(None)))
