"""Facilities (buildings and sites): loading, listing, adding and changing them."""

import json
from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import func, or_, select, tuple_
from sqlalchemy.orm import Session, joinedload

from server import clock, ids
from server.models.audit import LogEntry
from server.models.places import Facility, FacilitySource, Organisation, Restroom
from server.services import paging
from server.services.audit import log
from server.services.errors import NotFound
from server.services.people import access, accounts
from server.services.places import due_dates, names, organisations, periods_of_use, restrooms

MOST_RESTROOMS = 500  # restrooms of one facility that its page lists
MOVED = "facility.moved"  # kind of log entry
_MOST_WORDS = 8  # of a search


class Move(NamedTuple):
    """A facility's move to another organisation. former: the organisation it belonged to until then."""

    at_s: int
    former: Organisation | None


def load(session: Session, user, public_id: str, right: str = accounts.SEE) -> Facility:
    """Return a facility with its organisation. Raises NotFound, also where the user lacks the right."""
    query = select(Facility).where(Facility.public_id == ids.clean(public_id))
    facility = session.scalar(query.options(joinedload(Facility.organisation)))
    if facility is None or not access.may(session, user, right, facility.id):
        raise NotFound("facility")
    return facility


def list_facilities(
    session: Session,
    user,
    *,
    organisation: str = "",
    search: str = "",
    cursor: str | None = None,
    limit: int = 50,
    by_name: bool = False,
    language: str = "",
) -> paging.Page[Facility]:
    """
    Return facilities with their organisations: in the order in which they were added, or by name.

    language      whose names they are sorted by, names.ENGLISH or another
    organisation  public id of the organisation they belong to
    search        words that all occur in name, English name or address

    Raises BadCursor.
    """
    query = access.within(select(Facility).options(joinedload(Facility.organisation)), user, Facility.id)
    if organisation:
        owner = select(Organisation.id).where(Organisation.public_id == ids.clean(organisation))
        query = query.where(Facility.organisation_id.in_(owner))
    for word in search.lower().split()[:_MOST_WORDS]:
        texts = (Facility.name, Facility.name_en, Facility.address)
        query = query.where(or_(*(func.lower(text).contains(word, autoescape=True) for text in texts)))
    after_id = paging.decode(cursor)
    if not by_name:
        query = query.order_by(Facility.id)
        if after_id is not None:
            query = query.where(Facility.id > after_id)
    else:
        by = names.sort_column(Facility, language)
        query = query.order_by(by, Facility.id)
        if after_id is not None:
            row = access.within(select(by).where(Facility.id == after_id), user, Facility.id)
            sort_key = session.scalar(row)
            if sort_key is None:
                raise paging.BadCursor("cursor")
            query = query.where(tuple_(by, Facility.id) > (sort_key, after_id))
    return paging.cut(session.scalars(query.limit(limit + 1)).all(), limit)


def count_restrooms(session: Session, facilities: Sequence[Facility]) -> dict[int, int]:
    """Return {facility id: restrooms in use}; a facility without any is left out."""
    query = select(Restroom.facility_id, func.count(Restroom.id)).group_by(Restroom.facility_id)
    query = query.where(
        Restroom.facility_id.in_([facility.id for facility in facilities]), Restroom.retired_s.is_(None)
    )
    return dict(session.execute(query).all())


def list_restrooms(session: Session, facility: Facility, language: str = "") -> list[Restroom]:
    """Return the restrooms of a facility by the names of a language, the retired ones last; at most MOST_RESTROOMS."""
    by = names.sort_column(Restroom, language)
    query = select(Restroom).where(Restroom.facility_id == facility.id)
    query = query.order_by(Restroom.retired_s.is_not(None), by, Restroom.id)
    return list(session.scalars(query.limit(MOST_RESTROOMS)))


def list_sources(session: Session, facility: Facility) -> list[FacilitySource]:
    """Return the imported files' descriptions of a facility."""
    query = select(FacilitySource).where(FacilitySource.facility_id == facility.id)
    return list(session.scalars(query.order_by(FacilitySource.source, FacilitySource.id)))


def add(session: Session, organisation: Organisation, name: str, name_en: str = "", address: str = "") -> Facility:
    """Add a facility to an organisation."""
    facility = Facility(organisation=organisation, name=name, name_en=name_en, address=address, created_s=clock.now_s())
    facility.sort_key, facility.sort_key_en = names.sort_text(name), names.sort_text(name_en or name)
    session.add(facility)
    session.flush()
    return facility


def change(session: Session, user, facility: Facility, name: str, name_en: str, address: str) -> bool:
    """Change a facility's names and address; return whether anything changed."""
    fields = {"name": name, "name_en": name_en, "address": address}
    changed = sorted(field for field, value in fields.items() if getattr(facility, field) != value)
    if not changed:
        return False
    for field in changed:
        setattr(facility, field, fields[field])
    query = select(Restroom).where(Restroom.facility_id == facility.id).options(joinedload(Restroom.facility))
    restrooms.refresh_texts(session, facility, session.scalars(query).all())
    log.add(session, "facility.changed", facility.public_id, {"fields": changed}, user)
    return True


def move(session: Session, user, facility: Facility, organisation: Organisation) -> None:
    """
    Move a facility with its restrooms to another organisation; reports of the time before still count it there.

    The user needs accounts.ADMINISTER at both. A running inspection goes on.
    """
    if facility.organisation_id == organisation.id:
        return
    now_s, former = clock.now_s(), facility.organisation
    moved = session.scalars(select(Restroom).where(Restroom.facility_id == facility.id)).all()
    periods_of_use.move(session, moved, former.id, now_s)
    facility.organisation = organisation
    session.flush()
    due_dates.refresh(session, [restroom.id for restroom in moved])
    body = {"from": former.public_id, "to": organisation.public_id}
    log.add(session, MOVED, facility.public_id, body, user)


def list_moves(session: Session, facility: Facility) -> list[Move]:
    """Return the moves of a facility between organisations, newest first."""
    entries = session.scalars(
        select(LogEntry)
        .where(LogEntry.kind == MOVED, LogEntry.subject == facility.public_id)
        .order_by(LogEntry.n.desc())
    ).all()
    former = {json.loads(entry.body)["from"] for entry in entries}
    query = select(Organisation).where(Organisation.public_id.in_(former))
    owners = {organisation.public_id: organisation for organisation in session.scalars(query)}
    return [Move(entry.at_s, owners.get(json.loads(entry.body)["from"])) for entry in entries]


def add_own(session: Session, user, name: str, address: str = "") -> Facility:
    """Add a facility to the organisation of a user's first facility; without one, to a new organisation of its name."""
    first = list_facilities(session, user, limit=1, by_name=True).rows
    organisation = first[0].organisation if first else organisations.add(session, name)
    return add(session, organisation, name, address=address)
