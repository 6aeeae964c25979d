"""
Where a user's role holds. Which rights a role has is in accounts.py.

    query = access.within(select(Restroom), user, Restroom.facility_id)                   # a list
    access.check(session, user, accounts.INSPECT, restroom.facility_id)                   # one object; raises NotFound

A role holds everywhere, or only in the organisations and facilities of the user's UserPlace rows. `user` is a User or
accounts.SYSTEM.
"""

from sqlalchemy import CompoundSelect, Select, or_, select
from sqlalchemy.orm import Session

from server.models.people import UserPlace
from server.models.places import Facility
from server.services.errors import NotFound
from server.services.people import accounts


def within(query: Select, user, facility_id_column) -> Select:
    """Return the query limited to the facilities of a user; to none for None or an anonymous user."""
    if is_everywhere(user):
        return query
    return query.where(facility_id_column.in_(_facilities(user)))


def may(session: Session, user, right: str, facility_id: int | None) -> bool:
    """True if the user has this right at this facility (None: an object of no facility)."""
    if not accounts.may(user, right):
        return False
    if facility_id is None or is_everywhere(user):
        return True
    return session.scalar(_facilities(user).where(Facility.id == facility_id)) is not None


def check(session: Session, user, right: str, facility_id: int | None) -> None:
    """Raise NotFound unless may(): for this user, places of others do not exist."""
    if not may(session, user, right, facility_id):
        raise NotFound("place")


def check_organisation(session: Session, user, right: str, organisation_id: int) -> None:
    """Raise NotFound unless the user has this right in a whole organisation, not only at some of its facilities."""
    place = select(UserPlace.id).where(UserPlace.user_id == user.id, UserPlace.organisation_id == organisation_id)
    if not accounts.may(user, right) or not (is_everywhere(user) or session.scalar(place) is not None):
        raise NotFound("organisation")


def check_inside(session: Session, user, organisation_id: int) -> None:
    """Raise NotFound unless the user may see an organisation, or some facility of it."""
    if not (is_everywhere(user) or organisation_id in set(session.scalars(organisations(user)))):
        raise NotFound("organisation")


def organisations(user) -> CompoundSelect:
    """Return a query for the row numbers of the organisations in which a user has a place."""
    facilities = select(Facility.organisation_id).where(Facility.id.in_(_facilities(user)))
    return whole_organisations(user).union(facilities)


def whole_organisations(user) -> Select[int | None]:
    """Return a query for the row numbers of the organisations that are a user's places as a whole."""
    user_id = getattr(user, "id", None)
    return select(UserPlace.organisation_id).where(UserPlace.user_id == user_id, UserPlace.organisation_id.is_not(None))


def is_everywhere(user) -> bool:
    """True if the user's role holds everywhere; False for an anonymous user."""
    return getattr(user, "everywhere", False)


def _facilities(user):
    """Return a query for the row numbers of a user's facilities; of none for an anonymous user."""
    user_id = getattr(user, "id", None)
    facilities = select(UserPlace.facility_id).where(UserPlace.user_id == user_id)
    whole = select(UserPlace.organisation_id).where(UserPlace.user_id == user_id)
    # IN with an empty column value is neither true nor false, so rows of the other kind do not matter.
    return select(Facility.id).where(or_(Facility.id.in_(facilities), Facility.organisation_id.in_(whole)))
