"""
Where people's roles hold: everywhere, or in some organisations and facilities.

An administrator of some places looks after the people of these places and of no others, and gives away nothing
that lies beyond them.
"""

from collections import namedtuple

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from server.models.people import User, UserPlace
from server.models.places import Facility, Organisation
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import accounts

ORGANISATION, FACILITY = "organisation", "facility"
MOST_PLACES = 200

# kind  ORGANISATION or FACILITY
# row   the Organisation or the Facility
Place = namedtuple("Place", ("kind", "row"))


def places_of(session: Session, user: User) -> list[Place]:
    """The places a person's role is limited to, by name."""
    mine = select(UserPlace).where(UserPlace.user_id == user.id)
    rows = list(session.scalars(mine))
    organisations = select(Organisation).where(Organisation.id.in_([row.organisation_id for row in rows]))
    facilities = select(Facility).where(Facility.id.in_([row.facility_id for row in rows]))
    found = [Place(ORGANISATION, row) for row in session.scalars(organisations.order_by(Organisation.name))]
    return found + [Place(FACILITY, row) for row in session.scalars(facilities.order_by(Facility.name))]


def choose(session: Session, by: User, public_ids) -> list[Place]:
    """Return the places with these public ids. Raises NotFound if one is not `by`'s to give; Refused: places_many."""
    wanted = list(dict.fromkeys(public_ids))
    if len(wanted) > MOST_PLACES:
        raise Refused("places_many", most=MOST_PLACES)
    found = []
    for kind, table in ((ORGANISATION, Organisation), (FACILITY, Facility)):
        rows = session.scalars(select(table).where(table.public_id.in_(wanted)))
        found += [Place(kind, row) for row in rows]
    if len(found) != len(wanted) or not all(_gives(session, by, place) for place in found):
        raise NotFound("place")
    return found


def offered(session: Session, by: User, words: str = "", limit: int = 50) -> list[Place]:
    """Places that `by` can give to others, organisations first; words: parts of their names."""
    organisations = select(Organisation).order_by(Organisation.name, Organisation.id).limit(limit)
    facilities = select(Facility).order_by(Facility.name, Facility.id).limit(limit)
    for word in words.split():
        organisations = organisations.where(_has(Organisation, word))
        facilities = facilities.where(_has(Facility, word))
    if not by.everywhere:
        mine = select(UserPlace.organisation_id).where(UserPlace.user_id == by.id)
        sites = select(UserPlace.facility_id).where(UserPlace.user_id == by.id)
        organisations = organisations.where(Organisation.id.in_(mine))
        facilities = facilities.where(or_(Facility.organisation_id.in_(mine), Facility.id.in_(sites)))
    found = [Place(ORGANISATION, row) for row in session.scalars(organisations)]
    return found + [Place(FACILITY, row) for row in session.scalars(facilities)]


def set_places(session: Session, user: User, everywhere: bool, places, by: User | None = None) -> None:
    """
    Say where a person's role holds, from their next click on.

    places  Places, from choose(); they do not matter if it holds everywhere
    Raises Refused: last_admin, scope_beyond (only who is everywhere can give everywhere).
    """
    user = session.get(User, user.id)
    if everywhere and by is not None and not by.everywhere:
        raise Refused("scope_beyond")
    if not everywhere:
        accounts.check_not_last_admin(session, user)
    user.everywhere = everywhere
    session.execute(UserPlace.__table__.delete().where(UserPlace.user_id == user.id))
    chosen = [] if everywhere else places
    for place in chosen:
        session.add(UserPlace(user_id=user.id, **{f"{place.kind}_id": place.row.id}))
    session.flush()
    body = {"everywhere": everywhere, "places": sorted(place.row.public_id for place in chosen)}
    log.add(session, "person.places", user.public_id, body, by)


def looks_after(session: Session, by: User, user: User) -> bool:
    """True if an administrator may see and change this person: all of the person's places are theirs too."""
    if by.everywhere:
        return True
    if user.everywhere:
        return False
    places = places_of(session, user)
    return bool(places) and all(_gives(session, by, place) for place in places)


def users(session: Session, by: User) -> list[User]:
    """The people whom an administrator looks after, by name; erased ones are left out."""
    wanted = select(User).where(User.erased_s.is_(None)).order_by(User.name, User.id)
    if by.everywhere:
        return list(session.scalars(wanted))
    mine = select(UserPlace.organisation_id).where(UserPlace.user_id == by.id)
    sites = select(UserPlace.facility_id).where(UserPlace.user_id == by.id)
    theirs = UserPlace.__table__.alias()
    covered = or_(
        theirs.c.organisation_id.in_(mine.where(UserPlace.organisation_id.is_not(None))),
        theirs.c.facility_id.in_(sites.where(UserPlace.facility_id.is_not(None))),
        theirs.c.facility_id.in_(select(Facility.id).where(Facility.organisation_id.in_(mine))),
    )
    every = select(func.count()).select_from(theirs).where(theirs.c.user_id == User.id).scalar_subquery()
    good = select(func.count()).select_from(theirs).where(theirs.c.user_id == User.id, covered).scalar_subquery()
    return list(session.scalars(wanted.where(User.everywhere.is_(False), every > 0, every == good)))


def person(session: Session, public_id: str, by: User) -> User:
    """Return a person whom `by` looks after. Raises NotFound."""
    found = accounts.user(session, public_id)
    if found.erased_s is not None or not looks_after(session, by, found):
        raise NotFound("person")
    return found


def gives(session: Session, by: User, everywhere: bool, places) -> bool:
    """True if a person could give somebody a role that holds everywhere, or at these Places, now."""
    if everywhere:
        return by.everywhere
    return all(_gives(session, by, place) for place in places)


def _gives(session, by, place):
    if by.everywhere:
        return True
    mine = select(UserPlace.id).where(UserPlace.user_id == by.id)
    if place.kind == ORGANISATION:
        return session.scalar(mine.where(UserPlace.organisation_id == place.row.id)) is not None
    here = or_(UserPlace.facility_id == place.row.id, UserPlace.organisation_id == place.row.organisation_id)
    return session.scalar(mine.where(here).limit(1)) is not None


def _has(table, word):
    return or_(table.name.icontains(word, autoescape=True), table.name_en.icontains(word, autoescape=True))
