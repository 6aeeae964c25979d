"""
Scopes: where a user's role holds, everywhere or in some organisations and facilities, and who may change that.

An administrator of some places manages the users of these places only, and can grant nothing beyond them.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session

from server.models.people import User, UserPlace
from server.models.places import Facility, Organisation
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import accounts

ORGANISATION, FACILITY = "organisation", "facility"
MAX_PLACES = 200


class Place(NamedTuple):
    """kind: ORGANISATION or FACILITY."""

    kind: str
    row: Organisation | Facility


def list_places(session: Session, user: User) -> list[Place]:
    """Return the places that a user's role is limited to, by name."""
    rows = list(session.scalars(select(UserPlace).where(UserPlace.user_id == user.id)))
    organisations = select(Organisation).where(Organisation.id.in_([row.organisation_id for row in rows]))
    facilities = select(Facility).where(Facility.id.in_([row.facility_id for row in rows]))
    places = [Place(ORGANISATION, row) for row in session.scalars(organisations.order_by(Organisation.name))]
    return places + [Place(FACILITY, row) for row in session.scalars(facilities.order_by(Facility.name))]


def load_grantable(session: Session, by: User, public_ids: Iterable[str]) -> list[Place]:
    """Return places by public ids. Raises NotFound unless `by` may grant all of them; Refused: places_many."""
    unique_ids = list(dict.fromkeys(public_ids))
    if len(unique_ids) > MAX_PLACES:
        raise Refused("places_many", most=MAX_PLACES)
    organisations = session.scalars(select(Organisation).where(Organisation.public_id.in_(unique_ids)))
    facilities = session.scalars(select(Facility).where(Facility.public_id.in_(unique_ids)))
    places = [Place(ORGANISATION, row) for row in organisations] + [Place(FACILITY, row) for row in facilities]
    if len(places) != len(unique_ids) or not may_grant(session, by, False, places):
        raise NotFound("place")
    return places


def list_grantable(session: Session, by: User, search: str = "", limit: int = 50) -> list[Place]:
    """Return places that `by` may grant, organisations first. search: words that the name has to contain."""
    organisations = select(Organisation).order_by(Organisation.name, Organisation.id).limit(limit)
    facilities = select(Facility).order_by(Facility.name, Facility.id).limit(limit)
    for word in search.split():
        organisations = organisations.where(_name_contains(Organisation, word))
        facilities = facilities.where(_name_contains(Facility, word))
    if not by.everywhere:
        own_organisations, own_facilities = _own_place_ids(by)
        organisations = organisations.where(Organisation.id.in_(own_organisations))
        facilities = facilities.where(
            or_(Facility.organisation_id.in_(own_organisations), Facility.id.in_(own_facilities))
        )
    places = [Place(ORGANISATION, row) for row in session.scalars(organisations)]
    return places + [Place(FACILITY, row) for row in session.scalars(facilities)]


def set_places(session: Session, user: User, everywhere: bool, places: Sequence[Place], by: User | None = None) -> None:
    """
    Set where a user's role holds; it takes effect with the next request.

    places  from load_grantable(); ignored if the role holds everywhere
    by      the administrator, None: a command
    Raises Refused: last_admin, scope_beyond (only a role that holds everywhere can grant everywhere), scope_empty
    (only such a role can leave a user without a place).
    """
    user = session.get_one(User, user.id)
    if everywhere and by is not None and not by.everywhere:
        raise Refused("scope_beyond")
    if not everywhere and not places and by is not None and not by.everywhere:
        raise Refused("scope_empty")
    if not everywhere:
        accounts.check_not_last_admin(session, user)
    user.everywhere = everywhere
    session.execute(delete(UserPlace).where(UserPlace.user_id == user.id))
    if everywhere:
        places = []
    for place in places:
        session.add(UserPlace(user_id=user.id, **{f"{place.kind}_id": place.row.id}))
    session.flush()
    body = {"everywhere": everywhere, "places": sorted(place.row.public_id for place in places)}
    log.add(session, "person.places", user.public_id, body, by)


def may_manage(session: Session, by: User, user: User) -> bool:
    """True if all places of `user` are also places of the administrator `by`."""
    if by.everywhere:
        return True
    if user.everywhere:
        return False
    places = list_places(session, user)
    return bool(places) and may_grant(session, by, False, places)


def list_users(session: Session, by: User) -> list[User]:
    """Return the users that an administrator may manage, by name, without erased ones."""
    query = select(User).where(User.erased_s.is_(None)).order_by(User.name, User.id)
    if by.everywhere:
        return list(session.scalars(query))
    own_organisations, own_facilities = _own_place_ids(by)
    places = UserPlace.__table__.alias()
    covered = or_(
        places.c.organisation_id.in_(own_organisations.where(UserPlace.organisation_id.is_not(None))),
        places.c.facility_id.in_(own_facilities.where(UserPlace.facility_id.is_not(None))),
        places.c.facility_id.in_(select(Facility.id).where(Facility.organisation_id.in_(own_organisations))),
    )
    count = select(func.count()).select_from(places).where(places.c.user_id == User.id)
    all_places, covered_places = count.scalar_subquery(), count.where(covered).scalar_subquery()
    return list(session.scalars(query.where(User.everywhere.is_(False), all_places > 0, all_places == covered_places)))


def load_user(session: Session, by: User, public_id: str) -> User:
    """Return a user that the administrator `by` may manage. Raises NotFound."""
    user = accounts.load_user(session, public_id)
    if not accounts.may(by, accounts.ADMINISTER) or user.erased_s is not None or not may_manage(session, by, user):
        raise NotFound("person")
    return user


def may_grant(session: Session, by: User, everywhere: bool, places: Iterable[Place]) -> bool:
    """True if `by` may grant a role that holds everywhere, or at these places."""
    if everywhere or by.everywhere:
        return by.everywhere
    return all(_may_grant_place(session, by, place) for place in places)


def _may_grant_place(session: Session, by: User, place: Place) -> bool:
    row, own = place.row, select(UserPlace.id).where(UserPlace.user_id == by.id)
    if isinstance(row, Organisation):
        return session.scalar(own.where(UserPlace.organisation_id == row.id)) is not None
    covering = or_(UserPlace.facility_id == row.id, UserPlace.organisation_id == row.organisation_id)
    return session.scalar(own.where(covering).limit(1)) is not None


def _own_place_ids(user: User):
    """Return queries for the row numbers of a user's organisations and single facilities."""
    own = UserPlace.user_id == user.id
    return select(UserPlace.organisation_id).where(own), select(UserPlace.facility_id).where(own)


def _name_contains(table, word: str):
    return or_(table.name.icontains(word, autoescape=True), table.name_en.icontains(word, autoescape=True))
