"""
Exports of whole tables, row by row: CSV for spreadsheets, JSON Lines for programs.

    for part in exports.csv_lines(("id", "result"), rows): ...      # bytes
    for part in exports.json_lines(rows): ...

`rows` are dicts of texts, numbers, None and lists; they are read while they are sent, so an export needs no memory.
"""

import csv
import io
import json
from collections.abc import Callable, Iterable, Iterator

from server.services import paging
from server.services.reporting.spreadsheets import BOM, neutral

CSV, JSON_LINES = FORMATS = ("csv", "jsonl")
MEDIA_TYPES = {CSV: "text/csv; charset=utf-8", JSON_LINES: "application/jsonl; charset=utf-8"}
BATCH = 500


def all_rows(read: Callable[[str | None], paging.Page]) -> Iterator:
    """Yield the rows of all pages of a list. read: takes a cursor."""
    cursor: str | None = None
    while True:
        page = read(cursor)
        yield from page.rows
        cursor = page.next
        if cursor is None:
            return


def csv_lines(columns: Iterable[str], rows: Iterable[dict]) -> Iterator[bytes]:
    """Yield UTF-8 with a byte order mark and lines that end in CRLF (RFC 4180); lists are joined with blanks."""
    columns = list(columns)
    yield (BOM + _line(columns)).encode()
    for row in rows:
        yield _line([_cell(row[name]) for name in columns]).encode()


def json_lines(rows: Iterable[dict]) -> Iterator[bytes]:
    """Yield one JSON object a line, UTF-8."""
    for row in rows:
        yield json.dumps(row, ensure_ascii=False, separators=(",", ":")).encode() + b"\n"


def _line(cells):
    out = io.StringIO(newline="")
    csv.writer(out, lineterminator="\r\n").writerow(cells)
    return out.getvalue()


def _cell(value):
    if value is None:
        return ""
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, list):
        value = " ".join(value)
    return neutral(value) if isinstance(value, str) else value
