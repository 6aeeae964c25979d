"""
Sessions of people in their browsers, kept on the server.

    secret = user_sessions.begin(session, user, "Firefox")       # goes into the cookie
    user_sessions.load(session, user, secret, limits)            # the UserSession, or None if it has ended
    user_sessions.end(session, user, public_id)

A session ends when the user signs out or revokes it, after Limits.idle_s without a request, and Limits.longest_s after
its start. A new password or second factor ends all sessions and tokens of the user: accounts.end_access().
"""

import hashlib
import secrets
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.people import User, UserSession
from server.services.errors import NotFound

SEEN_EVERY_S = 60  # seen_s is not written more often than that


class Limits(NamedTuple):
    """idle_s: the longest time without a request; longest_s: the longest life of a session."""

    idle_s: int
    longest_s: int


def begin(session: Session, user: User, agent: str) -> str:
    """Begin a session; return its secret. agent: the browser's User-Agent, so that the user recognises the session."""
    secret, now_s = secrets.token_hex(16), clock.now_s()
    row = UserSession(public_id=ids.new(), user_id=user.id, secret_hash=_hash(secret), agent=agent[:200])
    row.created_s = row.seen_s = now_s
    session.add(row)
    session.flush()
    return secret


def load(session: Session, user: User, secret: str, limits: Limits) -> UserSession | None:
    """Return the session of a user with this secret; None if there is none, or it has ended."""
    query = select(UserSession).where(UserSession.user_id == user.id, UserSession.secret_hash == _hash(secret))
    row = session.scalar(query)
    return row if row is not None and _lives(row, limits) else None


def list_own(session: Session, user: User, limits: Limits) -> list[UserSession]:
    """Return the sessions of a user that have not ended, the latest used first."""
    query = select(UserSession).where(UserSession.user_id == user.id, UserSession.ended_s.is_(None))
    rows = session.scalars(query.order_by(UserSession.seen_s.desc(), UserSession.id.desc()))
    return [row for row in rows if _lives(row, limits)]


def touch(session: Session, row_id: int) -> None:
    """Record that a session was used."""
    row = session.get(UserSession, row_id)
    if row is not None:
        row.seen_s = max(row.seen_s, clock.now_s())


def end(session: Session, user: User, public_id: str) -> None:
    """End a session of a user. Raises NotFound."""
    query = select(UserSession).where(UserSession.user_id == user.id, UserSession.public_id == public_id)
    row = session.scalar(query.where(UserSession.ended_s.is_(None)))
    if row is None:
        raise NotFound("session")
    row.ended_s = clock.now_s()


def end_secret(session: Session, user: User, secret: str) -> None:
    """End the session with this secret, if it has not ended."""
    query = select(UserSession).where(UserSession.user_id == user.id, UserSession.secret_hash == _hash(secret))
    row = session.scalar(query)
    if row is not None and row.ended_s is None:
        row.ended_s = clock.now_s()


def _lives(row: UserSession, limits: Limits) -> bool:
    now_s = clock.now_s()
    return row.ended_s is None and now_s < row.seen_s + limits.idle_s and now_s < row.created_s + limits.longest_s


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
