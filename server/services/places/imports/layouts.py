"""
Layouts of files, and parsing of their rows.

A layout is a dict {field of mapping.FIELDS: column name}; the known ones are recognised by columns of their own.
"""

import dataclasses
import re
from collections.abc import Collection
from hashlib import blake2b
from typing import NamedTuple

from server.models.places import ACCESSIBLE, FAMILY, MEN, UNISEX, WOMEN
from server.services.places.imports import fixtures, reading


class Place(NamedTuple):
    """
    One row: a public toilet.

    organisation         its owner by the file or the address, "" if neither says
    latitude, longitude  degrees, or None
    rooms                ((one of fixtures.KINDS, stalls), ...)
    gone                 the file itself marks it as closed
    doubts               some of DOUBTS, to be checked by a person
    """

    line: int
    key: str
    name: str
    address: str
    lot_address: str
    organisation: str
    owner: str
    opening_hours: str
    access_notes: str
    latitude: float | None
    longitude: float | None
    rooms: tuple[tuple[str, int], ...]
    gone: bool
    doubts: tuple[str, ...]


COMPARED = (
    "name",
    "address",
    "lot_address",
    "owner",
    "opening_hours",
    "access_notes",
    "latitude",
    "longitude",
    "rooms",
)

NO_ROOMS, NO_ADDRESS, OUTSIDE, MANY, FAR, SAME_NAME, CUT, UNCLEAR = DOUBTS = (
    "no_rooms",
    "no_address",
    "outside_korea",
    "many_stalls",
    "far_from_district",
    "same_name_and_address",
    "text_cut",
    "accessible_unclear",
)
LIMITS = {"key": 100, "name": 180, "address": 200, "owner": 200, "opening_hours": 200, "access_notes": 2000}
SEOUL = "서울특별시"
KOREA = (33.0, 38.7, 124.5, 132.0)  # minimum and maximum latitude, minimum and maximum longitude
MANY_STALLS = 60

NATIONAL, NATIONAL_OLD, SEOUL_2021, SEOUL_2025, OSM, MAPPED = (
    "national",
    "national_old",
    "seoul_2021",
    "seoul_2025",
    "osm",
    "mapped",
)
# The source that a layout's keys belong to: the older national file describes the same places as today's.
SOURCES = {NATIONAL: "national", NATIONAL_OLD: "national", SEOUL_2021: "seoul", SEOUL_2025: "seoul", OSM: "osm"}
# {layout: columns that identify it, all of them required}
MARKS = {
    NATIONAL: ("개방자치단체코드", "관리번호", "화장실명", "여성용-대변기수"),
    NATIONAL_OLD: ("화장실명", "소재지도로명주소", "남성용-대변기수", "여성용-대변기수"),
    SEOUL_2021: ("Contents_ID", "Contents_name", "경도", "위도"),
    SEOUL_2025: ("연번", "건물명", "x 좌표", "y 좌표"),
}
# {layout: further fields that every file of it has}; a position may be missing since 2025
EXPECTED = {
    NATIONAL: (
        *("address", "lot_address", "men", "urinals", "women", "accessible_men", "accessible_women"),
        *("owner", "opening"),
    )
}


DOUBLES = LEAVE_OUT, KEEP = "leave_out", "keep"


@dataclasses.dataclass(frozen=True)
class Options:
    """
    Options of an import.

    source        the register that the keys belong to; "": the layout's own
    mapping       {field: column} given by a person, over the known or guessed ones
    organisation  owner of all places; "": from the addresses
    despite       continue although many places would vanish or change
    doubles       rows that look identical: LEAVE_OUT all but the first, or KEEP each as a place of its own
    """

    source: str = ""
    mapping: dict = dataclasses.field(default_factory=dict)
    organisation: str = ""
    despite: bool = False
    doubles: str = LEAVE_OUT


def find_layout(columns: Collection[str]) -> str | None:
    """Return the layout with these columns, or None."""
    for layout, marks in MARKS.items():
        if all(mark in columns for mark in marks):
            return layout
    return None


def missing_columns(columns: Collection[str]) -> tuple[str, list[str]] | None:
    """Return (layout, missing columns) if these are nearly a known layout, as in a truncated file; else None."""
    for layout, marks in MARKS.items():
        missing = [mark for mark in marks if mark not in columns]
        if missing and len(missing) <= len(marks) // 2 and marks[0] in columns:
            return layout, missing
    return None


