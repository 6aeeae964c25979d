"""Mapping of columns to fields: known layouts, guesses by the columns' names, and `--map`."""

import re
from collections.abc import Iterable

from server.services.places.imports import layouts

# {field: (description, column names it may have; compared without blanks, case and punctuation)}
FIELDS = {
    "name": (
        "the toilet's or building's name",
        ("화장실명", "화장실명칭", "화장실이름", "건물명", "Contents_name", "명칭", "시설명", "시설명칭", "name"),
    ),
    "key": (
        "a key that stays the same between files",
        ("관리번호", "화장실관리번호", "Contents_ID", "고유번호", "id", "key"),
    ),
    "address": ("road address", ("소재지도로명주소", "도로명주소", "소재지주소", "주소", "소재지", "위치", "address")),
    "lot_address": ("lot address", ("소재지지번주소", "지번주소")),
    "latitude": ("latitude", ("WGS84위도", "위도", "위도_WGS84좌표_", "위도(WGS84)", "y 좌표", "latitude", "lat")),
    "longitude": (
        "degrees east",
        ("WGS84경도", "경도", "경도_WGS84좌표_", "경도(WGS84)", "x 좌표", "longitude", "lon", "lng"),
    ),
    "women": (
        "women's bowls",
        ("여성용-대변기수", "여성 대변기 수", "대변기수(여)", "여자대변기수", "여성 대변기", "여자 대변기", "women"),
    ),
    "women_children": ("children's bowls in the women's room", ("여성용-어린이용대변기수",)),
    "men": (
        "men's bowls",
        ("남성용-대변기수", "남성 대변기 수", "대변기수(남)", "남자대변기수", "남성 대변기", "남자 대변기", "men"),
    ),
    "men_children": ("children's bowls in the men's room", ("남성용-어린이용대변기수",)),
    "urinals": ("urinals", ("남성용-소변기수", "남성 소변기 수", "소변기수", "남성 소변기", "남자 소변기", "urinals")),
    "urinals_children": ("children's urinals", ("남성용-어린이용소변기수",)),
    "accessible": ("accessible bowls", ("장애인용대변기수", "accessible")),
    "accessible_men": ("accessible bowls, men", ("남성용-장애인용대변기수", "남성 장애인 대변기 수")),
    "accessible_women": ("accessible bowls, women", ("여성용-장애인용대변기수", "여성 장애인 대변기 수")),
    "accessible_urinals": ("accessible urinals", ("남성용-장애인용소변기수", "남성 장애인 소변기 수")),
    "accessible_text": ("accessible rooms in words", ("장애인화장실", "장애인화장실 현황")),
    "family": ("family rooms", ("가족화장실수", "family")),
    "unisex": ("one room for all: Y or N", ("남녀공용화장실여부", "남녀공용", "unisex")),
    "fixtures": ("fixtures in words", ("변기현황", "화장실 현황", "fixtures")),
    "owner": ("who runs it", ("관리기관명", "관리기관", "관리주체", "관리부서", "operator", "owner")),
    "opening": ("opening hours", ("개방시간", "이용시간", "운영시간", "opening_hours", "hours")),
    "opening_detail": ("opening hours, more exactly", ("개방시간상세", "개방시간(상세)")),
    "access_notes": ("how to get in", ("이용안내", "비고", "access", "notes")),
    "organisation": ("the municipality that answers for it", ("구명", "자치구명", "자치구")),
    "state": ("D or N: no longer there", ("데이터갱신구분", "Use")),
}
REQUIRED = ("name",)
# Fields that a person is asked for when a layout is unknown.
MAIN_FIELDS = (
    "name",
    "key",
    "address",
    "latitude",
    "longitude",
    "women",
    "men",
    "accessible",
    "unisex",
    "opening",
    "owner",
)


class UnknownLayout(Exception):
    """
    The columns have no known layout, or some are missing; explain_mapping() explains how to map them.

    columns   the file's columns
    guessed   {field: column} by their names
    problems  [(code, values)] of wording.imports.PROBLEMS
    """

    def __init__(self, columns: list[str], guessed: dict[str, str], problems: list[tuple[str, dict]]):
        super().__init__(", ".join(code for code, _ in problems))
        self.columns, self.guessed, self.problems = columns, guessed, problems


def choose_columns(columns: list[str], given: dict) -> tuple[str, dict]:
    """
    Return (layout, {field: column}).

    given  {field: column} from a person

    Raises UnknownLayout: unknown columns without a mapping, an unknown field or column, missing columns.
    """
    problems = [("no_field", {"field": field}) for field in given if field not in FIELDS]
    problems += [("no_column", {"column": column}) for column in given.values() if column and column not in columns]
    guessed = guess_columns(columns)
    layout = layouts.find_layout(columns)
    if layout is None and not given:
        near = layouts.missing_columns(columns)
        if near:
            problems.append(("lacking", {"layout": near[0], "columns": ", ".join(near[1])}))
        raise UnknownLayout(columns, guessed, problems or [("unknown_layout", {})])
    chosen = {**guessed, **given}
    chosen = {field: column for field, column in chosen.items() if column}
    if layout in (layouts.NATIONAL_OLD, layouts.SEOUL_2025):
        # Their number column counts the rows; it is not a key.
        chosen = {field: column for field, column in chosen.items() if field != "key" or field in given}
    missing = [field for field in REQUIRED if field not in chosen]
    problems += [("unmapped", {"field": field}) for field in missing]
    if not {"address", "lot_address", "latitude"} & set(chosen):
        problems.append(("no_place", {}))
    if problems:
        raise UnknownLayout(columns, guessed, problems)
    return layout or layouts.MAPPED, chosen


def guess_columns(columns: list[str]) -> dict[str, str]:
    """Return {field: column} for the columns with a known name."""
    plain = {}
    for column in columns:
        plain.setdefault(_plain(column), column)
    guessed = {}
    for field, (_, names) in FIELDS.items():
        for name in names:
            if _plain(name) in plain:
                guessed[field] = plain[_plain(name)]
                break
    return guessed


def parse_pairs(pairs: Iterable[str]) -> dict[str, str]:
    """Return `field=COLUMN` texts as {field: column}; `field=` alone drops a guess. Raises ValueError."""
    given = {}
    for pair in pairs:
        field, mark, column = pair.partition("=")
        if not mark:
            raise ValueError(f"--map {pair}: write field=COLUMN")
        given[field.strip()] = column.strip()
    return given


def explain_mapping(columns: list[str], guessed: dict[str, str]) -> str:
    """Return an explanation of how to map the columns, for a terminal."""
    named = [column for column in columns if not column.startswith("#")]
    lines = ["The file's columns: " + ", ".join(named[:60])]
    if guessed:
        lines.append("By their names: " + ", ".join(f"{field}={column}" for field, column in guessed.items()))
    fields = ["name", "address"] + [field for field in ("women", "men") if field not in guessed]
    example = " ".join(f"--map '{field}={guessed.get(field, 'COLUMN')}'" for field in fields)
    lines += ["Say which column is what, for instance:", f"  flask import-restrooms FILE {example}", "Fields:"]
    lines += [f"  {field:19}{description}" for field, (description, _) in FIELDS.items()]
    return "\n".join(lines)


def _plain(name):
    return re.sub(r"[\W_]", "", name).lower()
