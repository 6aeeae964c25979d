"""A file against what is there: what would be new, changed or vanish, and what a person should look at first."""

import dataclasses
import hashlib
import math
from collections import Counter, defaultdict, namedtuple
from pathlib import Path
from statistics import median

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.places import Facility, FacilitySource, Organisation, RestroomImport
from server.services.places.imports import layouts, mapping, reading
from server.services.places.imports.fixtures import BadRow
from server.services.places.imports.layouts import FAR, NO_ROOMS, OSM, SAME_NAME, SOURCES, Options

NEW, CHANGED, REKEYED, SAME, VANISHED, WITHDRAWN, DUPLICATE, SUSPICIOUS, BAD = KINDS = (
    "new",
    "changed",
    "rekeyed",
    "same",
    "vanished",
    "withdrawn",
    "duplicate",
    "suspicious",
    "bad",
)
MOST_VANISHED_PERCENT, MOST_CHANGED_PERCENT = 10, 30
KEPT = 200  # rows of each kind that are kept to be shown
IMPORTS_ASKED = 100  # earlier imports among which the last of the same family is looked for
LEAST_FOR_MIDDLE = 10  # places of a district before its middle says anything
FAR_KM, FAR_TIMES = 10, 6

# One row to show. detail is what is the matter: [(code, values)] of wording.imports.
Shown = namedtuple("Shown", ("kind", "line", "key", "name", "address", "detail"))


@dataclasses.dataclass
class Looked:
    """
    What a file would do.

    counts     {kind: how many}, and "rows", and "elsewhere": known places of municipalities the file does not name
    stops      [(code, values)] of wording.imports.STOPS: why it is not applied; empty when nothing stands against it
    doubts     {word of layouts.DOUBTS: how many}
    actions    {line: (kind, key, FacilitySource.id or None)} of the rows to write
    gone       [FacilitySource.id] of what vanished
    restrooms  how many rooms the file's places have
    """

    options: Options
    layout: str
    columns: dict
    source: str
    sha256: str
    counts: Counter = dataclasses.field(default_factory=Counter)
    doubts: Counter = dataclasses.field(default_factory=Counter)
    stops: list = dataclasses.field(default_factory=list)
    actions: dict = dataclasses.field(default_factory=dict)
    gone: list = dataclasses.field(default_factory=list)
    restrooms: int = 0
    shown: dict = dataclasses.field(default_factory=lambda: defaultdict(list))

    def show(self, kind, line, key, name, address, detail=()):
        """Remember a row to show, unless there are enough of its kind."""
        if len(self.shown[kind]) < KEPT:
            self.shown[kind].append(Shown(kind, line, key, name, address, detail))

    def kept(self, kind) -> list[Shown]:
        """The rows of one kind to show, at most KEPT."""
        return self.shown[kind]

    def owner(self, place) -> str:
        """The name of the organisation that answers for a place."""
        return self.options.organisation or place.organisation or self.source

    @property
    def changes_nothing(self) -> bool:
        return not (self.actions or self.gone)


def places(path: Path, layout: str, columns: dict, progress=None):
    """Yield (Row, Place or None, the problem or None) for every row but the header."""
    if layout == OSM:
        rows, where = reading.features(path), {}
    else:
        rows = reading.rows(path)
        where = {name: at for at, name in reversed(list(enumerate(next(rows).cells)))}
    for row in rows:
        if progress:
            progress(row.read)
        wrong, place = row.bad, None
        if wrong is None:
            try:
                place = (
                    layouts.read_feature(row) if layout == OSM else layouts.read_table_row(layout, row, columns, where)
                )
            except BadRow as error:
                wrong = error.problem
        yield row, place, wrong


