"""
People who take part in an inspection: users, and others by name and agency.

    participants.join(session, inspection, user, {"user": colleague})
    participants.join(session, inspection, user, {"name": "Officer Park", "agency": "Police"})
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock, db
from server.models.inspections import Inspection, InspectionPerson
from server.models.people import User, UserPlace
from server.models.places import Facility
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import access, accounts
from server.services.people.accounts import Actor

_INSPECTING_ROLES = [role for role, rights in accounts.RIGHTS.items() if accounts.INSPECT in rights]


def load(session: Session, inspection: Inspection, person_id: int) -> InspectionPerson:
    """Return a person who takes part, by row number. Raises NotFound."""
    person = session.get(InspectionPerson, person_id)
    if person is None or person.inspection_id != inspection.id:
        raise NotFound("person")
    return person


def list_candidates(
    session: Session, user: Actor, facility_id: int | None = None, others_only: bool = True
) -> list[User]:
    """
    Return the users who can inspect with `user`, by name; others_only: without `user`.

    facility_id  only users of this facility: those with a role there, and those of its organisation whose role holds
                 everywhere; None: users with a role in the same facilities as `user`
    """
    query = select(User).where(User.disabled_s.is_(None), User.role.in_(_INSPECTING_ROLES))
    if isinstance(user, User) and others_only:
        query = query.where(User.id != user.id)
    facilities = access.within(select(Facility), user, Facility.id).subquery()
    organisations = select(facilities.c.organisation_id)
    facility_ids = select(facilities.c.id)
    if facility_id is not None:
        organisations = select(Facility.organisation_id).where(Facility.id == facility_id)
        facility_ids = select(Facility.id).where(Facility.id == facility_id)
    places = select(UserPlace.user_id).where(
        UserPlace.organisation_id.in_(organisations) | UserPlace.facility_id.in_(facility_ids)
    )
    of_no_other = User.organisation_id.is_(None) | User.organisation_id.in_(organisations)
    query = query.where((User.everywhere & of_no_other) | User.id.in_(places))
    return list(session.scalars(query.order_by(User.name, User.id).limit(500)))


def add(session: Session, inspection: Inspection, person: dict, now_s: int) -> InspectionPerson | None:
    """
    Add a person; return None if the user takes part already.

    person  {"user": User}, or {"name": ..., "agency": ...}
    """
    account = person.get("user")
    if account is not None:
        same = InspectionPerson.inspection_id == inspection.id, InspectionPerson.user_id == account.id
        if session.scalar(select(InspectionPerson.id).where(*same)):
            return None
    row = InspectionPerson(
        inspection_id=inspection.id,
        user_id=account.id if account else None,
        name=account.name if account else person["name"],
        agency=person.get("agency", ""),
        added_s=now_s,
    )
    session.add(row)
    session.flush()
    return row


def join(session: Session, inspection: Inspection, user: Actor, person: dict) -> InspectionPerson:
    """Add a person to a running inspection. Raises Refused: finished, person_name_needed, person_there."""
    inspection = db.lock_row(session, inspection)
    if inspection.result is not None:
        raise Refused("finished")
    if person.get("user") is None and not person.get("name", "").strip():
        raise Refused("person_name_needed")
    row = add(session, inspection, person, clock.now_s())
    if row is None:
        raise Refused("person_there")
    log.add(session, "inspection.person", inspection.public_id, {}, user, personal_fields(session, inspection))
    return row


def personal_fields(session: Session, inspection: Inspection) -> dict:
    """Return the names of the people who take part, as personal fields of a log entry."""
    query = (
        select(InspectionPerson).where(InspectionPerson.inspection_id == inspection.id).order_by(InspectionPerson.id)
    )
    return {"people": [{"name": row.name, "agency": row.agency} for row in session.scalars(query)]}
