"""
Pages of a list: some rows, and the cursor at which the next ones begin.

    page = paging.cut(rows, limit, key=lambda row: row.id)      # rows: up to limit + 1 of them
    page.rows, page.next

A list function asks the database for one row more than it returns, so that it knows whether there are more.
"""

import base64
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from server.services.errors import NotFound

Row = TypeVar("Row")


FOREVER_S = 1 << 40  # later than any time that is stored


class BadCursor(NotFound):
    """The text is not a cursor, or is the cursor of a row that the list does not have. The API answers with 400."""


@dataclass(frozen=True)
class Page(Generic[Row]):
    """
    rows  at most `limit` rows
    next  cursor of the next page, None on the last
    """

    rows: list[Row]
    next: str | None


def cut(rows: Sequence[Row], limit: int, key: Callable[[Row], int] = lambda row: row.id) -> Page[Row]:  # type: ignore[attr-defined]
    """
    Return the first `limit` of `rows` as a Page; a further row means that there is a next page.

    key(row) is the number that the list is sorted by.
    """
    page_rows = list(rows[:limit])
    return Page(page_rows, encode(key(page_rows[-1])) if len(rows) > limit else None)


def encode(number: int) -> str:
    """Return the cursor that stands for a row number."""
    return base64.urlsafe_b64encode(f"after:{number}".encode()).decode().rstrip("=")


def decode(cursor: str | None) -> int | None:
    """Return the row number of a cursor, None for None or "". Raises BadCursor."""
    if not cursor:
        return None
    try:
        text = base64.urlsafe_b64decode(cursor.encode() + b"=" * (-len(cursor) % 4)).decode()
        number = int(text.removeprefix("after:"))
    except (ValueError, UnicodeError):
        raise BadCursor("cursor") from None
    if not 0 <= number < 1 << 63:
        raise BadCursor("cursor")
    return number