def look(session: Session, path: Path, options: Options, progress=None) -> Looked:
    """
    Compare a file with what is there; nothing is written.

    progress  called with the bytes read so far
    Raises Refused (see reading), UnknownLayout.
    """
    layout, columns = recognise(path, options)
    source = options.source or SOURCES.get(layout, "other")
    looked = Looked(options, layout, columns, source, _sha256(path))
    known = _known(session, source)
    by_match = {row.match: key for key, row in known.items() if row.gone_s is None}
    lines, matches, spots, unmatched, owners = {}, {}, defaultdict(list), {}, set()
    differing = {}  # FacilitySource.id -> Place, of the changed rows that are shown
    for row, place, wrong in places(path, layout, columns, progress):
        looked.counts["rows"] += 1
        if place is None:
            looked.counts[BAD] += 1
            looked.show(BAD, row.line, "", "", "", [wrong])
            continue
        alike, content = layouts.match(place), layouts.digest(place)
        # A file without keys leaves a place the key it has.
        key = place.key or by_match.get(alike) or "~" + alike[:20]
        first = lines.get(key)
        if first is not None and (place.key or first[1] == content):
            _duplicate(looked, place, key, first[0])
            continue
        while key in lines:  # the same name and address, other rooms: two toilets of one building
            key += "+"
        twin = matches.setdefault(alike, (place.line, content))
        if twin[0] != place.line and twin[1] == content:
            _duplicate(looked, place, key, twin[0])
            continue
        owners.add(looked.owner(place))
        if place.gone:
            looked.counts[WITHDRAWN] += 1
            looked.show(WITHDRAWN, place.line, key, place.name, place.address or place.lot_address)
            continue
        lines[key] = (place.line, content)
        looked.restrooms += max(1, len(place.rooms))
        doubts = [*place.doubts, *([SAME_NAME] if twin[0] != place.line else [])]
        _doubt(looked, place, key, doubts)
        if place.latitude is not None and place.organisation:
            spots[place.organisation].append((place.latitude, place.longitude, place.line, key, place.name))
        there = known.get(key)
        if there is None:
            unmatched[key] = (place.line, alike, content, place.name, place.address or place.lot_address)
        elif there.digest != content or there.gone_s is not None:
            looked.counts[CHANGED] += 1
            looked.actions[place.line] = (CHANGED, key, there.id)
            if len(differing) < KEPT:
                differing[there.id] = place
        else:
            looked.counts[SAME] += 1
    _show_changes(session, looked, differing)
    _settle(looked, known, lines, unmatched, owners)
    _show_vanished(session, looked)
    _find_far(looked, spots)
    _miss_columns(session, looked)
    _judge(looked, sum(row.gone_s is None for row in known.values()) - looked.counts["elsewhere"])
    return looked


def recognise(path: Path, options: Options) -> tuple[str, dict]:
    """Return (layout, {field: column}) of a file. Raises Refused (see reading), UnknownLayout."""
    if reading.is_geojson(path):
        return OSM, {}
    return mapping.choose(next(reading.rows(path)).cells, options.mapping)


def _known(session, source):
    """
    {key: its FacilitySource's id, digest, match, gone_s and owner}, without what the file said: that is megabytes.
    """
    of = FacilitySource
    wanted = select(of.key, of.id, of.digest, of.match, of.gone_s, Organisation.name.label("owner"))
    wanted = wanted.join(Facility, Facility.id == of.facility_id).join(Organisation).where(of.source == source)
    return {row.key: row for row in session.execute(wanted)}


def _duplicate(looked, place, key, first_line):
    looked.counts[DUPLICATE] += 1
    detail = [("same_as", {"line": first_line})]
    looked.show(DUPLICATE, place.line, key, place.name, place.address or place.lot_address, detail)


def _doubt(looked, place, key, doubts):
    looked.doubts.update(doubts)
    # Whole files do not say which rooms there are; that is counted, and is no reason to look at each of them.
    doubts = [doubt for doubt in doubts if doubt != NO_ROOMS]
    if doubts:
        looked.counts[SUSPICIOUS] += 1
        detail = [(doubt, {}) for doubt in doubts]
        looked.show(SUSPICIOUS, place.line, key, place.name, place.address or place.lot_address, detail)


