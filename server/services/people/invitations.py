"""
Invitations: people make their own accounts, with the role and the places that an administrator chose.

    invitation, code = invite(session, by, "Kim", "inspector", everywhere=False, places=[...])
    user = accept(session, code, "kim", "Kim Min-ji", password)

The code is shown once, works once, and expires after LIFETIME_S. The database keeps only its hash.
"""

import hashlib
from collections.abc import Sequence

from sqlalchemy import ColumnElement, or_, select
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.people import ROLES, Invitation, User
from server.models.places import Facility, Organisation
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import accounts, scopes

LIFETIME_S = 7 * 86400
CODE_CHARS = 26  # 130 bits


def invite(
    session: Session, by: User, name: str, role: str, everywhere: bool, places: Sequence[scopes.Place] = ()
) -> tuple[Invitation, str]:
    """
    Add an invitation; return it and its code.

    places  from scopes.load_grantable()
    Raises Refused: role_unknown, scope_beyond, scope_empty.
    """
    if role not in ROLES:
        raise Refused("role_unknown")
    if everywhere and not by.everywhere:
        raise Refused("scope_beyond")
    if not everywhere and not places:
        raise Refused("scope_empty")
    code, now_s = ids.new(CODE_CHARS), clock.now_s()
    invitation = Invitation(
        public_id=ids.new(),
        code_hash=_hash(code),
        name=name.strip()[:200],
        role=role,
        everywhere=everywhere,
        places=[] if everywhere else [[place.kind, place.row.id] for place in places],
        created_s=now_s,
        created_by_id=by.id,
        expires_s=now_s + LIFETIME_S,
    )
    session.add(invitation)
    session.flush()
    body = {"role": role, "everywhere": everywhere, "places": sorted(place.row.public_id for place in places)}
    log.add(session, "person.invited", invitation.public_id, body, by, {"name": invitation.name})
    return invitation, code


def list_open(session: Session, by: User) -> list[Invitation]:
    """Return open invitations, newest first: all for an administrator of everything, else the ones made by `by`."""
    query = select(Invitation).where(Invitation.ended_s.is_(None), Invitation.expires_s > clock.now_s())
    if not by.everywhere:
        query = query.where(Invitation.created_by_id == by.id)
    return list(session.scalars(query.order_by(Invitation.id.desc())))


def withdraw(session: Session, public_id: str, by: User) -> None:
    """End an open invitation. Raises NotFound."""
    invitation = next((row for row in list_open(session, by) if row.public_id == public_id), None)
    if invitation is None:
        raise NotFound("invitation")
    invitation.ended_s = clock.now_s()
    log.add(session, "person.uninvited", invitation.public_id, {}, by)


def load_open(session: Session, code: str) -> Invitation:
    """Return the invitation of a code. Raises Refused: invitation_bad (unknown, used, withdrawn, or expired)."""
    query = select(Invitation).where(Invitation.code_hash == _hash(ids.clean(code)))
    invitation = session.scalar(query.with_for_update())
    if invitation is None or invitation.ended_s is not None or invitation.expires_s <= clock.now_s():
        raise Refused("invitation_bad")
    return invitation


def accept(session: Session, code: str, login: str, name: str, password: str) -> User:
    """Add the invited account; return it. Raises Refused: invitation_bad, and accounts.add_user()'s."""
    invitation = load_open(session, code)
    by = session.get(User, invitation.created_by_id) if invitation.created_by_id else None
    # An administrator who was disabled, or lost the right or one of the places, cannot grant them any more.
    places = _places(session, invitation)
    if (
        by is None
        or not accounts.may(by, accounts.ADMINISTER)
        or not scopes.may_grant(session, by, invitation.everywhere, places)
    ):
        raise Refused("invitation_bad")
    user, _ = accounts.add_user(
        session, login, name, invitation.role, password, by=by, everywhere=invitation.everywhere
    )
    if not invitation.everywhere:
        scopes.set_places(session, user, False, places, by)
    invitation.ended_s, invitation.user_id = clock.now_s(), user.id
    session.flush()
    return user


def expired_with_name(before_s: int) -> list[ColumnElement[bool]]:
    """Return the conditions for invitations that ended or expired before a time and still hold a name."""
    return [or_(Invitation.ended_s < before_s, Invitation.expires_s < before_s), Invitation.name != ""]


def _places(session: Session, invitation: Invitation) -> list[scopes.Place]:
    tables = {scopes.ORGANISATION: Organisation, scopes.FACILITY: Facility}
    return [scopes.Place(kind, session.get_one(tables[kind], row_id)) for kind, row_id in invitation.places]


def _hash(code: str) -> str:
    return hashlib.sha256(code.encode()).hexdigest()
