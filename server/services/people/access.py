"""
Which places a person may see and act on. Rights by role are in people.py; this says where they hold.

    query = access.within(select(Restroom), user, Restroom.facility_id)     # lists
    access.check(session, user, people.INSPECT, room.facility_id)           # one thing; raises NotFound

A person's role holds everywhere, or in the organisations and facilities of their UserPlace rows and nowhere else.
"""

from sqlalchemy import or_, select

from server.models.people import UserPlace
from server.models.places import Facility
from server.services.errors import NotFound
from server.services.people import accounts


def within(query, user, facility_id_column):
    """Return the query limited to the facilities that a person, or accounts.SYSTEM, may see."""
    if user is None or _everywhere(user):
        return query
    return query.where(facility_id_column.in_(_facilities(user)))


def may(session, user, right: str, facility_id: int | None) -> bool:
    """True if the person has this right at this facility (None: something that belongs to no facility)."""
    if not accounts.may(user, right):
        return False
    if facility_id is None or _everywhere(user):
        return True
    return session.scalar(_facilities(user).where(Facility.id == facility_id)) is not None


def check(session, user, right: str, facility_id: int | None) -> None:
    """Raise NotFound unless may(): a place of somebody else's does not exist for this person."""
    if not may(session, user, right, facility_id):
        raise NotFound("place")


def check_organisation(session, user, right: str, organisation_id: int) -> None:
    """Raise NotFound unless the person has this right in a whole organisation, not only at some of its facilities."""
    mine = select(UserPlace.id).where(UserPlace.user_id == user.id, UserPlace.organisation_id == organisation_id)
    if not accounts.may(user, right) or not (_everywhere(user) or session.scalar(mine) is not None):
        raise NotFound("organisation")


def check_inside(session, user, organisation_id: int) -> None:
    """Raise NotFound unless the person may see anything of an organisation."""
    if not (_everywhere(user) or organisation_id in set(session.scalars(organisations(user)))):
        raise NotFound("organisation")


def organisations(user):
    """The row numbers of the organisations in which a person has a place, as a query."""
    user_id = getattr(user, "id", None)
    whole = select(UserPlace.organisation_id).where(
        UserPlace.user_id == user_id, UserPlace.organisation_id.is_not(None)
    )
    return whole.union(select(Facility.organisation_id).where(Facility.id.in_(_facilities(user))))


def _everywhere(user):
    return getattr(user, "everywhere", False)  # nobody, who has not signed in, has no such thing


def _facilities(user):
    """The row numbers of a person's facilities, as a query. A person without a row number has none."""
    user_id = getattr(user, "id", None)
    facilities = select(UserPlace.facility_id).where(UserPlace.user_id == user_id)
    organisations = select(UserPlace.organisation_id).where(UserPlace.user_id == user_id)
    # IN with an empty column value is neither true nor false, so rows of the other kind do not matter.
    return select(Facility.id).where(or_(Facility.id.in_(facilities), Facility.organisation_id.in_(organisations)))
