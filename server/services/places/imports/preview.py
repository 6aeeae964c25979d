"""Preview of an import: what would be added, changed or retired, and what a person should check first."""

import dataclasses
import hashlib
import math
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.places import Facility, FacilitySource, Organisation, RestroomImport
from server.services.places.imports import layouts, mapping, reading, workbooks
from server.services.places.imports.fixtures import BadRow
from server.services.places.imports.layouts import FAR, KEEP, NO_ROOMS, OSM, SAME_NAME, SOURCES, Options

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
MOST_ROWS = 200  # rows of each kind that a preview lists
IMPORTS_SEARCHED = 100  # newest imports among which the last one of the same source is searched
LEAST_FOR_MIDDLE = 10  # places of a district needed to compute its middle
FAR_KM, FAR_TIMES = 10, 6


class PreviewRow(NamedTuple):
    """A row of a preview. line None: not in the file; detail: [(code, values)] of wording.imports.PROBLEMS."""

    kind: str
    line: int | None
    key: str
    name: str
    address: str
    detail: list | tuple


@dataclasses.dataclass
class Preview:
    """
    The changes that a file would make.

    counts     {kind: rows}, and "rows", and "elsewhere": known places of municipalities that the file does not name
    stops      [(code, values)] of wording.imports.PROBLEMS: why it cannot be applied
    doubts     {one of layouts.DOUBTS: rows}
    actions    {line: (kind, key, FacilitySource.id or None)} of the rows to write
    vanished   [FacilitySource.id] of places that the file does not contain any more
    restrooms  number of restrooms in the file
    unused     {column, or sheet, that is not taken over: its cells that are not empty}; of a sheet None
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
    vanished: list = dataclasses.field(default_factory=list)
    restrooms: int = 0
    unused: dict[str, int | None] = dataclasses.field(default_factory=dict)
    rows_by_kind: dict = dataclasses.field(default_factory=lambda: defaultdict(list))

    def add_row(
        self, kind: str, line: int | None, key: str, name: str, address: str, detail: list | tuple = ()
    ) -> None:
        """Add a row, unless there are MOST_ROWS of its kind."""
        if len(self.rows_by_kind[kind]) < MOST_ROWS:
            self.rows_by_kind[kind].append(PreviewRow(kind, line, key, name, address, detail))

    def rows(self, kind: str) -> list[PreviewRow]:
        """Return the rows of one kind, at most MOST_ROWS."""
        return self.rows_by_kind[kind]

    def owner(self, place: layouts.Place) -> str:
        """Return the name of the organisation of a place."""
        return self.options.organisation or place.organisation or self.source

    @property
    def changes_nothing(self) -> bool:
        """True if applying it would write nothing."""
        return not (self.actions or self.vanished)


def read_places(
    path: Path, layout: str, columns: dict, progress: Callable[[int], object] | None = None
) -> Iterator[tuple[reading.Row, layouts.Place | None, tuple | None]]:
    """Yield (row, place or None, problem or None) for every row but the header."""
    if layout == OSM:
        rows, where = reading.read_features(path), {}
    else:
        rows = reading.read_rows(path)
        where = {name: at for at, name in reversed(list(enumerate(next(rows).cells)))}
    for row in rows:
        if progress:
            progress(row.read)
        problem, place = row.bad, None
        if problem is None:
            try:
                place = layouts.parse_feature(row) if layout == OSM else layouts.parse_row(layout, row, columns, where)
            except BadRow as error:
                problem = error.problem
        yield row, place, problem


def make_preview(
    session: Session, path: Path, options: Options, progress: Callable[[int], object] | None = None
) -> Preview:
    """
    Compare a file with the database; nothing is written.

    progress  called with the bytes read so far

    Raises Refused (see reading.py), UnknownLayout.
    """
    layout, columns = recognise_layout(path, options)
    source = options.source or SOURCES.get(layout, "other")
    preview = Preview(options, layout, columns, source, file_sha256(path))
    known = _known(session, source)
    # Of rows that look identical the first has the shortest key.
    present = sorted((key for key, row in known.items() if row.gone_s is None), key=len, reverse=True)
    by_match = {known[key].match: key for key in present}
    lines, matches, spots, unmatched, owners = {}, {}, defaultdict(list), {}, set()
    differing = {}  # {FacilitySource.id: Place} of the changed rows to list
    filled: Counter[int] = Counter()
    for row, place, problem in read_places(path, layout, columns, progress):
        preview.counts["rows"] += 1
        if layout != OSM:
            filled.update(at for at, cell in enumerate(row.cells) if cell)
        if place is None:
            preview.counts[BAD] += 1
            preview.add_row(BAD, row.line, "", "", "", [problem])
            continue
        match, content = layouts.match(place), layouts.digest(place)
        # In a file without keys a place keeps its key.
        key = place.key or by_match.get(match) or "~" + match[:20]
        first = lines.get(key)
        leave_out = options.doubles != KEEP
        if leave_out and first is not None and (place.key or first[1] == content):
            _duplicate(preview, place, key, first[0])
            continue
        while key in lines:  # the same name and address with other rooms: two toilets of one building
            key += "+"
        twin = matches.setdefault(match, (place.line, content))
        if leave_out and twin[0] != place.line and twin[1] == content:
            _duplicate(preview, place, key, twin[0])
            continue
        owners.add(preview.owner(place))
        if place.gone:
            preview.counts[WITHDRAWN] += 1
            preview.add_row(WITHDRAWN, place.line, key, place.name, place.address or place.lot_address)
            continue
        lines[key] = (place.line, content)
        preview.restrooms += max(1, len(place.rooms))
        doubts = [*place.doubts, *([SAME_NAME] if twin[0] != place.line else [])]
        _doubt(preview, place, key, doubts)
        if place.latitude is not None and place.organisation:
            spots[place.organisation].append((place.latitude, place.longitude, place.line, key, place.name))
        source_row = known.get(key)
        if source_row is None:
            unmatched[key] = (place.line, match, content, place.name, place.address or place.lot_address)
        elif source_row.digest != content or source_row.gone_s is not None:
            preview.counts[CHANGED] += 1
            preview.actions[place.line] = (CHANGED, key, source_row.id)
            if len(differing) < MOST_ROWS:
                differing[source_row.id] = place
        else:
            preview.counts[SAME] += 1
    _show_changes(session, preview, differing)
    _find_new_and_vanished(preview, known, lines, unmatched, owners)
    _show_vanished(session, preview)
    _find_far(preview, spots)
    _find_unused(path, preview, filled)
    _check_columns(session, preview)
    _check_shares(preview, sum(row.gone_s is None for row in known.values()) - preview.counts["elsewhere"])
    return preview


def recognise_layout(path: Path, options: Options) -> tuple[str, dict]:
    """Return (layout, {field: column}) of a file. Raises Refused (see reading), UnknownLayout."""
    if reading.is_geojson(path):
        return OSM, {}
    return mapping.choose_columns(next(reading.read_rows(path)).cells, options.mapping)


def _known(session, source):
    """Return {key: row with id, digest, match, gone_s and owner}; without the imported values, which are megabytes."""
    table = FacilitySource
    query = select(table.key, table.id, table.digest, table.match, table.gone_s, Organisation.name.label("owner"))
    query = query.join(Facility, Facility.id == table.facility_id).join(Organisation).where(table.source == source)
    return {row.key: row for row in session.execute(query)}


def _duplicate(preview, place, key, first_line):
    preview.counts[DUPLICATE] += 1
    detail = [("same_as", {"line": first_line})]
    preview.add_row(DUPLICATE, place.line, key, place.name, place.address or place.lot_address, detail)


def _doubt(preview, place, key, doubts):
    preview.doubts.update(doubts)
    # Whole files do not say which rooms there are; that is counted, but not a reason to list every row.
    doubts = [doubt for doubt in doubts if doubt != NO_ROOMS]
    if doubts:
        preview.counts[SUSPICIOUS] += 1
        detail = [(doubt, {}) for doubt in doubts]
        preview.add_row(SUSPICIOUS, place.line, key, place.name, place.address or place.lot_address, detail)


def _find_new_and_vanished(preview, known, lines, unmatched, owners):
    """Tell places whose key changed from new ones, and find those that the file does not contain any more."""
    missing = {key: row for key, row in known.items() if key not in lines and row.gone_s is None}
    by_match = {row.match: key for key, row in missing.items()}
    for key, (line, match, _content, name, address) in unmatched.items():
        old = by_match.pop(match, None)
        if old is None:
            preview.counts[NEW] += 1
            preview.actions[line] = (NEW, key, None)
            preview.add_row(NEW, line, key, name, address)
            continue
        row = missing.pop(old)
        preview.counts[REKEYED] += 1
        preview.actions[line] = (REKEYED, key, row.id)
        preview.add_row(REKEYED, line, key, name, address, [("old_key", {"key": old})])
    for row in missing.values():
        if row.owner not in owners:  # a file of one district does not concern the others
            preview.counts["elsewhere"] += 1
            continue
        preview.counts[VANISHED] += 1
        preview.vanished.append(row.id)


def _show_changes(session, preview, differing):
    """List the changed values of changed rows."""
    query = select(FacilitySource).where(FacilitySource.id.in_(differing))
    sources = {row.id: row for row in session.scalars(query)}
    for source_id, place in differing.items():
        source = sources[source_id]
        detail = [("back", {})] if source.gone_s is not None else []
        detail += [("differs", difference) for difference in layouts.differences(source.said, place)]
        key = preview.actions[place.line][1]
        preview.add_row(CHANGED, place.line, key, place.name, place.address or place.lot_address, detail)


def _show_vanished(session, preview):
    """List the places that the file does not contain any more, by their stored names."""
    query = select(FacilitySource.key, Facility.name, Facility.address).join(Facility)
    query = query.where(FacilitySource.id.in_(preview.vanished[:MOST_ROWS])).order_by(FacilitySource.id)
    for key, name, address in session.execute(query):
        preview.add_row(VANISHED, None, key, name, address)


def _find_far(preview, spots):
    """Find coordinates far from the rest of their district: of another place, or mistyped."""
    for spot in spots.values():
        if len(spot) < LEAST_FOR_MIDDLE:
            continue
        middle = median(point[0] for point in spot), median(point[1] for point in spot)
        km = [_km(middle, point) for point in spot]
        limit = max(FAR_KM, FAR_TIMES * median(km))
        for distance, (_, _, line, key, name) in zip(km, spot, strict=True):
            if distance > limit:
                preview.counts[SUSPICIOUS] += 1
                preview.doubts[FAR] += 1
                preview.add_row(SUSPICIOUS, line, key, name, "", [(FAR, {"km": round(distance)})])


def _find_unused(path, preview, filled):
    """List what the file holds besides the mapped columns."""
    if preview.layout == OSM:
        return
    used = set(preview.columns.values())
    for at, name in enumerate(next(reading.read_rows(path)).cells):
        if name not in used and filled[at]:
            preview.unused[name] = filled[at]
    for sheet in workbooks.sheet_names(path)[1:]:
        preview.unused[sheet] = None


def _check_columns(session, preview):
    """Stop if columns of its layout, or of the last such file, are missing: their rooms would silently change."""
    query = select(RestroomImport.options).where(RestroomImport.applied_s.is_not(None))
    expected = set(layouts.EXPECTED.get(preview.layout, ()))
    for options in session.scalars(query.order_by(RestroomImport.id.desc()).limit(IMPORTS_SEARCHED)):
        if (options.get("source"), options.get("layout")) == (preview.source, preview.layout):
            expected |= set(options.get("fields", ()))
            break
    missing = [field for field in mapping.FIELDS if field in expected and field not in preview.columns]
    if missing and not preview.options.despite:
        preview.stops.append(("columns_gone", {"fields": missing}))


def _check_shares(preview, present):
    if not preview.counts["rows"]:
        preview.stops.append(("no_rows", {}))
    elif preview.counts[BAD] == preview.counts["rows"]:
        preview.stops.append(("all_bad", {}))
    if present <= 0 or preview.options.despite:
        return
    for kind, most in ((VANISHED, MOST_VANISHED_PERCENT), (CHANGED, MOST_CHANGED_PERCENT)):
        count = preview.counts[kind] + (preview.counts[REKEYED] if kind == CHANGED else 0)
        if count * 100 > most * present:
            preview.stops.append((kind, {"count": count, "of": present, "most": most}))


def _km(middle, spot):
    north = (spot[0] - middle[0]) * 111.2
    east = (spot[1] - middle[1]) * 111.2 * math.cos(math.radians(middle[0]))
    return math.hypot(north, east)


def file_sha256(path: Path) -> str:
    """Return the SHA-256 of a file, hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
