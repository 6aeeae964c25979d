"""Changing what is known of places. Each change is told to the log; nothing here deletes anything."""

from collections import namedtuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from server import clock, ids
from server.models.people import UserPlace
from server.models.places import ExternalId, Facility, FacilitySource, Organisation, Restroom
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import access
from server.services.places import plans, restrooms

ROOM_FIELDS = (
    "name",
    "name_en",
    "block",
    "stalls",
    "floor",
    "address",
    "latitude",
    "longitude",
    "opening_hours",
    "access_notes",
    "owner",
)

# An organisation with the number of its facilities and of their restrooms that are in use.
OrganisationRow = namedtuple("OrganisationRow", ("organisation", "facilities", "restrooms"))
# A facility with the number of its restrooms in use.
FacilityRow = namedtuple("FacilityRow", ("facility", "restrooms"))


def change_restroom(session: Session, user, room: Restroom, **fields) -> list[str]:
    """Set some of ROOM_FIELDS; return the names of those that are different now."""
    changed = [name for name, value in fields.items() if getattr(room, name) != value]
    for name in changed:
        if name not in ROOM_FIELDS:
            raise ValueError(f"{name} is not changed here")
        setattr(room, name, fields[name])
    if changed:
        _settle(session, room.facility, [room])
        log.add(session, "restroom.changed", room.public_id, {"fields": sorted(changed)}, user)
    return changed


def set_external_ids(session: Session, user, room: Restroom, wanted) -> bool:
    """
    Make (source, value) pairs the restroom's external ids; return whether that changed anything.

    Raises Refused: external_id_taken(source, value).
    """
    wanted = {(source.strip()[:32], value.strip()[:100]) for source, value in wanted}
    there = {(known.source, known.value): known for known in room.external_ids}
    if wanted == set(there):
        return False
    for pair in wanted - set(there):
        owner = session.scalar(select(ExternalId).where(ExternalId.source == pair[0], ExternalId.value == pair[1]))
        if owner is not None:
            raise Refused("external_id_taken", source=pair[0], value=pair[1])
        session.add(ExternalId(restroom_id=room.id, source=pair[0], value=pair[1]))
    for pair in set(there) - wanted:
        session.delete(there[pair])
    session.flush()
    session.expire(room, ["external_ids"])
    _settle(session, room.facility, [room])
    log.add(session, "restroom.changed", room.public_id, {"fields": ["external_ids"]}, user)
    return True


def retire(session: Session, user, room: Restroom, reason: str) -> None:
    """
    A restroom that no longer is one: it leaves lists and plans, its log and its public id stay.

    Raises Refused: reason_needed, already_running (an inspection).
    """
    if not reason.strip():
        raise Refused("reason_needed")
    if room.running_inspection_id is not None:
        raise Refused("already_running")
    if room.retired_s is None:
        room.retired_s = clock.now_s()
        session.flush()
        plans.refresh(session, [room.id])
        log.add(session, "restroom.retired", room.public_id, {}, user, {"reason": reason.strip()[:2000]})


def bring_back(session: Session, user, room: Restroom) -> None:
    """A retired restroom is in use again."""
    if room.retired_s is not None:
        room.retired_s = None
        session.flush()
        plans.refresh(session, [room.id])
        log.add(session, "restroom.back", room.public_id, {}, user)


def change_facility(session: Session, user, facility: Facility, name: str, name_en: str, address: str) -> bool:
    """Rename or readdress a facility; return whether anything changed."""
    fields = {"name": name, "name_en": name_en, "address": address}
    changed = sorted(field for field, value in fields.items() if getattr(facility, field) != value)
    if not changed:
        return False
    for field in changed:
        setattr(facility, field, fields[field])
    rooms = select(Restroom).where(Restroom.facility_id == facility.id)
    _settle(session, facility, session.scalars(rooms.options(joinedload(Restroom.facility))).all())
    log.add(session, "facility.changed", facility.public_id, {"fields": changed}, user)
    return True


