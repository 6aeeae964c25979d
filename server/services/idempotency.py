"""
Idempotency keys: a program that got no answer repeats its request, and the work is still done once.

    kept = begin(session, user, key, digest)      # in the transaction that does the work
    if kept.status: ...                           # done before: return the same answer
    kept.status, kept.body, kept.location = 201, body, location

If the work is refused, the transaction is rolled back, and the key with it. Keys are deleted after a day.

The form of a page has its transactions in its view, so its key is claimed before and kept or released after them:

    kept = claim(sessions, user_id, key, wait_s)      # None: do the work, then
    keep(sessions, user_id, key, status, location)    # or release(sessions, user_id, key) if it was refused
"""

import time

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from server import clock
from server.db import Sessions, insert
from server.models.outside import KeptAnswer
from server.services.errors import Refused

MAX_KEY = 100
LONGEST_LOCATION = 200
_POLL_S = 0.1


def begin(session: Session, user, key: str, digest: str) -> KeptAnswer:
    """
    Return the row of a user's key; its `status` is 0 until there is an answer.

    digest  SHA-256 (hex) of the request, so that a key is used for one request only
    Raises Refused: key_reused.
    """
    row = {"user_id": user.id, "key": key, "digest": digest, "status": 0, "body": b"", "location": ""}
    # On PostgreSQL a second request with the same key waits here until the first one's transaction has ended.
    session.execute(insert(session, KeptAnswer).values(**row, made_s=clock.now_s()).on_conflict_do_nothing())
    query = select(KeptAnswer).where(KeptAnswer.user_id == user.id, KeptAnswer.key == key)
    kept = session.scalars(query.with_for_update()).one()
    if kept.digest != digest:
        raise Refused("key_reused")
    return kept


def claim(sessions: Sessions, user_id: int, key: str, wait_s: float) -> KeptAnswer | None:
    """
    Claim a key; return None if the caller has to do the work.

    Else the row of the one who has claimed it before; its `status` is 0 if their work has not ended after `wait_s`.
    """
    until_s = time.monotonic() + wait_s
    row = {"user_id": user_id, "key": key, "digest": "", "status": 0, "body": b"", "location": ""}
    while True:
        with sessions.begin() as session:
            query = insert(session, KeptAnswer).values(**row, made_s=clock.now_s()).on_conflict_do_nothing()
            if session.scalar(query.returning(KeptAnswer.id)) is not None:
                return None
        with sessions() as session:
            kept = session.scalar(select(KeptAnswer).where(*_of(user_id, key)))
        # None: it was released meanwhile, so the next turn claims it.
        if kept is not None and (kept.status or time.monotonic() >= until_s):
            return kept
        time.sleep(_POLL_S)


def keep(sessions: Sessions, user_id: int, key: str, status: int, location: str) -> None:
    """Keep the answer of a claimed key. An address that is too long is not kept."""
    location = location if len(location) <= LONGEST_LOCATION else ""
    with sessions.begin() as session:
        session.execute(update(KeptAnswer).where(*_of(user_id, key)).values(status=status, location=location))


def release(sessions: Sessions, user_id: int, key: str) -> None:
    """Forget a claimed key: its work was refused or has failed, and may be tried again."""
    with sessions.begin() as session:
        session.execute(delete(KeptAnswer).where(*_of(user_id, key), KeptAnswer.status == 0))


def _of(user_id, key):
    return KeptAnswer.user_id == user_id, KeptAnswer.key == key
