"""Restrooms of a public toilet, derived from counts and descriptions of its fixtures."""

import re

from server.models.places import ACCESSIBLE, FAMILY, MEN, UNISEX, UNKNOWN, WOMEN

ACCESSIBLE_WOMEN, ACCESSIBLE_MEN = "accessible_women", "accessible_men"
# Kinds of rooms in a file; the accessible ones for women and for men are two rooms of one block.
KINDS = (WOMEN, MEN, UNISEX, UNKNOWN, ACCESSIBLE, ACCESSIBLE_WOMEN, ACCESSIBLE_MEN, FAMILY)

BLANK = {"", "-", "없음", "해당없음", "n", "no", "none", "null", "nan"}
YES = {"y", "yes", "유", "있음", "o", "1", "true", "t", "예", "설치"}
MOST = 500  # fixtures in one room; more is a typing error

_BOWLS = re.compile(r"대변기\s*:?\s*(\d+)")
_UNIT = re.compile(r"(\.0+)?\s*(개|칸|기|조|대|개소|곳)?$")  # "3개", "3칸", and how spreadsheets write whole numbers
_FIGURE = re.compile(r"\d{1,2}")
_USERS = re.compile(
    r"남\s*[,·/]?\s*[녀여]\s*공[용동]|공용|남(?:자|성)?(?=\W|\d|화장실|용|$)|여(?:자|성)?(?=\W|\d|화장실|용|$)"
)
_ACCESSIBLE_USERS = re.compile(
    r"(남\s*[,·/]?\s*[녀여]\s*공[용동]|공용(?:시설)?|공동|남(?:자|성)?|여(?:자|성)?)(?!녀)(?:용|화장실)?\s*:?\s*(\d{1,2})?"
)
_EACH = re.compile(r"남\s*[,·/]?\s*[녀여]\s*각\s*(\d{1,2})")
_FLOOR = re.compile(r"(?:지하|지상)?\s*\d+\s*층|\bB\d+\b|\b\d+F\b", re.IGNORECASE)
_CHILDREN = re.compile(r"(?:어린이|유아|영유아|아동)[^,()]*(?:\([^()]*\))?")
_ORDINARY_ROOM = re.compile(r"(?<![가-힣])(여자|남자|여성|남성)\s*화장실")
_BRACKET = re.compile(r"\([^()]*\)?")
_ACCESSIBLE_WORDS = re.compile(r"장애|가능|있음|설치|별도|전용|휠체어|^\s*(유|O|Y)\s*$", re.IGNORECASE)


class BadRow(Exception):
    """A row that cannot be used; `problem` is (code, values) of wording.imports.PROBLEMS."""

    def __init__(self, code: str, **values):
        super().__init__(code)
        self.problem = (code, values)


def is_blank(text: str) -> bool:
    """Return whether a text means "nothing"."""
    return text.strip().lower() in BLANK


def is_yes(text: str) -> bool:
    """Return whether a text means "yes"."""
    return text.strip().lower() in YES


def parse_count(text: str, column: str) -> int:
    """Return a count of fixtures. Raises BadRow."""
    text = text.strip().replace(",", "")
    if is_blank(text):
        return 0
    digits = _UNIT.sub("", text)
    if not digits.isdecimal() or not 0 <= int(digits) <= 99_999:
        raise BadRow("not_a_number", column=column, text=text[:20])
    return int(digits)


def rooms_from_counts(
    men: int = 0,
    urinals: int = 0,
    women: int = 0,
    accessible: int = 0,
    accessible_men: int = 0,
    accessible_women: int = 0,
    accessible_urinals: int = 0,
    unisex: bool | None = None,
    family: int = 0,
) -> tuple[tuple[str, int], ...]:
    """
    Return rooms ((kind, stalls), ...) from counts of bowls, in the order of inspection; kinds: see KINDS.

    unisex  None: unknown; True: one room for all

    Urinals alone make a men's room without stalls.
    """
    if unisex and (men or women or urinals or accessible or accessible_men or accessible_women):
        rooms = [(UNISEX, men + women)] if men or women or urinals else []
        accessible, accessible_men, accessible_women = accessible + accessible_men + accessible_women, 0, 0
        accessible_room = accessible or accessible_urinals
        accessible_urinals = 0
    else:
        rooms = [(WOMEN, women)] if women else []
        rooms += [(MEN, men)] if men or urinals else []
        rooms += [(UNISEX, 0)] if unisex else []
        accessible_room = accessible
    if accessible_room:
        rooms.append((ACCESSIBLE, accessible))
    if accessible_women:
        rooms.append((ACCESSIBLE_WOMEN, accessible_women))
    if accessible_men or accessible_urinals:
        rooms.append((ACCESSIBLE_MEN, accessible_men))
    if family:
        rooms.append((FAMILY, family))
    return tuple(rooms)