def change_organisation(session: Session, user, organisation: Organisation, name: str, name_en: str) -> bool:
    """Rename an organisation; return whether anything changed."""
    if (organisation.name, organisation.name_en) == (name, name_en):
        return False
    organisation.name, organisation.name_en = name, name_en
    session.flush()
    log.add(session, "organisation.changed", organisation.public_id, {"fields": ["name"]}, user)
    return True


def facility(session: Session, public_id: str) -> Facility:
    """Return a facility with its organisation. Raises NotFound."""
    wanted = select(Facility).where(Facility.public_id == ids.clean(public_id))
    found = session.scalar(wanted.options(joinedload(Facility.organisation)))
    if found is None:
        raise NotFound("facility")
    return found


def organisation(session: Session, public_id: str) -> Organisation:
    """Return an organisation. Raises NotFound."""
    found = session.scalar(select(Organisation).where(Organisation.public_id == ids.clean(public_id)))
    if found is None:
        raise NotFound("organisation")
    return found


def speaks_for(session: Session, user, organisation_id: int | None) -> bool:
    """True if a person's role holds in the whole organisation; None: everywhere. `user` None is the system itself."""
    if user is None or getattr(user, "everywhere", False):
        return True
    of_them = select(UserPlace.id).where(UserPlace.user_id == user.id, UserPlace.organisation_id == organisation_id)
    return organisation_id is not None and session.scalar(of_them.limit(1)) is not None


def organisations(session: Session, user) -> list[OrganisationRow]:
    """The organisations this person may see something of, by name."""
    wanted = select(
        Facility.organisation_id,
        func.count(func.distinct(Facility.id)),
        func.count(Restroom.id),
    ).outerjoin(Restroom, (Restroom.facility_id == Facility.id) & Restroom.retired_s.is_(None))
    counts = access.within(wanted, user, Facility.id).group_by(Facility.organisation_id)
    counts = {row[0]: row[1:] for row in session.execute(counts)}
    found = session.scalars(select(Organisation).where(Organisation.id.in_(counts)).order_by(Organisation.name))
    return [OrganisationRow(one, *counts[one.id]) for one in found]


def facilities(session: Session, user, organisation=None, search="", after=None, limit=50) -> list[FacilityRow]:
    """Facilities by name; after  the last Facility of the page before."""
    wanted = access.within(select(Facility), user, Facility.id)
    if organisation is not None:
        wanted = wanted.where(Facility.organisation_id == organisation.id)
    for word in search.lower().split()[:5]:
        wanted = wanted.where(func.lower(Facility.name + " " + Facility.address).contains(word, autoescape=True))
    if after is not None:
        further = (Facility.name > after.name) | ((Facility.name == after.name) & (Facility.id > after.id))
        wanted = wanted.where(further)
    found = session.scalars(wanted.order_by(Facility.name, Facility.id).limit(limit)).all()
    counts = select(Restroom.facility_id, func.count(Restroom.id)).group_by(Restroom.facility_id)
    counts = counts.where(Restroom.facility_id.in_([one.id for one in found]), Restroom.retired_s.is_(None))
    counts = dict(session.execute(counts).all())
    return [FacilityRow(one, counts.get(one.id, 0)) for one in found]


def rooms_of(session: Session, one: Facility) -> list[Restroom]:
    """A facility's restrooms, also the retired ones, which come last."""
    wanted = select(Restroom).where(Restroom.facility_id == one.id)
    return list(
        session.scalars(wanted.order_by(Restroom.retired_s.is_not(None), Restroom.name, Restroom.id).limit(500))
    )


def sources_of(session: Session, one: Facility) -> list[FacilitySource]:
    """The files that describe a facility."""
    wanted = select(FacilitySource).where(FacilitySource.facility_id == one.id)
    return list(session.scalars(wanted.order_by(FacilitySource.source, FacilitySource.id)))


def _settle(session, facility, rooms):
    """What repeats names follows them."""
    sources = {source.id: source for source in sources_of(session, facility)}
    for room in rooms:
        source = sources.get(room.source_id)
        more = (source.said.get("lot_address", ""), source.key) if source else ()
        room.search = restrooms.search_text(room, *more)
        room.sort_key = restrooms.sort_key(facility.name, room.name)
    session.flush()