def parse_row(layout: str, row: reading.Row, columns: dict, where: dict) -> Place:
    """
    Return the place of a row.

    columns  {field: column name}
    where    {column name: position in the row}

    Raises fixtures.BadRow.
    """
    cells = row.cells
    if len(cells) > len(where):
        raise fixtures.BadRow("columns", count=len(cells), most=len(where))

    def text(field):
        column = columns.get(field)
        position = where.get(column) if column else None
        cell = cells[position] if position is not None and position < len(cells) else ""
        return "" if cell in ("없음", "-") else cell

    def number(field):
        return fixtures.parse_count(text(field), columns[field]) if field in columns else 0

    name = _one_line(text("name"))
    if not name:
        raise fixtures.BadRow("no_name")
    rooms = fixtures.rooms_from_counts(
        number("men") + number("men_children"),
        number("urinals") + number("urinals_children"),
        number("women") + number("women_children"),
        number("accessible"),
        number("accessible_men"),
        number("accessible_women"),
        number("accessible_urinals"),
        fixtures.is_yes(text("unisex")) if "unisex" in columns else None,
        number("family"),
    )
    if not rooms:
        rooms = fixtures.rooms_from_text(text("fixtures"), text("accessible_text"))
    organisation, address, lot_address = (
        text("organisation"),
        _one_line(text("address")),
        _one_line(text("lot_address")),
    )
    if layout in (SEOUL_2021, SEOUL_2025):
        organisation, address, lot_address = _in_seoul(organisation, address, lot_address)
    hours = _hours(text("opening"), text("opening_detail"))
    return _place(
        line=row.line,
        key=text("key"),
        name=name,
        address=address,
        lot_address=lot_address,
        organisation=organisation,
        owner=_one_line(text("owner")),
        opening_hours=hours,
        access_notes=text("access_notes"),
        latitude=_degrees(text("latitude"), columns.get("latitude")),
        longitude=_degrees(text("longitude"), columns.get("longitude")),
        rooms=rooms,
        gone=text("state") in ("D", "N"),
        doubts=() if fixtures.is_understood(text("accessible_text")) else (UNCLEAR,),
    )


def parse_feature(row: reading.Row) -> Place:
    """Return the place of an OpenStreetMap feature. Raises fixtures.BadRow."""
    tags = row.cells.get("properties") or {}
    nested = tags.get("tags")
    tags = {**tags, **nested} if isinstance(nested, dict) else tags
    tags = {name: str(value) for name, value in tags.items() if value is not None}
    if tags.get("amenity", "toilets") != "toilets":
        raise fixtures.BadRow("not_toilets", text=tags["amenity"][:30])
    key = tags.get("@id") or str(row.cells.get("id") or tags.get("id") or "")
    longitude, latitude = _middle(row.cells.get("geometry") or {})
    yes = {name: fixtures.is_yes(tags.get(name, "")) for name in ("male", "female", "unisex")}
    rooms = [(block, 0) for block, tag in ((WOMEN, "female"), (MEN, "male"), (UNISEX, "unisex")) if yes[tag]]
    if tags.get("wheelchair") in ("yes", "designated") or tags.get("toilets:wheelchair") == "yes":
        rooms.append((ACCESSIBLE, 0))
    if tags.get("changing_table:location") == "family_room":
        rooms.append((FAMILY, 0))
    road = " ".join(
        tags[part] for part in ("addr:city", "addr:district", "addr:street", "addr:housenumber") if part in tags
    )
    notes = [f"{name}: {tags[name]}" for name in ("access", "fee", "description") if name in tags]
    return _place(
        line=row.line,
        key=key,
        name=_one_line(tags.get("name") or tags.get("operator") or f"OSM {key}"),
        address=tags.get("addr:full") or road,
        lot_address="",
        organisation="",
        owner=tags.get("operator", ""),
        opening_hours=tags.get("opening_hours", ""),
        access_notes="\n".join(notes),
        latitude=latitude,
        longitude=longitude,
        rooms=tuple(rooms),
        gone=any(tags.get(name) for name in ("disused:amenity", "abandoned:amenity")),
    )


def values_of(place: Place) -> dict:
    """Return the values that are stored and compared at the next import."""
    return {field: getattr(place, field) for field in COMPARED}