def _settle(looked, known, lines, unmatched, owners):
    """Keys that are new to us: a place whose key changed, or a new place. And what the file no longer has."""
    missing = {key: row for key, row in known.items() if key not in lines and row.gone_s is None}
    by_match = {row.match: key for key, row in missing.items()}
    for key, (line, alike, _content, name, address) in unmatched.items():
        old = by_match.pop(alike, None)
        if old is None:
            looked.counts[NEW] += 1
            looked.actions[line] = (NEW, key, None)
            looked.show(NEW, line, key, name, address)
            continue
        row = missing.pop(old)
        looked.counts[REKEYED] += 1
        looked.actions[line] = (REKEYED, key, row.id)
        looked.show(REKEYED, line, key, name, address, [("old_key", {"key": old})])
    for row in missing.values():
        if row.owner not in owners:  # a file of one district says nothing of the others
            looked.counts["elsewhere"] += 1
            continue
        looked.counts[VANISHED] += 1
        looked.gone.append(row.id)


def _show_changes(session, looked, differing):
    """What exactly a changed row says differently from last time."""
    wanted = select(FacilitySource).where(FacilitySource.id.in_(differing))
    sources = {row.id: row for row in session.scalars(wanted)}
    for source_id, place in differing.items():
        source = sources[source_id]
        detail = [("back", {})] if source.gone_s is not None else []
        detail += [("differs", one) for one in layouts.differences(source.said, place)]
        key = looked.actions[place.line][1]
        looked.show(CHANGED, place.line, key, place.name, place.address or place.lot_address, detail)


def _show_vanished(session, looked):
    """The places that the file no longer has, by their names here."""
    wanted = select(FacilitySource.key, Facility.name, Facility.address).join(Facility)
    wanted = wanted.where(FacilitySource.id.in_(looked.gone[:KEPT])).order_by(FacilitySource.id)
    for key, name, address in session.execute(wanted):
        looked.show(VANISHED, None, key, name, address)


def _find_far(looked, spots):
    """Coordinates far from where the rest of their district is: of another place, or mistyped."""
    for spot in spots.values():
        if len(spot) < LEAST_FOR_MIDDLE:
            continue
        middle = median(one[0] for one in spot), median(one[1] for one in spot)
        km = [_km(middle, one) for one in spot]
        limit = max(FAR_KM, FAR_TIMES * median(km))
        for distance, (_, _, line, key, name) in zip(km, spot, strict=True):
            if distance > limit:
                looked.counts[SUSPICIOUS] += 1
                looked.doubts[FAR] += 1
                looked.show(SUSPICIOUS, line, key, name, "", [(FAR, {"km": round(distance)})])


def _miss_columns(session, looked):
    """
    Stop if the file lacks what files of its layout have, or had last time: else their rooms would silently change.
    """
    wanted = select(RestroomImport.options).where(RestroomImport.applied_s.is_not(None))
    had = set(layouts.EXPECTED.get(looked.layout, ()))
    for options in session.scalars(wanted.order_by(RestroomImport.id.desc()).limit(IMPORTS_ASKED)):
        if (options.get("source"), options.get("layout")) == (looked.source, looked.layout):
            had |= set(options.get("fields", ()))
            break
    missing = [field for field in mapping.FIELDS if field in had and field not in looked.columns]
    if missing and not looked.options.despite:
        looked.stops.append(("columns_gone", {"fields": missing}))


def _judge(looked, alive):
    if not looked.counts["rows"]:
        looked.stops.append(("no_rows", {}))
    elif looked.counts[BAD] == looked.counts["rows"]:
        looked.stops.append(("all_bad", {}))
    if alive <= 0 or looked.options.despite:
        return
    for kind, most in ((VANISHED, MOST_VANISHED_PERCENT), (CHANGED, MOST_CHANGED_PERCENT)):
        of = looked.counts[kind] + (looked.counts[REKEYED] if kind == CHANGED else 0)
        if of * 100 > most * alive:
            looked.stops.append((kind, {"count": of, "of": alive, "most": most}))


def _km(middle, spot):
    north = (spot[0] - middle[0]) * 111.2
    east = (spot[1] - middle[1]) * 111.2 * math.cos(math.radians(middle[0]))
    return math.hypot(north, east)


def _sha256(path):
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
