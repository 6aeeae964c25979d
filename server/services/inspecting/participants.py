"""
Who takes part in an inspection: people with an account, and others by name and agency.

    taking_part.join(session, one, user, {"user": colleague})
    taking_part.join(session, one, user, {"name": "Officer Park", "agency": "Police"})
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.models.inspections import Inspection, InspectionPerson
from server.models.people import User
from server.services.audit import log
from server.services.errors import Refused
from server.services.people import accounts

TWO = 2  # inspectors are the rule in public restrooms; a record with fewer says so
_INSPECTING_ROLES = [role for role, rights in accounts.RIGHTS.items() if accounts.INSPECT in rights]


def add(session: Session, one: Inspection, person: dict, now_s: int) -> InspectionPerson | None:
    """
    Write down somebody who takes part; None if their account does already.

    person  {"user": User}, or {"name": ..., "agency": ...}
    """
    account = person.get("user")
    if account is not None:
        mine = InspectionPerson.inspection_id == one.id, InspectionPerson.user_id == account.id
        if session.scalar(select(InspectionPerson.id).where(*mine)):
            return None
    added = InspectionPerson(
        inspection_id=one.id,
        user_id=account.id if account else None,
        name=account.name if account else person["name"],
        agency=person.get("agency", ""),
        added_s=now_s,
    )
    session.add(added)
    session.flush()
    return added


def join(session: Session, one: Inspection, user, person: dict) -> InspectionPerson:
    """Add somebody while the inspection runs. Raises Refused: finished, person_name_needed, person_there."""
    one = session.get(Inspection, one.id, with_for_update=True, populate_existing=True)
    if one.result is not None:
        raise Refused("finished")
    if person.get("user") is None and not person.get("name", "").strip():
        raise Refused("person_name_needed")
    added = add(session, one, person, clock.now_s())
    if added is None:
        raise Refused("person_there")
    log.add(session, "inspection.person", one.public_id, {}, user, aside(session, one))
    return added


def aside(session: Session, one: Inspection) -> dict:
    """The names of who takes part, as a log entry's personal fields hold them."""
    rows = select(InspectionPerson).where(InspectionPerson.inspection_id == one.id).order_by(InspectionPerson.id)
    return {"people": [{"name": row.name, "agency": row.agency} for row in session.scalars(rows)]}


def candidates(session: Session, user, others_only: bool = True) -> list[User]:
    """People with an account who can inspect, by name; others_only: without the one who asks."""
    wanted = select(User).where(User.disabled_s.is_(None), User.role.in_(_INSPECTING_ROLES))
    if user is not None:
        if others_only:
            wanted = wanted.where(User.id != user.id)
        if user.organisation_id is not None and not user.everywhere:
            wanted = wanted.where(User.organisation_id == user.organisation_id)
    return list(session.scalars(wanted.order_by(User.name, User.id).limit(500)))
