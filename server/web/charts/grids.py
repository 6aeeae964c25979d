"""Channel by time, and the days of a year."""

import calendar as days
from collections.abc import Mapping, Sequence
from datetime import date
from typing import NamedTuple

from server.web.charts import drawing
from server.web.charts.drawing import LEFT, RIGHT, WIDTH, Chart

ROW = 15
MONTHS_A_ROW = 3
DAY_SIZE = 14


class Cell(NamedTuple):
    """What a sensor did on one channel in one period: listened_ms 0 is not listening; frames as it counted them."""

    listened_ms: int
    frames: int
    unread: int


def channel_map(
    title: str,
    summary: str,
    periods: Sequence[str],
    channels: Sequence[int],
    cells: Mapping[tuple[int, int], Cell],
    head: tuple[str, str, str, str, str],
    legend: tuple[str, str, str, str],
) -> Chart:
    """
    Return a map of channels (rows) by time (columns).

    periods   names of the columns, in order of time
    cells     {(place of the period, channel): Cell}; a missing one was not listened to
    head      headings of the table: period, channel, seconds listened, headers heard, not read
    legend    headers heard; listened, none heard; frames that could not be read; not listened
    """
    width = (WIDTH - LEFT - RIGHT) / max(len(periods), 1)
    parts, table = [], []
    for line, channel in enumerate(channels):
        y = 4 + line * ROW
        parts.append(drawing.text(LEFT - 6, y + 11, str(channel), "end"))
        for place, period in enumerate(periods):
            cell = cells.get((place, channel), Cell(0, 0, 0))
            x = LEFT + place * width
            if cell.listened_ms:
                kind = "c-main" if cell.frames else "c-quiet"
                hint = f"{period} · {channel} · {cell.listened_ms / 1000:.1f} s · {cell.frames}"
                parts.append(drawing.rect(x, y, max(width - 1, 0.6), ROW - 2, kind, hint))
                if cell.unread:
                    parts.append(drawing.rect(x, y + ROW - 7, max(width - 1, 0.6), 5, "c-second"))
            else:
                middle = y + ROW / 2 - 1
                parts.append(drawing.stroke(x + width * 0.25, middle, x + width * 0.6, middle, "c-line"))
            table.append((period, str(channel), cell.listened_ms / 1000, cell.frames, cell.unread))
    height = 4 + len(channels) * ROW + 20
    if periods:
        parts.append(drawing.text(LEFT, height - 5, periods[0]))
        if len(periods) > 1:
            parts.append(drawing.text(WIDTH - RIGHT, height - 5, periods[-1], "end"))
    names = tuple(zip(("c-main", "c-quiet", "c-second", "c-line"), legend, strict=True))
    return Chart(title, summary, drawing.picture(summary, height, parts), head, drawing.table_rows(table), names)


def calendar(
    title: str,
    summary: str,
    year: int,
    marked: Mapping[date, tuple[str, str]],
    month_names: Sequence[str],
    head: tuple[str, str],
    legend: tuple[tuple[str, str], ...],
) -> Chart:
    """
    Return the days of a year, those that are marked in colour.

    marked  {day: (class, text)}; the texts are the table
    legend  [(class, name), ...]
    """
    month_width = (WIDTH - (MONTHS_A_ROW - 1) * 12) / MONTHS_A_ROW
    day_width = month_width / 7
    month_height = 18 + 6 * DAY_SIZE + 8
    parts = []
    for month in range(1, 13):
        line, place = divmod(month - 1, MONTHS_A_ROW)
        left, top = place * (month_width + 12), line * month_height
        parts.append(drawing.text(left, top + 12, month_names[month - 1], strong=True))
        first_weekday, length = days.monthrange(year, month)
        for day in range(1, length + 1):
            row, column = divmod(first_weekday + day - 1, 7)
            kind, hint = marked.get(date(year, month, day), ("c-quiet", ""))
            x, y = left + column * day_width, top + 18 + row * DAY_SIZE
            parts.append(drawing.rect(x, y, day_width - 2, DAY_SIZE - 2, kind, f"{day}: {hint}" if hint else ""))
    table = [(f"{day:%Y-%m-%d}", marked[day][1]) for day in sorted(marked) if day.year == year]
    svg = drawing.picture(summary, 4 * month_height, parts)
    return Chart(title, summary, svg, head, drawing.table_rows(table), legend)
