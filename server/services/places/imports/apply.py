"""What looking at a file found, into the database. The file is read a second time, so that memory holds neither."""

from sqlalchemy import insert, select, update

from server import clock, ids
from server.models.places import (
    ACCESSIBLE,
    FAMILY,
    MEN,
    UNISEX,
    WOMEN,
    Facility,
    FacilitySource,
    Organisation,
    Restroom,
    RestroomImport,
)
from server.services.audit import log
from server.services.errors import Refused
from server.services.places import organisations, plans, restrooms
from server.services.places.imports import layouts, preview

BATCH = 1000  # rows a transaction: ingest must get its turn while a country is imported
ROOM_NAMES = {
    WOMEN: ("여자화장실", "Women's"),
    MEN: ("남자화장실", "Men's"),
    ACCESSIBLE: ("장애인화장실", "Accessible"),
    FAMILY: ("가족화장실", "Family"),
    UNISEX: ("화장실", "Restroom"),
}


def apply(sessions, path, looked, user, progress=None, prepared: RestroomImport | None = None) -> RestroomImport:
    """
    Write what look() found; return the record of it.

    It takes the session factory, because it commits by batches. Stopped half-way it has done a part; looking and
    applying again does the rest. `prepared` is the upload's record, if there is one.
    Raises Refused: import_stopped (something stands against it), import_file_changed (since it was looked at).
    """
    if looked.stops:
        raise Refused("import_stopped")
    if preview._sha256(path) != looked.sha256:
        raise Refused("import_file_changed")
    batch = []
    for row, place, _ in preview.places(path, looked.layout, looked.columns, progress):
        action = looked.actions.get(row.line) if place else None
        if action:
            batch.append((*action, place))
        if len(batch) == BATCH:
            _write(sessions, looked, batch)
            batch = []
    _write(sessions, looked, batch)
    for start in range(0, len(looked.gone), BATCH):
        with sessions.begin() as session:
            _retire(session, looked.gone[start : start + BATCH])
    with sessions.begin() as session:
        return _record(session, path, looked, user, prepared)


def _write(sessions, looked, batch):
    if not batch:
        return
    with sessions.begin() as session:
        owners = _organisations(session, {looked.owner(place) for *_, place in batch})
        intervals = plans.Intervals(session)
        new = [(key, place) for kind, key, _, place in batch if kind == preview.NEW]
        _add(session, looked, new, owners, intervals)
        _change(session, {source: (key, place) for kind, key, source, place in batch if kind != preview.NEW}, intervals)


def _organisations(session, names):
    """{name: Organisation.id}, added where they are missing."""
    known = dict(session.execute(select(Organisation.name, Organisation.id).where(Organisation.name.in_(names))).all())
    for name in sorted(names - set(known)):
        known[name] = organisations.add(session, name).id
    return known


def _add(session, looked, new, owners, intervals):
    keys = [key for key, _ in new]
    there = select(FacilitySource.key).where(FacilitySource.source == looked.source, FacilitySource.key.in_(keys))
    taken = set(session.scalars(there))  # by an import that ran at the same time
    new = [(key, place) for key, place in new if key not in taken]
    if not new:
        return
    now_s = clock.now_s()
    facilities = [
        {
            "public_id": ids.new(),
            "organisation_id": owners[looked.owner(place)],
            "name": place.name,
            "address": place.address or place.lot_address,
            "created_s": now_s,
        }
        for _, place in new
    ]
    adding = insert(Facility).returning(Facility.id, sort_by_parameter_order=True)
    facility_ids = session.scalars(adding, facilities).all()
    sources = [
        {
            "facility_id": facility_id,
            "source": looked.source,
            "key": key,
            "digest": layouts.digest(place),
            "match": layouts.match(place),
            "said": layouts.said(place),
            "seen_s": now_s,
        }
        for facility_id, (key, place) in zip(facility_ids, new, strict=True)
    ]
    adding = insert(FacilitySource).returning(FacilitySource.id, sort_by_parameter_order=True)
    source_ids = session.scalars(adding, sources).all()
    rooms = []
    for facility, facility_id, source_id, (key, place) in zip(facilities, facility_ids, source_ids, new, strict=True):
        due_s, method = intervals.first_due(facility["organisation_id"], now_s)
        for block, stalls in _rooms(place.rooms):
            room = _room(place, key, block, stalls)
            room.update(facility_id=facility_id, source_id=source_id, created_s=now_s, due_s=due_s, due_method=method)
            rooms.append(room)
    session.execute(insert(Restroom), rooms)