def rooms_from_text(fixtures: str, accessible: str = "") -> tuple[tuple[str, int], ...]:
    """
    Return rooms from texts such as "남자: 대변기3 소변기4 / 여자: 대변기3" and "남1, 여1" (the accessible ones).

    () if the text does not say. Accessible rooms alone imply another room, whose users the file does not tell.
    """
    rooms: dict[str, int] = {}
    for kind, part in _parts_by_users(fixtures):
        bowls = sum(int(number) for number in _BOWLS.findall(part))
        if "변기" in part or bowls:
            rooms[kind] = rooms.get(kind, 0) + bowls
    listed, accessible_rooms = _accessible(accessible)
    for kind in listed:
        rooms.setdefault(kind, 0)
    ordered = [(kind, min(rooms[kind], MOST)) for kind in (WOMEN, MEN, UNISEX) if kind in rooms]
    if accessible_rooms and not ordered:
        ordered = [(UNKNOWN, 0)]
    return (*ordered, *accessible_rooms)


def is_understood(accessible: str) -> bool:
    """Return whether a text about accessible rooms means rooms or none, so that nothing of it is lost."""
    return _means_none(accessible) or any(_accessible(accessible))


def _parts_by_users(text):
    """Split a text about fixtures at the names of their users; return [(kind, part), ...]."""
    found = list(_USERS.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [(_kind(match[0]), text[match.end() : end]) for match, end in zip(found, ends, strict=False)]


def _kind(users):
    if "공" in users:
        return UNISEX
    return WOMEN if users.startswith("여") else MEN


def _means_none(text):
    text = text.strip()
    return is_blank(text) or text in ("0", "불가", "불가능", "무", "X", "x", "미설치", "없슴")


def _accessible(text):
    """Return (kinds of the ordinary rooms, accessible rooms) that a text about accessible rooms lists."""
    if _means_none(text):
        return [], []
    text = _FLOOR.sub("", _CHILDREN.sub("", text))
    listed = [WOMEN if name.startswith("여") else MEN for name in _ORDINARY_ROOM.findall(text)]
    text = _ORDINARY_ROOM.sub("", text)
    outside = _BRACKET.sub("", text)
    # Brackets describe what stands before them, unless nothing countable does: "별도장애인실(남1,여1)".
    counted = outside if _ACCESSIBLE_USERS.search(outside) or _FIGURE.search(outside) else text
    if each := _EACH.search(counted):
        stalls = int(each[1])
        return listed, [(ACCESSIBLE_WOMEN, stalls), (ACCESSIBLE_MEN, stalls)]
    if "구분" in counted and "남녀" in counted:  # separate ones for women and men
        return listed, [(ACCESSIBLE_WOMEN, 0), (ACCESSIBLE_MEN, 0)]
    rooms = {}
    for users, figure in _ACCESSIBLE_USERS.findall(counted):
        kind = {WOMEN: ACCESSIBLE_WOMEN, MEN: ACCESSIBLE_MEN, UNISEX: ACCESSIBLE}[_kind(users)]
        rooms[kind] = rooms.get(kind, 0) + min(int(figure or 0), MOST)
    if not rooms and (figure := _FIGURE.search(counted)):
        rooms[ACCESSIBLE] = min(int(figure[0]), MOST)
    if not rooms and _ACCESSIBLE_WORDS.search(counted):
        rooms[ACCESSIBLE] = 0
    order = (ACCESSIBLE, ACCESSIBLE_WOMEN, ACCESSIBLE_MEN)
    return listed, [(kind, rooms[kind]) for kind in order if kind in rooms]
