"""
Counts of throttled requests in the database, which several web processes and machines share.

Used with PostgreSQL. With SQLite the counts are in the memory of the web process: there every count would wait for the
one writer, which may be storing a batch of reports.
"""

import hashlib
import time
from typing import cast

from limits.storage import Storage
from sqlalchemy import case, delete, func, select
from sqlalchemy.exc import SQLAlchemyError

from server.db import Sessions, insert
from server.models.people import ThrottleCount

SCHEME = "ansim-database"
PRUNE_EVERY_S = 60


class DatabaseStorage(Storage):
    """
    Flask-Limiter's storage in the table `throttle_count`.

    A key names a client's address or account, so the table has only its SHA-256.
    """

    STORAGE_SCHEME = [SCHEME]

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options):
        super().__init__(uri, wrap_exceptions)
        self._sessions = cast(Sessions, options["sessions"])
        self._pruned = 0.0

    @property
    def base_exceptions(self) -> type[Exception]:
        return SQLAlchemyError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Add to a count, which begins anew `expiry` seconds after its first request; return the sum."""
        now_s = time.time()
        with self._sessions.begin() as session:
            new = insert(session, ThrottleCount).values(key=_digest(key), count=amount, ends_s=int(now_s) + expiry)
            is_over = ThrottleCount.ends_s <= now_s
            changed = {
                "count": case((is_over, new.excluded.count), else_=ThrottleCount.count + new.excluded.count),
                "ends_s": case((is_over, new.excluded.ends_s), else_=ThrottleCount.ends_s),
            }
            statement = new.on_conflict_do_update(index_elements=["key"], set_=changed)
            count = session.execute(statement.returning(ThrottleCount.count)).scalar_one()
        self._prune(now_s)
        return count

    def get(self, key: str) -> int:
        """Return a count; 0 if it has ended or never began."""
        row = self._find(key)
        return row.count if row else 0

    def get_expiry(self, key: str) -> float:
        """Return the Unix time when a count ends."""
        row = self._find(key)
        return float(row.ends_s) if row else time.time()

    def check(self) -> bool:
        """Return True if the database answers."""
        try:
            with self._sessions() as session:
                return session.scalar(select(1)) == 1
        except SQLAlchemyError:
            return False

    def reset(self) -> int:
        """End all counts; return how many there were."""
        with self._sessions.begin() as session:
            count = session.scalar(select(func.count()).select_from(ThrottleCount)) or 0
            session.execute(delete(ThrottleCount))
        return count

    def clear(self, key: str) -> None:
        """End a count."""
        with self._sessions.begin() as session:
            session.execute(delete(ThrottleCount).where(ThrottleCount.key == _digest(key)))

    def _find(self, key):
        query = select(ThrottleCount.count, ThrottleCount.ends_s)
        with self._sessions() as session:
            return session.execute(
                query.where(ThrottleCount.key == _digest(key), ThrottleCount.ends_s > time.time())
            ).one_or_none()

    def _prune(self, now_s):
        """Delete counts that have ended."""
        if now_s - self._pruned < PRUNE_EVERY_S:
            return
        self._pruned = now_s
        with self._sessions.begin() as session:
            ended = select(ThrottleCount.key).where(ThrottleCount.ends_s <= now_s).with_for_update(skip_locked=True)
            session.execute(delete(ThrottleCount).where(ThrottleCount.key.in_(ended)))


def _digest(key):
    return hashlib.sha256(key.encode()).hexdigest()