def differences(before: dict, place: Place) -> list[dict]:
    """Return what differs from the last import: [{"field", "old", "new"}, ...], fields of COMPARED."""
    now = {field: _as_json(value) for field, value in values_of(place).items()}
    return [
        {"field": field, "old": before.get(field), "new": now[field]}
        for field in COMPARED
        if before.get(field) != now[field]
    ]


def _as_json(value):
    return [list(item) for item in value] if isinstance(value, list | tuple) else value


def digest(place: Place) -> str:
    """Return a digest of all compared values."""
    return _hash(*(repr(getattr(place, field)) for field in COMPARED))


def match(place: Place) -> str:
    """Return a digest of name and address without punctuation: equal for one place under two keys."""
    return _hash(*(re.sub(r"\W", "", part).lower() for part in (place.name, place.address or place.lot_address)))


def _hash(*parts):
    return blake2b("\x1f".join(parts).encode(), digest_size=16).hexdigest()


def _place(doubts=(), **fields):
    doubts = list(doubts)
    if any(len(fields[name]) > most for name, most in LIMITS.items()):
        doubts.append(CUT)
    fields.update({name: fields[name][:most] for name, most in LIMITS.items()})
    latitude, longitude = fields["latitude"], fields["longitude"]
    if latitude is None or longitude is None:
        fields["latitude"] = fields["longitude"] = None
    elif not (KOREA[0] <= latitude <= KOREA[1] and KOREA[2] <= longitude <= KOREA[3]):
        doubts.append(OUTSIDE)
        fields["latitude"] = fields["longitude"] = None  # a wrong position is worse than none
    if not any(kind in (WOMEN, MEN, UNISEX) and (stalls or kind == MEN) for kind, stalls in fields["rooms"]):
        doubts.append(NO_ROOMS)
    if not fields["address"] and not fields["lot_address"] and fields["latitude"] is None:
        doubts.append(NO_ADDRESS)
    if any(stalls > MANY_STALLS for _, stalls in fields["rooms"]):
        doubts.append(MANY)
    if not fields["organisation"]:
        fields["organisation"] = municipality(fields["address"] or fields["lot_address"])
    return Place(**fields, doubts=tuple(doubts))


def municipality(address: str) -> str:
    """Return the province or city and the district at the beginning of an address: "서울특별시 종로구"; else ""."""
    words = address.split()[:2]
    if len(words) < 2 or not re.search(r"(시|도)$", words[0]):
        return ""
    return " ".join(words) if re.search(r"(시|군|구)$", words[1]) else words[0]


def _in_seoul(district, address, lot_address):
    """Complete addresses of Seoul's files, which leave out the city and often the district."""
    district = f"{SEOUL} {district}" if district and not district.startswith(SEOUL) else district
    full = [
        text if not text or text.startswith("서울") else f"{district or SEOUL} {text}"
        for text in (address, lot_address)
    ]
    repeated = district.rpartition(" ")[2]
    full = [re.sub(rf"({repeated}) \1 ", r"\1 ", text) if repeated else text for text in full]
    return district, *full


def _hours(kind, detail):
    kind, detail = _one_line(kind), _one_line(detail)
    if not detail or detail == kind:
        return kind
    return detail if kind in ("", "정시") else f"{kind} {detail}"


def _degrees(text, column):
    text = text.strip()
    if fixtures.is_blank(text):
        return None
    try:
        value = round(float(text), 7)
    except ValueError:
        raise fixtures.BadRow("not_a_number", column=column, text=text[:20]) from None
    return value if value else None  # 0 is how some files write "unknown"


def _one_line(text):
    return " ".join(text.split())


def _middle(geometry):
    """Return (longitude, latitude) of a point, or the middle of an outline."""
    points = []

    def walk(part):
        if isinstance(part, list) and len(part) >= 2 and all(isinstance(number, int | float) for number in part[:2]):
            points.append(part[:2])
        elif isinstance(part, list):
            for inner in part:
                walk(inner)

    walk(geometry.get("coordinates"))
    if not points:
        return None, None
    if len(points) > 1 and points[0] == points[-1]:
        points.pop()  # an outline ends where it begins
    return tuple(round(sum(point[axis] for point in points) / len(points), 7) for axis in (0, 1))
