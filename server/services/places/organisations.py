"""Organisations: loading, listing, adding and renaming them."""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server import clock, ids
from server.models.places import Facility, Organisation, Restroom
from server.services.audit import log
from server.services.errors import NotFound
from server.services.people import access, accounts
from server.services.places import names


class OrganisationRow(NamedTuple):
    """An organisation with the number of its facilities and of its restrooms in use, as far as a user may see them."""

    organisation: Organisation
    facilities: int
    restrooms: int


def load(session: Session, user, public_id: str, right: str = accounts.SEE) -> Organisation:
    """
    Return an organisation. Raises NotFound.

    To see it, a user needs a place in it; every other right has to hold in the whole organisation.
    """
    organisation = session.scalar(select(Organisation).where(Organisation.public_id == ids.clean(public_id)))
    if organisation is None or not accounts.may(user, right):
        raise NotFound("organisation")
    if right == accounts.SEE:
        access.check_inside(session, user, organisation.id)
    else:
        access.check_organisation(session, user, right, organisation.id)
    return organisation


def list_organisations(session: Session, user, language: str = "") -> list[OrganisationRow]:
    """Return the organisations in which a user may see something, by the names of a language."""
    query = select(
        Facility.organisation_id,
        func.count(func.distinct(Facility.id)),
        func.count(Restroom.id),
    ).outerjoin(Restroom, (Restroom.facility_id == Facility.id) & Restroom.retired_s.is_(None))
    query = access.within(query, user, Facility.id).group_by(Facility.organisation_id)
    counts = {organisation_id: (facilities, rooms) for organisation_id, facilities, rooms in session.execute(query)}
    rows = _by_name(session.scalars(select(Organisation).where(Organisation.id.in_(counts))), language)
    return [OrganisationRow(organisation, *counts[organisation.id]) for organisation in rows]


def list_whole(session: Session, user, right: str, language: str = "") -> list[Organisation]:
    """Return the organisations in which a user has a right everywhere, by the names of a language."""
    if not accounts.may(user, right):
        return []
    query = select(Organisation)
    if not access.is_everywhere(user):
        query = query.where(Organisation.id.in_(access.whole_organisations(user)))
    return _by_name(session.scalars(query), language)


def _by_name(organisations: Iterable[Organisation], language: str) -> list[Organisation]:
    def key(organisation: Organisation) -> tuple:
        return names.natural_key(names.shown(organisation.name, organisation.name_en, language)), organisation.id

    return sorted(organisations, key=key)


def add(session: Session, name: str, name_en: str = "") -> Organisation:
    """Add an organisation."""
    organisation = Organisation(name=name, name_en=name_en, created_s=clock.now_s())
    session.add(organisation)
    session.flush()
    return organisation


def change(
    session: Session, user, organisation: Organisation, name: str, name_en: str, phone: str | None = None
) -> bool:
    """Change an organisation's names and its phone (None: unchanged); return whether anything changed."""
    phone = organisation.phone if phone is None else phone
    fields = ["name"] if (organisation.name, organisation.name_en) != (name, name_en) else []
    fields += ["phone"] if organisation.phone != phone else []
    if not fields:
        return False
    organisation.name, organisation.name_en, organisation.phone = name, name_en, phone
    session.flush()
    log.add(session, "organisation.changed", organisation.public_id, {"fields": fields}, user)
    return True
