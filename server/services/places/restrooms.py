"""
Restrooms: loading, listing, adding, changing and retiring them.

    restroom = restrooms.load(session, user, public_id, accounts.MANAGE)
    page = restrooms.list_restrooms(session, user, search="city hall", by_name=True)

Every change is recorded in the log; nothing here deletes a row.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from sqlalchemy import Select, func, select, tuple_
from sqlalchemy.orm import Session, joinedload, selectinload

from server import clock, ids
from server.models.findings import OPEN, Finding
from server.models.inspections import Inspection, InspectionResult
from server.models.places import ExternalId, Facility, FacilitySource, Restroom
from server.services import paging
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.people import access, accounts
from server.services.places import due_dates, names, periods_of_use

MOST_FOUND = 1000  # a search with more results is not counted to the end
_MOST_WORDS = 8  # of a search

RUNNING, NEVER, WITH_FINDINGS = STATES = ("running", "never", "findings")

FIELDS = (
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


class RestroomSummary(NamedTuple):
    """
    A row of the list of restrooms.

    open_findings  findings without a disposition
    running        public id of the running inspection, or None
    methods        methods of the newest result, some of models.places.METHODS
    """

    restroom: Restroom
    facility: Facility
    open_findings: int
    running: str | None
    methods: list[str]


def load(session: Session, user, public_id: str, right: str = accounts.SEE) -> Restroom:
    """
    Return a restroom with its facility, organisation and external ids.

    Raises NotFound, also where the user lacks the right.
    """
    query = select(Restroom).where(Restroom.public_id == ids.clean(public_id))
    query = query.options(
        joinedload(Restroom.facility).joinedload(Facility.organisation), selectinload(Restroom.external_ids)
    )
    restroom = session.scalar(query)
    if restroom is None or not access.may(session, user, right, restroom.facility_id):
        raise NotFound("restroom")
    return restroom


def list_restrooms(
    session: Session,
    user,
    *,
    search: str = "",
    facility: str = "",
    block: str = "",
    state: str = "",
    due_before_s: int | None = None,
    retired: bool = False,
    only: Collection[int] | None = None,
    cursor: str | None = None,
    limit: int = 50,
    by_name: bool = False,
    backwards: bool = False,
    language: str = "",
) -> paging.Page[Restroom]:
    """
    Return restrooms with their facilities and external ids: in the order of adding, or by facility and name.

    language   whose names they are sorted by, names.ENGLISH or another
    search     words that all occur in names, address or ids
    facility   public id
    block      one of models.places.BLOCKS, "" for all
    state      RUNNING, NEVER (inspected to the end), WITH_FINDINGS (open), "" for all
    retired    include retired restrooms
    only       row ids from find_ids(), instead of search and state
    backwards  the rows before the cursor instead of those after it; by name only

    Raises BadCursor. A cursor costs the same on every page, unlike an offset.
    """
    query = _filter(select(Restroom), search, block, state, retired)
    query = access.within(query, user, Restroom.facility_id)
    if facility:
        chosen = select(Facility.id).where(Facility.public_id == ids.clean(facility))
        query = query.where(Restroom.facility_id.in_(chosen))
    if due_before_s is not None:
        query = query.where(due_dates.is_due(due_before_s))
    if only is not None:
        query = query.where(Restroom.id.in_(only))
    cursor_id = paging.decode(cursor)
    if not by_name:
        query = query.order_by(Restroom.id)
        if cursor_id is not None:
            query = query.where(Restroom.id > cursor_id)
    else:
        by = names.sort_column(Restroom, language)
        position = tuple_(by, Restroom.id)
        if cursor_id is not None:
            row = access.within(select(by).where(Restroom.id == cursor_id), user, Restroom.facility_id)
            sort_key = session.scalar(row)
            if sort_key is None:
                raise paging.BadCursor("cursor")
            border = (sort_key, cursor_id)
            query = query.where(position < border if backwards else position > border)
        columns = by, Restroom.id
        query = query.order_by(*(column.desc() if backwards else column for column in columns))
    query = query.limit(limit + 1).options(joinedload(Restroom.facility), selectinload(Restroom.external_ids))
    page = paging.cut(session.scalars(query).all(), limit)
    if backwards:
        page.rows.reverse()
    return page


def count_restrooms(session: Session, user, *, search: str = "", block: str = "", state: str = "") -> int:
    """Return how many restrooms list_restrooms() has on all pages together."""
    query = _filter(select(func.count(Restroom.id)), search, block, state)
    return session.scalar(access.within(query, user, Restroom.facility_id)) or 0


def find_ids(session: Session, user, search: str, state: str = "") -> list[int] | None:
    """
    Return the row ids of all restrooms that a search finds, in no order; None if there are more than MOST_FOUND.

    Words can stand anywhere in a text, so a search reads every restroom; one search gives both count and page.
    """
    query = access.within(_filter(select(Restroom.id), search, "", state), user, Restroom.facility_id)
    found = session.scalars(query.limit(MOST_FOUND + 1)).all()
    return list(found) if len(found) <= MOST_FOUND else None


def summarise(session: Session, restrooms: Sequence[Restroom]) -> list[RestroomSummary]:
    """Return the restrooms, in their order, with open findings, running inspection and methods of the newest result."""
    open_findings = _count_open_findings(session, [restroom.id for restroom in restrooms])
    methods = _load_methods(session, [room.last_inspection_id for room in restrooms if room.last_inspection_id])
    running_ids = [room.running_inspection_id for room in restrooms if room.running_inspection_id]
    running = {}
    if running_ids:
        query = select(Inspection.id, Inspection.public_id).where(Inspection.id.in_(running_ids))
        running = dict(session.execute(query).all())
    return [
        RestroomSummary(
            restroom,
            restroom.facility,
            open_findings.get(restroom.id, 0),
            running.get(restroom.running_inspection_id or 0),
            methods.get(restroom.last_inspection_id or 0, []),
        )
        for restroom in restrooms
    ]


def add(
    session: Session, facility: Facility, name: str, external_ids: Iterable[tuple[str, str]] = (), by=None, **fields
) -> Restroom:
    """
    Add a restroom.

    external_ids  (source, value) pairs
    by            the user who adds it; None writes no log entry (an import writes one for all its restrooms)
    fields        columns of Restroom
    """
    restroom = Restroom(facility=facility, name=name, public_id=ids.new(), created_s=clock.now_s(), **fields)
    restroom.external_ids = [ExternalId(source=source, value=value) for source, value in external_ids]
    restroom.search = search_text(restroom)
    restroom.sort_key, restroom.sort_key_en = sort_keys(facility, restroom)
    session.add(restroom)
    session.flush()
    due_dates.refresh(session, [restroom.id])
    if by is not None:
        log.add(session, "restroom.added", restroom.public_id, {"facility": facility.public_id, "name": name}, by)
    return restroom


def change(session: Session, user, restroom: Restroom, **fields) -> list[str]:
    """Set some of FIELDS; return the names of those that changed."""
    changed = [name for name, value in fields.items() if getattr(restroom, name) != value]
    for name in changed:
        if name not in FIELDS:
            raise ValueError(f"{name} cannot be changed here")
        setattr(restroom, name, fields[name])
    if changed:
        refresh_texts(session, restroom.facility, [restroom])
        log.add(session, "restroom.changed", restroom.public_id, {"fields": sorted(changed)}, user)
    return changed


def set_external_ids(session: Session, user, restroom: Restroom, pairs: Iterable[tuple[str, str]]) -> bool:
    """
    Replace the restroom's external ids by these (source, value) pairs; return whether anything changed.

    Raises Refused: external_id_taken(source, value).
    """
    pairs = {(source.strip()[:32], value.strip()[:100]) for source, value in pairs}
    present = {(row.source, row.value): row for row in restroom.external_ids}
    if pairs == set(present):
        return False
    for source, value in pairs - set(present):
        query = select(ExternalId).where(ExternalId.source == source, ExternalId.value == value)
        if session.scalar(query) is not None:
            raise Refused("external_id_taken", source=source, value=value)
        session.add(ExternalId(restroom_id=restroom.id, source=source, value=value))
    for pair in set(present) - pairs:
        session.delete(present[pair])
    session.flush()
    session.expire(restroom, ["external_ids"])
    refresh_texts(session, restroom.facility, [restroom])
    log.add(session, "restroom.changed", restroom.public_id, {"fields": ["external_ids"]}, user)
    return True


def retire(session: Session, user, restroom: Restroom, reason: str) -> None:
    """
    Take a restroom out of use: it leaves lists and plans; its records and its public id stay.

    Raises Refused: reason_needed, already_running (an inspection).
    """
    if not reason.strip():
        raise Refused("reason_needed")
    if restroom.running_inspection_id is not None:
        raise Refused("already_running")
    if restroom.retired_s is None:
        restroom.retired_s = clock.now_s()
        session.flush()
        due_dates.refresh(session, [restroom.id])
        log.add(session, "restroom.retired", restroom.public_id, {}, user, {"reason": reason.strip()[:2000]})


def restore(session: Session, user, restroom: Restroom) -> None:
    """Put a retired restroom back into use."""
    if restroom.retired_s is not None:
        periods_of_use.begin_again(session, [restroom], clock.now_s())
        session.flush()
        due_dates.refresh(session, [restroom.id])
        log.add(session, "restroom.back", restroom.public_id, {}, user)


def sort_keys(facility: Facility, restroom: Restroom) -> tuple[str, str]:
    """Return (sort_key, sort_key_en): facilities by name, then their restrooms. Columns, for their indexes."""
    english = (place.name_en or place.name for place in (facility, restroom))
    return names.sort_text(facility.name, restroom.name), names.sort_text(*english)


def search_text(restroom: Restroom, *more: str) -> str:
    """Return the text that the list's search looks through; set again when one of its parts changes."""
    facility = restroom.facility
    parts = [restroom.name, restroom.name_en, restroom.address, restroom.floor, facility.name, facility.name_en]
    parts += [facility.address, restroom.public_id, *(row.value for row in restroom.external_ids), *more]
    return " ".join(part for part in parts if part).lower()[:2000]


