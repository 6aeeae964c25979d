"""
Idempotency keys: a program that got no answer repeats its request, and the work is still done once.

    kept = begin(session, user, key, digest)      # in the transaction that does the work
    if kept.status: ...                           # done before: return the same answer
    kept.status, kept.body, kept.location = 201, body, location

If the work is refused, the transaction is rolled back, and the key with it. Keys are deleted after a day.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.db import insert
from server.models.outside import KeptAnswer
from server.services.errors import Refused

MAX_KEY = 100


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
