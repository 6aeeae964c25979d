"""Organisations, facilities, restrooms, and a restroom's inspection log."""

from collections import namedtuple

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from server import clock, ids
from server.models.findings import OPEN, Finding
from server.models.inspections import Inspection, InspectionResult, InspectionSensor
from server.models.places import ExternalId, Facility, KnownEmitter, Organisation, Restroom
from server.services.audit import log as chain
from server.services.errors import NotFound
from server.services.people import access
from server.services.places import plans

# restroom       Restroom, its facility loaded
# facility       Facility
# open_findings  findings nobody has judged yet
# running        public id of the inspection that runs here, or None
# methods        what the newest result rests on: some of inspections.METHODS
RestroomRow = namedtuple("RestroomRow", ("restroom", "facility", "open_findings", "running", "methods"))

# inspection  Inspection
# people      names of who took part
# sensors     names of the sensors used
# findings    how many findings it has
# result      the InspectionResult that counts, None while it runs
# coverage    RF coverage as it was at the result, or None
LogRow = namedtuple("LogRow", ("inspection", "people", "sensors", "findings", "result", "coverage"))

MOST_FOUND = 1000  # a search that finds more is not counted to the end

RUNNING, NEVER, WITH_FINDINGS = "running", "never", "findings"


def list_restrooms(
    session: Session,
    search="",
    facility=None,
    block=None,
    state=None,
    limit=50,
    offset=0,
    user=None,
    after=None,
    before=None,
    only=None,
) -> list[RestroomRow]:
    """
    Restrooms by facility and name.

    search    words that all occur in names, address or ids
    facility  a Facility, or None for all
    state     RUNNING, NEVER (inspected), WITH_FINDINGS (open), or None for all
    user      who asks, None for the system itself
    only      row numbers that find() gave, instead of search and state
    after, before  a Restroom: only those behind or ahead of it. Unlike an offset, this costs the same on every page
    """
    wanted = access.within(_wanted(select(Restroom), search, facility, block, state), user, Restroom.facility_id)
    if only is not None:
        wanted = wanted.where(Restroom.id.in_(only))
    place = tuple_(Restroom.sort_key, Restroom.id)
    order = (Restroom.sort_key, Restroom.id)
    if after is not None:
        wanted = wanted.where(place > (after.sort_key, after.id))
    elif before is not None:
        wanted = wanted.where(place < (before.sort_key, before.id))
        order = (Restroom.sort_key.desc(), Restroom.id.desc())
    wanted = wanted.order_by(*order).limit(limit).offset(offset).options(joinedload(Restroom.facility))
    rooms = list(session.scalars(wanted))
    if before is not None:
        rooms.reverse()
    by_room = _open_findings(session, [room.id for room in rooms])
    methods = _methods(session, [room.last_inspection_id for room in rooms if room.last_inspection_id])
    running_ids = [room.running_inspection_id for room in rooms if room.running_inspection_id]
    running = {}
    if running_ids:
        rows = session.execute(select(Inspection.id, Inspection.public_id).where(Inspection.id.in_(running_ids)))
        running = dict(rows.all())
    return [
        RestroomRow(
            room,
            room.facility,
            by_room.get(room.id, 0),
            running.get(room.running_inspection_id),
            methods.get(room.last_inspection_id, []),
        )
        for room in rooms
    ]


def count_restrooms(session: Session, search="", facility=None, block=None, state=None, user=None) -> int:
    """How many restrooms list_restrooms() would give without a limit."""
    counted = _wanted(select(func.count(Restroom.id)), search, facility, block, state)
    return session.scalar(access.within(counted, user, Restroom.facility_id))


def find(session: Session, search, state=None, user=None) -> list[int] | None:
    """
    The row numbers of all restrooms that a search finds, in no order; None if there are more than MOST_FOUND.

    Words can stand anywhere in a text, so a search reads every restroom; doing it once gives the number and the page.
    """
    wanted = access.within(_wanted(select(Restroom.id), search, None, None, state), user, Restroom.facility_id)
    found = session.scalars(wanted.limit(MOST_FOUND + 1)).all()
    return found if len(found) <= MOST_FOUND else None


def restroom(session: Session, public_id: str) -> Restroom:
    """Return a restroom with its facility and organisation. Raises NotFound."""
    wanted = select(Restroom).where(Restroom.public_id == ids.clean(public_id))
    wanted = wanted.options(
        joinedload(Restroom.facility).joinedload(Facility.organisation), selectinload(Restroom.external_ids)
    )
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("restroom")
    return found


