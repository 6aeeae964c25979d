"""Organisations, facilities, restrooms, and a restroom's inspection log."""

from collections import namedtuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from server import clock, ids
from server.models.findings import OPEN, Finding
from server.models.inspections import Inspection, InspectionResult, InspectionSensor
from server.models.places import ExternalId, Facility, KnownEmitter, Organisation, Restroom
from server.services.errors import NotFound

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

RUNNING, NEVER, WITH_FINDINGS = "running", "never", "findings"


def list_restrooms(
    session: Session, search="", facility=None, block=None, state=None, limit=50, offset=0
) -> list[RestroomRow]:
    """
    Restrooms by facility and name.

    search    words that all occur in names, address or ids
    facility  a Facility, or None for all
    state     RUNNING, NEVER (inspected), WITH_FINDINGS (open), or None for all
    """
    wanted = _wanted(select(Restroom), search, facility, block, state).join(Facility)
    wanted = wanted.order_by(Facility.name, Restroom.name, Restroom.id).limit(limit).offset(offset)
    rooms = list(session.scalars(wanted.options(joinedload(Restroom.facility))))
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


def count_restrooms(session: Session, search="", facility=None, block=None, state=None) -> int:
    """How many restrooms list_restrooms() would give without a limit."""
    return session.scalar(_wanted(select(func.count(Restroom.id)), search, facility, block, state))


def facilities(session: Session) -> list[Facility]:
    """All facilities by name, their organisations loaded."""
    wanted = select(Facility).options(joinedload(Facility.organisation)).order_by(Facility.name, Facility.id)
    return list(session.scalars(wanted))


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


def add_restroom(session: Session, facility: Facility, name: str, external_ids=(), **fields) -> Restroom:
    """Add a restroom. external_ids are (source, value); `fields` are Restroom's columns."""
    added = Restroom(facility=facility, name=name, public_id=ids.new(), created_s=clock.now_s(), **fields)
    added.external_ids = [ExternalId(source=source, value=value) for source, value in external_ids]
    added.search = search_text(added)
    session.add(added)
    session.flush()
    return added


def search_text(room: Restroom) -> str:
    """What the list's search looks through for a restroom; set again when one of the parts changes."""
    parts = [room.name, room.name_en, room.address, room.floor, room.facility.name, room.facility.name_en]
    parts += [room.facility.address, room.public_id] + [known.value for known in room.external_ids]
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
    for word in search.lower().split()[:8]:
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
