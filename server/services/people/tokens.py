"""
API tokens: what a program presents instead of a password.

    token, text = create(session, user, "district report", ["see"], days=90)
    token = authenticate(session, "ansim_4f0c9k2m1x_...")   # the Token with its .user, or None
    may(token, accounts.SEE)                                # both its scopes and the user's role allow it

A token never has more rights than its user, whose role and places apply. It is shown once; the database keeps a hash.
"""

import hashlib
import secrets
from collections.abc import Collection

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server import clock, ids
from server.models.people import Token, User
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import accounts

SCOPES = (accounts.SEE, accounts.INSPECT, accounts.DISPOSE, accounts.MANAGE, accounts.ADMINISTER)
PREFIX = "ansim_"
SECRET_CHARS = 32  # 160 bits
MAX_DAYS = 366
USED_EVERY_S = 3600  # last_used_s is not written more often than that


def create(session: Session, user: User, name: str, scopes: Collection[str], days: int) -> tuple[Token, str]:
    """
    Add a token; return it and the text to present.

    Raises Refused: scope_unknown, scope_not_yours, days_bad(most), name_needed.
    """
    chosen = [scope for scope in SCOPES if scope in scopes]
    if not chosen or len(chosen) != len(set(scopes)):
        raise Refused("scope_unknown")
    if not set(chosen) <= set(allowed_scopes(user)):
        raise Refused("scope_not_yours")
    if not 1 <= days <= MAX_DAYS:
        raise Refused("days_bad", most=MAX_DAYS)
    if not name.strip():
        raise Refused("name_needed")
    secret, now_s = ids.new(SECRET_CHARS), clock.now_s()
    token = Token(
        public_id=ids.new(),
        user_id=user.id,
        name=name.strip()[:200],
        secret_hash=_hash(secret),
        scopes=chosen,
        created_s=now_s,
        expires_s=now_s + days * 86400,
    )
    session.add(token)
    session.flush()
    log.add(session, "token.made", token.public_id, {"scopes": chosen, "expires_s": token.expires_s}, user)
    return token, f"{PREFIX}{token.public_id}_{secret}"


def authenticate(session: Session, presented: str) -> Token | None:
    """Return the token with its user; None if it is unknown, revoked or expired, or its user is disabled."""
    public_id, _, secret = presented.removeprefix(PREFIX).partition("_")
    query = select(Token).where(Token.public_id == public_id).options(joinedload(Token.user))
    token = session.scalar(query) if presented.startswith(PREFIX) else None
    # Compared in any case, so that the answer takes the same time.
    matches = secrets.compare_digest(token.secret_hash if token else "0" * 64, _hash(secret))
    now_s = clock.now_s()
    if (
        token is None
        or not matches
        or token.revoked_s is not None
        or token.expires_s <= now_s
        or not token.user.is_active
    ):
        return None
    if token.last_used_s is None or token.last_used_s < now_s - USED_EVERY_S:
        token.last_used_s = now_s  # written only if the caller's session is one that writes
    return token


def may(token: Token, right: str) -> bool:
    """True if a token's scopes and its user's role include a right."""
    return right in token.scopes and accounts.may(token.user, right)


def allowed_scopes(user: User) -> list[str]:
    """Return the scopes that a user may give a token."""
    return [scope for scope in SCOPES if accounts.may(user, scope)]


def list_tokens(session: Session, user: User) -> list[Token]:
    """Return a user's tokens that are not revoked, newest first."""
    query = select(Token).where(Token.user_id == user.id, Token.revoked_s.is_(None))
    return list(session.scalars(query.order_by(Token.id.desc())))


def revoke(session: Session, user: User, public_id: str, by: User | None = None) -> None:
    """Revoke a token of a user. by: an administrator, if it is not the user. Raises NotFound."""
    token = session.scalar(select(Token).where(Token.user_id == user.id, Token.public_id == public_id))
    if token is None or token.revoked_s is not None:
        raise NotFound("token")
    token.revoked_s = clock.now_s()
    log.add(session, "token.revoked", token.public_id, {}, by or user)


def _hash(secret: str) -> str:
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
