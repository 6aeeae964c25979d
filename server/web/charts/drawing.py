"""SVG elements, axes and the Chart that all kinds of chart return."""

from collections.abc import Sequence
from typing import NamedTuple

from markupsafe import Markup

WIDTH = 360  # of the viewBox; about the width of a phone, so that text keeps its size there
LEFT, RIGHT, TOP, BOTTOM = 34, 8, 10, 22  # room for the axes' texts

# class -> colour on paper, where css/charts.css does not apply
PAPER = {
    "c-main": "#0b5a72",
    "c-second": "#d39a2b",
    "c-for": "#a81c1c",
    "c-against": "#0b5a72",
    "c-quiet": "#d5dee3",
    "c-text": "#4b5b67",
    "c-line": "#74838e",
    "c-mark": "#a81c1c",
}


class Chart(NamedTuple):
    """
    title     what it shows
    summary   the most important of it in a sentence, for screen readers
    svg       the drawing
    head      column headings of the table
    rows      the table's rows, texts and numbers; the first cell is the row's heading
    legend    [(class, text), ...] of what the drawing uses
    """

    title: str
    summary: str
    svg: Markup
    head: tuple[str, ...]
    rows: list[tuple]
    legend: tuple[tuple[str, str], ...] = ()


class Series(NamedTuple):
    """A named row of numbers, one for each category; None: not known."""

    name: str
    values: Sequence[float | None]


def number(value: float) -> str:
    """Return a number as SVG and tables show it: at most one decimal place, none if it is whole."""
    return f"{value:.1f}".removesuffix(".0")


def picture(summary: str, height: float, parts: Sequence[Markup]) -> Markup:
    """Return an SVG image of WIDTH × height with an accessible name."""
    start = Markup('<svg class="chart-svg" viewBox="0 0 {} {}" role="img" aria-label="{}">')
    return start.format(WIDTH, number(height), summary) + Markup("").join(parts) + Markup("</svg>")


def rect(x: float, y: float, width: float, height: float, kind: str, title: str = "") -> Markup:
    """Return a filled rectangle; `title` is shown when it is pointed at."""
    inside = Markup("<title>{}</title>").format(title) if title else ""
    return Markup('<rect x="{}" y="{}" width="{}" height="{}" class="{}" fill="{}">{}</rect>').format(
        number(x), number(y), number(max(width, 0)), number(max(height, 0)), kind, PAPER[kind.split()[0]], inside
    )


def stroke(x1: float, y1: float, x2: float, y2: float, kind: str = "c-line", dashed: bool = False) -> Markup:
    """Return a straight line."""
    dash = Markup(' stroke-dasharray="4 3"') if dashed else ""
    return Markup('<line x1="{}" y1="{}" x2="{}" y2="{}" class="{}" stroke="{}"{}/>').format(
        number(x1), number(y1), number(x2), number(y2), kind, PAPER[kind], dash
    )


def text(x: float, y: float, content: str, anchor: str = "start", kind: str = "c-text", strong: bool = False) -> Markup:
    """Return a text of 12 units; anchor: start, middle or end."""
    weight = Markup(' font-weight="700"') if strong else ""
    return Markup('<text x="{}" y="{}" text-anchor="{}" class="{}" fill="{}" font-size="12"{}>{}</text>').format(
        number(x), number(y), anchor, kind, PAPER[kind], weight, content
    )


def scale(value: float, low: float, high: float, start: float, end: float) -> float:
    """Return where a value lies between start and end; low == high lies in the middle."""
    if high == low:
        return (start + end) / 2
    return start + (value - low) / (high - low) * (end - start)


def nice_top(highest: float) -> int:
    """Return a round number at or above the highest value, for an axis that begins at 0."""
    step = 1
    while True:
        for factor in (1, 2, 5):
            if highest <= factor * step * 4:
                return factor * step * 4
        step *= 10


def cut(content: str, length: int) -> str:
    """Return a text that fits into `length` characters of Latin letters; Korean ones count twice."""
    room, kept = length, []
    for letter in content:
        room -= 2 if ord(letter) >= 0x1100 else 1
        if room < 1 and len(kept) < len(content) - 1:
            return "".join(kept) + "…"
        kept.append(letter)
    return content


def table_rows(rows: Sequence[Sequence]) -> list[tuple]:
    """Return table rows as texts, with "–" for what is not known."""
    return [tuple(_cell(cell) for cell in row) for row in rows]


def _cell(value):
    if value is None:
        return "–"
    return number(value) if isinstance(value, (int, float)) else str(value)