def _rooms(rooms):
    """The rooms of a place; one room for all where the file does not say."""
    return [tuple(room) for room in rooms] or [(UNISEX, 0)]


def _room(place, key, block, stalls):
    name, name_en = ROOM_NAMES[block]
    public_id = ids.new()
    parts = (name, name_en, place.name, place.address, place.lot_address, public_id, key)
    return {
        "public_id": public_id,
        "name": name,
        "name_en": name_en,
        "block": block,
        "stalls": stalls,
        "latitude": place.latitude,
        "longitude": place.longitude,
        "opening_hours": place.opening_hours,
        "access_notes": place.access_notes,
        "owner": place.owner,
        "search": " ".join(part for part in parts if part).lower()[:2000],
        "sort_key": restrooms.sort_key(place.name, name),
    }


def _change(session, changed, intervals):
    """Take over what a file says differently from last time, and nothing else."""
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
        said = layouts.said(place)
        differs = {one["field"] for one in layouts.differences(source.said, place)}
        if "name" in differs:
            facility.name = place.name
        if differs & {"address", "lot_address"}:
            facility.address = place.address or place.lot_address
        for field in differs & {"opening_hours", "access_notes", "owner", "latitude", "longitude"}:
            for room in rooms:
                setattr(room, field, said[field])
        back = source.gone_s is not None
        if "rooms" in differs or back:
            rooms += _change_rooms(session, source, rooms, place, key, now_s, back)
        for room in rooms:
            room.search = restrooms.search_text(room, place.lot_address, key)
            room.sort_key = restrooms.sort_key(facility.name, room.name)
        touched += rooms
        source.key, source.digest, source.match = key, layouts.digest(place), layouts.match(place)
        source.said, source.seen_s, source.gone_s = said, now_s, None
    session.flush()
    plans.refresh(session, [room.id for room in touched], intervals)


def _change_rooms(session, source, rooms, place, key, now_s, back):
    """Retire the rooms that are no longer said to be there, add the new ones; return those."""
    before = {} if back else dict(_rooms(source.said.get("rooms", ())))
    after = dict(_rooms(place.rooms))
    there = {room.block: room for room in rooms}
    added = []
    for block in before.keys() - after.keys():
        if block in there:
            there[block].retired_s = now_s
    for block, stalls in after.items():
        if before.get(block) == stalls:
            continue
        if block in there:
            there[block].stalls, there[block].retired_s = stalls, None
        else:
            fields = _room(place, key, block, stalls)
            room = Restroom(facility_id=source.facility_id, source_id=source.id, created_s=now_s, **fields)
            session.add(room)
            added.append(room)
    session.flush()
    return added


def _retire(session, source_ids):
    now_s = clock.now_s()
    session.execute(update(FacilitySource).where(FacilitySource.id.in_(source_ids)).values(gone_s=now_s))
    of_them = Restroom.source_id.in_(source_ids) & Restroom.retired_s.is_(None)
    session.execute(update(Restroom).where(of_them).values(retired_s=now_s, due_s=None, due_method=None))


def _record(session, path, looked, user, prepared):
    now_s = clock.now_s()
    record = session.merge(prepared) if prepared else RestroomImport(file_name=path.name[:200], made_s=now_s)
    record.sha256, record.applied_s, record.by_id = looked.sha256, now_s, user.id if user else None
    read_as = {"source": looked.source, "layout": looked.layout, "fields": sorted(looked.columns)}
    record.options = {**vars(looked.options), **read_as}
    record.counts = dict(looked.counts)
    session.add(record)
    session.flush()
    body = {"sha256": looked.sha256, "source": looked.source, "layout": looked.layout, "counts": record.counts}
    log.add(session, "restrooms.imported", record.public_id, body, user)
    return record
