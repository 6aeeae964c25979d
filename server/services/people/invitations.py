"""
Invitations: somebody makes themselves an account, with the role and the places that an administrator chose.

    invitation, code = invite(session, by, "Kim", "inspector", everywhere=False, places=[...])
    user = accept(session, code, "kim", "Kim Min-ji", password)

The code is shown once, works once, and ends after LIFETIME_S. The database holds only its hash.
"""

import hashlib

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.people import ROLES, Invitation, User
from server.models.places import Facility, Organisation
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import accounts, scopes

LIFETIME_S = 7 * 86400
CODE_CHARS = 26  # 130 bits


def invite(session: Session, by: User, name: str, role: str, everywhere: bool, places=()) -> tuple[Invitation, str]:
    """
    Add an invitation; return it and its code.

    places  scopes.Places from scopes.choose()
    Raises Refused: role_unknown, scope_beyond, scope_empty.
    """
    if role not in ROLES:
        raise Refused("role_unknown")
    if everywhere and not by.everywhere:
        raise Refused("scope_beyond")
    if not everywhere and not places:
        raise Refused("scope_empty")
    code, now_s = ids.new(CODE_CHARS), clock.now_s()
    added = Invitation(
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
    session.add(added)
    session.flush()
    body = {"role": role, "everywhere": everywhere, "places": sorted(place.row.public_id for place in places)}
    log.add(session, "person.invited", added.public_id, body, by, {"name": added.name})
    return added, code


def open_ones(session: Session, by: User) -> list[Invitation]:
    """Invitations that still wait: all of them for an administrator of everything, else one's own."""
    wanted = select(Invitation).where(Invitation.ended_s.is_(None), Invitation.expires_s > clock.now_s())
    if not by.everywhere:
        wanted = wanted.where(Invitation.created_by_id == by.id)
    return list(session.scalars(wanted.order_by(Invitation.id.desc())))


def withdraw(session: Session, public_id: str, by: User) -> None:
    """End an invitation that waits. Raises NotFound."""
    found = next((one for one in open_ones(session, by) if one.public_id == public_id), None)
    if found is None:
        raise NotFound("invitation")
    found.ended_s = clock.now_s()
    log.add(session, "person.uninvited", found.public_id, {}, by)


def waiting(session: Session, code: str) -> Invitation:
    """Return the invitation of a code. Raises Refused: invitation_bad (unknown, used, withdrawn, or too old)."""
    wanted = select(Invitation).where(Invitation.code_hash == _hash(ids.clean(code)))
    found = session.scalar(wanted.with_for_update())
    if found is None or found.ended_s is not None or found.expires_s <= clock.now_s():
        raise Refused("invitation_bad")
    return found


def accept(session: Session, code: str, login: str, name: str, password: str) -> User:
    """Make the account; return it. Raises Refused: invitation_bad, and people.add_user()'s."""
    found = waiting(session, code)
    by = session.get(User, found.created_by_id)
    # Who was disabled, or lost the right or one of the places, cannot let anybody in any more.
    places = _places(session, found)
    if not accounts.may(by, accounts.ADMINISTER) or not scopes.gives(session, by, found.everywhere, places):
        raise Refused("invitation_bad")
    added, _ = accounts.add_user(session, login, name, found.role, password, by=by, everywhere=found.everywhere)
    if not found.everywhere:
        scopes.set_places(session, added, False, places, by)
    found.ended_s, found.user_id = clock.now_s(), added.id
    session.flush()
    return added


def named_before(before_s: int) -> list:
    """The conditions for invitations that ended or expired before a time and still hold a name."""
    return [or_(Invitation.ended_s < before_s, Invitation.expires_s < before_s), Invitation.name != ""]


def _places(session, found):
    tables = {scopes.ORGANISATION: Organisation, scopes.FACILITY: Facility}
    return [scopes.Place(kind, session.get(tables[kind], row_id)) for kind, row_id in found.places]


def _hash(code):
    return hashlib.sha256(code.encode()).hexdigest()
