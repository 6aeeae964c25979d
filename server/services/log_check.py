"""
Is the log as it was written? Goes through every entry, its personal fields, and the heads.

    report = check(session)       # .problem is None, or names the first broken entry
"""

import hashlib
import json
from collections import namedtuple
from json.encoder import encode_basestring

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.log import LogEntry, LogHead, LogPersonal, LogTip
from server.services import log, log_heads

BATCH = 5_000
SPECIAL = (log.ERASED, log.SIGNED)

_EVERYTHING = (
    "SELECT e.n, e.at_s, e.kind, e.subject, e.body, e.personal, e.hash, p.salt, p.content "
    "FROM log_entry e LEFT JOIN log_personal p ON p.n = e.n ORDER BY e.n"
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

# n     the number of the entry that is broken, or that the broken row belongs to
# what  one of the words above
Problem = namedtuple("Problem", ("n", "what"))

# entries   how many were checked
# personal  how many of them still have personal fields
# heads     how many signed heads
# hash      the newest hash, hex
# problem   the first Problem, or None
Report = namedtuple("Report", ("entries", "personal", "heads", "hash", "problem"))


def check(session: Session, progress=None) -> Report:
    """Go through the log; stops at the first broken entry of the chain. progress(entries so far) is called often."""
    heads = {head.n: head for head in session.scalars(select(LogHead))}
    tip = session.get(LogTip, log.TIP, populate_existing=True)
    run = _Run(heads, tip.n if tip else 0)
    problem = run.chain(_rows(session), progress)
    if problem is None:
        problem = run.after(tip, _orphan(session))
    return Report(run.entries, run.with_personal, len(heads), run.hash.hex(), problem)


class _Run:
    """One walk along the chain, and what has to be remembered on the way."""

    def __init__(self, heads, tip_n):
        self.entries = 0
        self.with_personal = 0
        self.hash = bytes.fromhex(log.START)
        self.told = {}  # n -> head as the chain tells it
        self.absent = []  # entries whose personal fields are not there
        self.forgotten = set()  # entries whose personal fields the chain says are forgotten
        self._heads = heads
        self._tip_n = tip_n

    def chain(self, rows, progress):
        """Return the first Problem in the order of the entries."""
        # A log has millions of entries: every step here is one that cannot be left out, and nothing is called twice.
        sha256, quote, heads = hashlib.sha256, encode_basestring, self._heads
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
        return any(head >= n for head in self._heads) or self._tip_n >= n

    def _remember(self, kind, body):
        if kind == log.ERASED:
            self.forgotten.update(body["entries"])
        else:
            self.told[body["n"]] = body

    def after(self, tip, orphan):
        """Return what only the whole chain can tell."""
        if self._told_of(self.entries + 1):
            return Problem(self.entries + 1, MISSING)
        problems = [Problem(orphan, PERSONAL_EXTRA)] if orphan is not None else []
        problems += [Problem(n, PERSONAL_GONE) for n in self.absent if n not in self.forgotten][:1]
        for n, head in sorted(self._heads.items()):
            if not log_heads.fits(head) or self.told.get(n) != log_heads.described(head):
                problems.append(Problem(n, HEAD_CHANGED))
        problems += [Problem(n, HEAD_GONE) for n in sorted(self.told.keys() - self._heads.keys())]
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
        cursor.execute(_EVERYTHING)
        while part := cursor.fetchmany(BATCH):
            yield from part
    finally:
        cursor.close()


def _orphan(session):
    """The first personal fields that belong to no entry, if any."""
    wanted = select(func.min(LogPersonal.n)).outerjoin(LogEntry, LogEntry.n == LogPersonal.n)
    return session.scalar(wanted.where(LogEntry.n.is_(None)))
