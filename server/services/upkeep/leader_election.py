"""
Leases: which one of several processes does a job, such as leading the ingest workers or notify's daily work.

    lease = Lease(sessions, "ingest", "worker-2")
    lease.keep(time.monotonic())      # every EVERY_S; True while this process has it

The holder raises `beat` each time. A process that has watched a `beat` stand still for LOST_S takes the lease over, so
no clock of the machine or the database matters, only the watcher's monotonic one. A holder that was frozen for so long
notices at its next keep().
"""

from sqlalchemy import select, update
from sqlalchemy.orm import Session, sessionmaker

from server import db
from server.models.upkeep import Lease as Row

INGEST, NOTIFY = "ingest", "notify"
EVERY_S = 5
LOST_S = 20


class Lease:
    """One process's view of one lease."""

    def __init__(self, sessions: sessionmaker[Session], name: str, holder: str):
        """The holder's name is at most 32 characters; a process restarted with it has the lease at once."""
        self._sessions = sessions
        self._name = name
        self._holder = holder
        self._watched = "", -1  # (holder, beat) when last seen
        self._since = 0.0  # on the monotonic clock: since when it has not changed
        self.is_held = False

    def keep(self, now: float) -> bool:
        """Renew the lease, or take it if it is free or its holder is gone; return whether this process has it."""
        with self._sessions.begin() as session:
            self.is_held = self._renew(session) or self._take(session, now)
        return self.is_held

    def release(self) -> None:
        """Give the lease up, so that another process need not wait."""
        if self.is_held:
            with self._sessions.begin() as session:
                session.execute(update(Row).where(*self._mine()).values(holder=""))
            self.is_held = False

    def _mine(self):
        return Row.name == self._name, Row.holder == self._holder

    def _renew(self, session):
        return db.execute_count(session, update(Row).where(*self._mine()).values(beat=Row.beat + 1)) == 1

    def _take(self, session, now):
        row = session.execute(select(Row.holder, Row.beat).where(Row.name == self._name)).first()
        if row is None:
            session.execute(
                db.insert(session, Row).on_conflict_do_nothing(), {"name": self._name, "holder": "", "beat": 0}
            )
            row = "", 0
        elif row != self._watched:
            self._watched, self._since = tuple(row), now
        if row[0] and now - self._since < LOST_S:
            return False
        # If several watchers try at once, only the first finds the row unchanged.
        taken = update(Row).where(Row.name == self._name, Row.holder == row[0], Row.beat == row[1])
        return db.execute_count(session, taken.values(holder=self._holder, beat=row[1] + 1)) == 1