def refresh_texts(session: Session, facility: Facility, restrooms: Iterable[Restroom]) -> None:
    """Set the columns that repeat names and addresses: `search` and the sort keys, of the facility, too."""
    facility.sort_key, facility.sort_key_en = (
        names.sort_text(name) for name in (facility.name, facility.name_en or facility.name)
    )
    query = select(FacilitySource).where(FacilitySource.facility_id == facility.id)
    sources = {source.id: source for source in session.scalars(query)}
    for restroom in restrooms:
        source = sources.get(restroom.source_id or 0)
        more = (source.said.get("lot_address", ""), source.key) if source else ()
        restroom.search = search_text(restroom, *more)
        restroom.sort_key, restroom.sort_key_en = sort_keys(facility, restroom)
    session.flush()


def _filter(query: Select, search: str, block: str, state: str, retired: bool = False) -> Select:
    if not retired:
        query = query.where(Restroom.retired_s.is_(None))
    # The longest word first: it fits least often, and the others are then not searched for.
    for word in sorted(search.lower().split()[:_MOST_WORDS], key=len, reverse=True):
        query = query.where(Restroom.search.contains(word, autoescape=True))
    if block:
        query = query.where(Restroom.block == block)
    if state == RUNNING:
        query = query.where(Restroom.running_inspection_id.is_not(None))
    elif state == NEVER:
        query = query.where(
            *(column.is_(None) for column in (Restroom.eye_done_s, Restroom.rf_done_s, Restroom.lens_done_s))
        )
    elif state == WITH_FINDINGS:
        query = query.where(Restroom.id.in_(select(Finding.restroom_id).where(Finding.status == OPEN)))
    return query


def _load_methods(session, inspection_ids):
    """Return {inspection id: methods of its newest result}."""
    if not inspection_ids:
        return {}
    query = select(InspectionResult.inspection_id, InspectionResult.methods)
    query = query.where(InspectionResult.inspection_id.in_(inspection_ids)).order_by(InspectionResult.id)
    return dict(session.execute(query).all())


def _count_open_findings(session, restroom_ids):
    query = select(Finding.restroom_id, func.count(Finding.id)).group_by(Finding.restroom_id)
    query = query.where(Finding.status == OPEN, Finding.restroom_id.in_(restroom_ids))
    return dict(session.execute(query).all())
