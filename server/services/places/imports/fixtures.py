"""Which rooms a public toilet has, from what files say about its fixtures."""

import re

from server.models.places import ACCESSIBLE, FAMILY, MEN, UNISEX, WOMEN

NONE = {"", "-", "없음", "해당없음", "n", "no", "none", "null", "nan"}
YES = {"y", "yes", "유", "있음", "o", "1", "true", "t", "예", "설치"}
MOST = 500  # fixtures in one room; more is a slip of the pen

_BOWLS = re.compile(r"대변기\s*:?\s*(\d+)")
_UNIT = re.compile(r"(\.0+)?\s*(개|칸|기|조|대|개소|곳)?$")  # "3개", "3칸", and how spreadsheets write whole numbers
_FIGURE = re.compile(r"\d+")


class BadRow(Exception):
    """A row that cannot be used: (code, values) of wording.imports.PROBLEMS."""

    def __init__(self, code: str, **values):
        super().__init__(code)
        self.problem = (code, values)


def is_none(text: str) -> bool:
    """True for the many ways to write "nothing"."""
    return text.strip().lower() in NONE


def is_yes(text: str) -> bool:
    return text.strip().lower() in YES


def count(text: str, column: str) -> int:
    """Return a count of fixtures. Raises BadRow."""
    text = text.strip().replace(",", "")
    if is_none(text):
        return 0
    digits = _UNIT.sub("", text)
    if not digits.isdecimal() or not 0 <= int(digits) <= 99_999:
        raise BadRow("not_a_number", column=column, text=text[:20])
    return int(digits)


def from_counts(men=0, urinals=0, women=0, accessible=0, accessible_urinals=0, unisex=None, family=0):
    """
    Rooms from counts of bowls: ((block, stalls), ...), in the order people walk them.

    Urinals alone make a men's room without stalls. unisex  None: not said; True: one room for all
    """
    if unisex and (men or women or urinals or accessible):
        rooms = [(UNISEX, men + women)] if men or women or urinals else []
    else:
        rooms = [(WOMEN, women)] if women else []
        rooms += [(MEN, men)] if men or urinals else []
        rooms += [(UNISEX, 0)] if unisex else []
    if accessible or accessible_urinals:
        rooms.append((ACCESSIBLE, accessible))
    if family:
        rooms.append((FAMILY, family))
    return tuple(rooms)


def from_text(fixtures: str, accessible: str = ""):
    """
    Rooms from words such as "남자: 대변기3 소변기4 / 여자: 대변기3" and "남1, 여1" (the accessible ones).

    Returns () where the words do not say. Accessible rooms alone are beside others that the file does not tell of.
    """
    rooms = {}
    for part in re.split(r"[/\n]", fixtures):
        block = _block(part)
        bowls = sum(int(found) for found in _BOWLS.findall(part))
        if block and ("변기" in part or bowls):
            rooms[block] = rooms.get(block, 0) + bowls
    ordered = [(block, min(rooms[block], MOST)) for block in (WOMEN, MEN, UNISEX) if block in rooms]
    accessible = accessible.strip()
    if accessible and not is_none(accessible) and accessible not in ("0", "불가", "불가능", "무", "X", "x"):
        figures = [int(figure) for figure in _FIGURE.findall(accessible) if int(figure) < 100]
        ordered = ordered or [(UNISEX, 0)]
        ordered.append((ACCESSIBLE, sum(figures) * (2 if "각" in accessible and "남" in accessible else 1)))
    return tuple(ordered)


def _block(part):
    if re.search(r"남\s*[,·/]?\s*녀\s*공용|공용", part):
        return UNISEX
    if "여" in part and "남" not in part:
        return WOMEN
    return MEN if "남" in part else None
