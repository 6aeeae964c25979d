"""Apply a preview to the database. The file is read a second time, so that it is never in memory as a whole."""

from collections.abc import Callable
from pathlib import Path

from sqlalchemy import insert, select, update

from server import clock, ids
from server.db import Sessions
from server.models.places import (
    ACCESSIBLE,
    FAMILY,
    MEN,
    UNISEX,
    UNKNOWN,
    WOMEN,
    Facility,
    FacilitySource,
    Organisation,
    Restroom,
    RestroomImport,
)
from server.services.audit import edit_conflicts, log
from server.services.errors import Refused
from server.services.places import due_dates, names, organisations, periods_of_use, restrooms
from server.services.places.imports import layouts
from server.services.places.imports.fixtures import ACCESSIBLE_MEN, ACCESSIBLE_WOMEN
from server.services.places.imports.preview import NEW, Preview, file_sha256, read_places

BATCH = 1000  # rows per transaction, so that ingest is not blocked while a country is imported
ROOM_NAMES = {
    WOMEN: ("여자화장실", "Women's"),
    MEN: ("남자화장실", "Men's"),
    ACCESSIBLE: ("장애인화장실", "Accessible"),
    FAMILY: ("가족화장실", "Family"),
    UNISEX: ("화장실", "Restroom"),
    UNKNOWN: ("화장실", "Restroom"),
    ACCESSIBLE_WOMEN: ("장애인화장실(여)", "Accessible, women's"),
    ACCESSIBLE_MEN: ("장애인화장실(남)", "Accessible, men's"),
}


def apply(
    sessions: Sessions,
    path: Path,
    preview: Preview,
    user,
    progress: Callable[[int], object] | None = None,
    prepared: RestroomImport | None = None,
) -> RestroomImport:
    """
    Write the changes of a preview; return the record of the import.

    sessions  the session factory: every batch is committed. After an interruption, preview and apply do the rest
    prepared  the record of the upload, if there is one

    Raises Refused: import_stopped (see Preview.stops), import_file_changed (since the preview); ChangedMeanwhile if a
    person has changed places since the preview.
    """
    if preview.stops:
        raise Refused("import_stopped")
    if file_sha256(path) != preview.sha256:
        raise Refused("import_file_changed")
    with sessions() as session:
        edit_conflicts.check_families(session, ("restroom.", "restrooms.", "facility.", "organisation."))
    batch = []
    for row, place, _ in read_places(path, preview.layout, preview.columns, progress):
        action = preview.actions.get(row.line) if place else None
        if action:
            batch.append((*action, place))
        if len(batch) == BATCH:
            _write(sessions, preview, batch)
            batch = []
    _write(sessions, preview, batch)
    for start in range(0, len(preview.vanished), BATCH):
        with sessions.begin() as session:
            _retire(session, preview.vanished[start : start + BATCH])
    with sessions.begin() as session:
        return _record(session, path, preview, user, prepared)


def _write(sessions, preview, batch):
    if not batch:
        return
    with sessions.begin() as session:
        owners = _organisations(session, {preview.owner(place) for *_, place in batch})
        intervals = due_dates.Intervals(session)
        new = [(key, place) for kind, key, _, place in batch if kind == NEW]
        _add(session, preview, new, owners, intervals)
        _change(session, {source: (key, place) for kind, key, source, place in batch if kind != NEW}, intervals)


def _organisations(session, names):
    """Return {name: Organisation.id}; missing ones are added."""
    known = dict(session.execute(select(Organisation.name, Organisation.id).where(Organisation.name.in_(names))).all())
    for name in sorted(names - set(known)):
        known[name] = organisations.add(session, name).id
    return known


def _add(session, preview, new, owners, intervals):
    keys = [key for key, _ in new]
    query = select(FacilitySource.key).where(FacilitySource.source == preview.source, FacilitySource.key.in_(keys))
    taken = set(session.scalars(query))  # by an import at the same time
    new = [(key, place) for key, place in new if key not in taken]
    if not new:
        return
    now_s = clock.now_s()
    facilities = [
        {
            "public_id": ids.new(),
            "organisation_id": owners[preview.owner(place)],
            "name": place.name,
            "address": place.address or place.lot_address,
            "sort_key": names.sort_text(place.name),
            "sort_key_en": names.sort_text(place.name),
            "created_s": now_s,
        }
        for _, place in new
    ]
    adding = insert(Facility).returning(Facility.id, sort_by_parameter_order=True)
    facility_ids = session.scalars(adding, facilities).all()
    sources = [
        {
            "facility_id": facility_id,
            "source": preview.source,
            "key": key,
            "digest": layouts.digest(place),
            "match": layouts.match(place),
            "said": layouts.values_of(place),
            "seen_s": now_s,
        }
        for facility_id, (key, place) in zip(facility_ids, new, strict=True)
    ]
    adding = insert(FacilitySource).returning(FacilitySource.id, sort_by_parameter_order=True)
    source_ids = session.scalars(adding, sources).all()
    rooms = []
    for facility, facility_id, source_id, (key, place) in zip(facilities, facility_ids, source_ids, new, strict=True):
        due_s, method = intervals.first_due(facility["organisation_id"], facility_id, now_s)
        for kind, stalls in _rooms(place.rooms):
            room = _room(place, key, kind, stalls)
            room.update(facility_id=facility_id, source_id=source_id, created_s=now_s, due_s=due_s, due_method=method)
            rooms.append(room)
    session.execute(insert(Restroom), rooms)


