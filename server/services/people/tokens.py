"""
API tokens: what a program shows instead of a password.

    token, shown = make(session, user, "district report", ["see"], days=90)
    token = check(session, "ansim_4f0c9k2m1x_...")         # None, or the Token with its .user
    may(token, people.SEE)                                  # scope and role both allow it

A token never may more than its person: roles and places are the person's. The secret is shown once and kept as a hash.
"""

import hashlib
import secrets

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
MOST_DAYS = 366
USED_EVERY_S = 3600  # last_used_s is not written more often than that


def make(session: Session, user: User, name: str, scopes, days: int) -> tuple[Token, str]:
    """
    Add a token; return it and what the program has to show.

    Raises Refused: scope_unknown, scope_not_yours(scope), days_bad(most), name_needed.
    """
    chosen = [scope for scope in SCOPES if scope in scopes]
    if not chosen or len(chosen) != len(set(scopes)):
        raise Refused("scope_unknown")
    for scope in chosen:
        if not accounts.may(user, scope):
            raise Refused("scope_not_yours")
    if not 1 <= days <= MOST_DAYS:
        raise Refused("days_bad", most=MOST_DAYS)
    if not name.strip():
        raise Refused("name_needed")
    secret, now_s = ids.new(SECRET_CHARS), clock.now_s()
    added = Token(
        public_id=ids.new(),
        user_id=user.id,
        name=name.strip()[:200],
        secret_hash=_hash(secret),
        scopes=chosen,
        created_s=now_s,
        expires_s=now_s + days * 86400,
    )
    session.add(added)
    session.flush()
    log.add(session, "token.made", added.public_id, {"scopes": chosen, "expires_s": added.expires_s}, user)
    return added, f"{PREFIX}{added.public_id}_{secret}"


def check(session: Session, presented: str) -> Token | None:
    """Return the token that was presented, its person loaded; None if it is none that counts now."""
    public_id, _, secret = presented.removeprefix(PREFIX).partition("_")
    wanted = select(Token).where(Token.public_id == public_id).options(joinedload(Token.user))
    found = session.scalar(wanted) if presented.startswith(PREFIX) else None
    right = secrets.compare_digest(found.secret_hash if found else "0" * 64, _hash(secret))
    now_s = clock.now_s()
    if not right or found.revoked_s is not None or found.expires_s <= now_s or not found.user.is_active:
        return None
    if found.last_used_s is None or found.last_used_s < now_s - USED_EVERY_S:
        found.last_used_s = now_s  # kept if the caller's session is one that writes
    return found


def may(token: Token, right: str) -> bool:
    """True if a token's scopes include a right and its person's role does."""
    return right in token.scopes and accounts.may(token.user, right)


def of(session: Session, user: User) -> list[Token]:
    """A person's tokens that are not revoked, newest first."""
    wanted = select(Token).where(Token.user_id == user.id, Token.revoked_s.is_(None))
    return list(session.scalars(wanted.order_by(Token.id.desc())))


def revoke(session: Session, user: User, public_id: str, by: User | None = None) -> None:
    """End a token of a person. Raises NotFound."""
    found = session.scalar(select(Token).where(Token.user_id == user.id, Token.public_id == public_id))
    if found is None or found.revoked_s is not None:
        raise NotFound("token")
    found.revoked_s = clock.now_s()
    log.add(session, "token.revoked", found.public_id, {}, by or user)


def _hash(secret):
    return hashlib.sha256(secret.encode("utf-8", "replace")).hexdigest()