def log(session: Session, room: Restroom, limit: int = 50, before_id: int | None = None) -> list[LogRow]:
    """A restroom's inspections, newest first; before_id is the last row's inspection.id of the page before."""
    wanted = select(Inspection).where(Inspection.restroom_id == room.id)
    if before_id is not None:
        wanted = wanted.where(Inspection.id < before_id)
    wanted = wanted.order_by(Inspection.id.desc()).limit(limit)
    wanted = wanted.options(
        selectinload(Inspection.people),
        selectinload(Inspection.sensors).joinedload(InspectionSensor.sensor),
        selectinload(Inspection.results).joinedload(InspectionResult.by),
        joinedload(Inspection.started_by),
    )
    inspections = list(session.scalars(wanted))
    counts = select(Finding.inspection_id, func.count(Finding.id)).group_by(Finding.inspection_id)
    counts = counts.where(Finding.inspection_id.in_([one.id for one in inspections]))
    findings = dict(session.execute(counts).all())
    rows = []
    for one in inspections:
        result = one.results[-1] if one.results else None
        people = [person.name for person in one.people]
        sensors = [chosen.sensor.name for chosen in one.sensors]
        coverage = result.coverage if result else None
        rows.append(LogRow(one, people, sensors, findings.get(one.id, 0), result, coverage))
    return rows


def add_organisation(session: Session, name: str, name_en: str = "") -> Organisation:
    """Add an organisation."""
    added = Organisation(name=name, name_en=name_en, created_s=clock.now_s())
    session.add(added)
    session.flush()
    return added


def add_facility(session: Session, organisation: Organisation, name: str, name_en="", address="") -> Facility:
    """Add a facility to an organisation."""
    added = Facility(organisation=organisation, name=name, name_en=name_en, address=address, created_s=clock.now_s())
    session.add(added)
    session.flush()
    return added


def add_restroom(session: Session, facility: Facility, name: str, external_ids=(), by=None, **fields) -> Restroom:
    """Add a restroom. external_ids are (source, value); by: the person who does it; `fields` are Restroom's columns."""
    added = Restroom(facility=facility, name=name, public_id=ids.new(), created_s=clock.now_s(), **fields)
    added.external_ids = [ExternalId(source=source, value=value) for source, value in external_ids]
    added.search, added.sort_key = search_text(added), sort_key(facility.name, name)
    session.add(added)
    session.flush()
    plans.refresh(session, [added.id])
    if by is not None:  # an import has an entry of its own for all it adds
        chain.add(session, "restroom.added", added.public_id, {"facility": facility.public_id, "name": name}, by)
    return added


def sort_key(facility_name: str, room_name: str) -> str:
    """What lists sort by: buildings by name, then their rooms. In a column, so that an index can have it."""
    return f"{facility_name} / {room_name}".lower()[:420]


def search_text(room: Restroom, *more: str) -> str:
    """What the list's search looks through for a restroom; set again when one of the parts changes."""
    parts = [room.name, room.name_en, room.address, room.floor, room.facility.name, room.facility.name_en]
    parts += [room.facility.address, room.public_id] + [known.value for known in room.external_ids] + list(more)
    return " ".join(part for part in parts if part).lower()[:2000]


def known_addresses(session: Session, facility_id: int, now_s: int) -> list[str]:
    """Addresses of the emitters approved for a facility and not expired."""
    wanted = select(KnownEmitter.address).where(
        KnownEmitter.facility_id == facility_id,
        KnownEmitter.withdrawn_s.is_(None),
        (KnownEmitter.expires_s.is_(None)) | (KnownEmitter.expires_s > now_s),
    )
    return list(session.scalars(wanted.order_by(KnownEmitter.id.desc())))


def _wanted(query: Select, search, facility, block, state) -> Select:
    query = query.where(Restroom.retired_s.is_(None))
    # The longest word first: it fits least often, and the others are then not looked for.
    for word in sorted(search.lower().split()[:8], key=len, reverse=True):
        query = query.where(Restroom.search.contains(word, autoescape=True))
    if facility is not None:
        query = query.where(Restroom.facility_id == facility.id)
    if block:
        query = query.where(Restroom.block == block)
    if state == RUNNING:
        query = query.where(Restroom.running_inspection_id.is_not(None))
    elif state == NEVER:
        query = query.where(Restroom.last_inspected_s.is_(None))
    elif state == WITH_FINDINGS:
        query = query.where(Restroom.id.in_(select(Finding.restroom_id).where(Finding.status == OPEN)))
    return query


def _methods(session, inspection_ids):
    """{inspection id: methods of its newest result}."""
    if not inspection_ids:
        return {}
    results = select(InspectionResult.inspection_id, InspectionResult.methods)
    results = results.where(InspectionResult.inspection_id.in_(inspection_ids)).order_by(InspectionResult.id)
    return dict(session.execute(results).all())


def _open_findings(session, room_ids):
    counts = select(Finding.restroom_id, func.count(Finding.id)).group_by(Finding.restroom_id)
    counts = counts.where(Finding.status == OPEN, Finding.restroom_id.in_(room_ids))
    return dict(session.execute(counts).all())