def _rooms(rooms):
    """Return the rooms of a place; one whose users are unknown if the file does not say."""
    return [tuple(room) for room in rooms] or [(UNKNOWN, 0)]


def _block(kind):
    return ACCESSIBLE if kind in (ACCESSIBLE_WOMEN, ACCESSIBLE_MEN) else kind


def _kind(room):
    """Return the kind of a room in a file, by its block and, for accessible rooms, by the name that it was given."""
    named = (kind for kind in (ACCESSIBLE_WOMEN, ACCESSIBLE_MEN) if ROOM_NAMES[kind][0] == room.name)
    return next(named, ACCESSIBLE) if room.block == ACCESSIBLE else room.block


def _room(place, key, kind, stalls):
    name, name_en = ROOM_NAMES[kind]
    public_id = ids.new()
    parts = (name, name_en, place.name, place.address, place.lot_address, public_id, key)
    return {
        "public_id": public_id,
        "name": name,
        "name_en": name_en,
        "block": _block(kind),
        "stalls": stalls,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "opening_hours": place.opening_hours,
        "access_notes": place.access_notes,
        "owner": place.owner,
        "search": " ".join(part for part in parts if part).lower()[:2000],
        "sort_key": names.sort_text(place.name, name),
        "sort_key_en": names.sort_text(place.name, name_en or name),
    }


def _change(session, changed, intervals):
    """Write the values that differ from the last import, and nothing else."""
    if not changed:
        return
    now_s = clock.now_s()
    sources = session.scalars(select(FacilitySource).where(FacilitySource.id.in_(changed))).all()
    facilities = select(Facility).where(Facility.id.in_({source.facility_id for source in sources}))
    facilities = {facility.id: facility for facility in session.scalars(facilities)}
    of_source = {source.id: [] for source in sources}
    for room in session.scalars(select(Restroom).where(Restroom.source_id.in_(changed))):
        of_source[room.source_id].append(room)
    touched = []
    for source in sources:
        key, place = changed[source.id]
        facility, rooms = facilities[source.facility_id], of_source[source.id]
        values = layouts.values_of(place)
        differs = {difference["field"] for difference in layouts.differences(source.said, place)}
        if "name" in differs:
            facility.name = place.name
            facility.sort_key = names.sort_text(place.name)
            facility.sort_key_en = names.sort_text(facility.name_en or place.name)
        if differs & {"address", "lot_address"}:
            facility.address = place.address or place.lot_address
        for field in differs & {"opening_hours", "access_notes", "owner", "latitude", "longitude"}:
            for room in rooms:
                setattr(room, field, values[field])
        back = source.gone_s is not None
        if "rooms" in differs or back:
            rooms += _change_rooms(session, source, rooms, place, key, now_s, back)
        for room in rooms:
            room.search = restrooms.search_text(room, place.lot_address, key)
            room.sort_key, room.sort_key_en = restrooms.sort_keys(facility, room)
        touched += rooms
        source.key, source.digest, source.match = key, layouts.digest(place), layouts.match(place)
        source.said, source.seen_s, source.gone_s = values, now_s, None
    session.flush()
    due_dates.refresh(session, [room.id for room in touched], intervals)


def _change_rooms(session, source, rooms, place, key, now_s, back):
    """Retire the rooms that the file does not contain any more, add the new ones; return those."""
    before = {} if back else dict(_rooms(source.said.get("rooms", ())))
    after = dict(_rooms(place.rooms))
    by_kind = {_kind(room): room for room in rooms}
    added = []
    for kind in before.keys() - after.keys():
        if kind in by_kind:
            by_kind[kind].retired_s = now_s
    for kind, stalls in after.items():
        if before.get(kind) == stalls:
            continue
        if kind in by_kind:
            by_kind[kind].stalls = stalls
            periods_of_use.begin_again(session, [by_kind[kind]], now_s)
        else:
            fields = _room(place, key, kind, stalls)
            room = Restroom(facility_id=source.facility_id, source_id=source.id, created_s=now_s, **fields)
            session.add(room)
            added.append(room)
    session.flush()
    return added


def _retire(session, source_ids):
    now_s = clock.now_s()
    session.execute(update(FacilitySource).where(FacilitySource.id.in_(source_ids)).values(gone_s=now_s))
    of_sources = Restroom.source_id.in_(source_ids) & Restroom.retired_s.is_(None)
    session.execute(update(Restroom).where(of_sources).values(retired_s=now_s, due_s=None, due_method=None))


def _record(session, path, preview, user, prepared):
    now_s = clock.now_s()
    record = session.merge(prepared) if prepared else RestroomImport(file_name=path.name[:200], made_s=now_s)
    record.sha256, record.applied_s, record.by_id = preview.sha256, now_s, user.id if user else None
    result = {"source": preview.source, "layout": preview.layout, "fields": sorted(preview.columns)}
    record.options = {**vars(preview.options), **result}
    record.counts = dict(preview.counts)
    session.add(record)
    session.flush()
    body = {"sha256": preview.sha256, "source": preview.source, "layout": preview.layout, "counts": record.counts}
    log.add(session, "restrooms.imported", record.public_id, body, user)
    return record
