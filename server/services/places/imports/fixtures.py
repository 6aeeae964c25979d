"""Restrooms of a public toilet, derived from counts and descriptions of its fixtures."""

import re

from server.models.places import ACCESSIBLE, FAMILY, MEN, UNISEX, WOMEN

BLANK = {"", "-", "없음", "해당없음", "n", "no", "none", "null", "nan"}
YES = {"y", "yes", "유", "있음", "o", "1", "true", "t", "예", "설치"}
MOST = 500  # fixtures in one room; more is a typing error

_BOWLS = re.compile(r"대변기\s*:?\s*(\d+)")
_UNIT = re.compile(r"(\.0+)?\s*(개|칸|기|조|대|개소|곳)?$")  # "3개", "3칸", and how spreadsheets write whole numbers
_FIGURE = re.compile(r"\d+")


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
    accessible_urinals: int = 0,
    unisex: bool | None = None,
    family: int = 0,
) -> tuple[tuple[str, int], ...]:
    """
    Return rooms ((block, stalls), ...) from counts of bowls, in the order of inspection.

    unisex  None: unknown; True: one room for all

    Urinals alone make a men's room without stalls.
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


def rooms_from_text(fixtures: str, accessible: str = "") -> tuple[tuple[str, int], ...]:
    """
    Return rooms from texts such as "남자: 대변기3 소변기4 / 여자: 대변기3" and "남1, 여1" (the accessible ones).

    () if the text does not say. Accessible rooms alone imply another room that the file does not describe.
    """
    rooms = {}
    for part in re.split(r"[/\n]", fixtures):
        block = _block(part)
        bowls = sum(int(number) for number in _BOWLS.findall(part))
        if block and ("변기" in part or bowls):
            rooms[block] = rooms.get(block, 0) + bowls
    ordered = [(block, min(rooms[block], MOST)) for block in (WOMEN, MEN, UNISEX) if block in rooms]
    accessible = accessible.strip()
    if accessible and not is_blank(accessible) and accessible not in ("0", "불가", "불가능", "무", "X", "x"):
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
