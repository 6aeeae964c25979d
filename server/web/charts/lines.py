"""Values over time, with gaps shown as gaps and moments marked."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from markupsafe import Markup

from server.web.charts import drawing
from server.web.charts.drawing import BOTTOM, LEFT, PAPER, RIGHT, TOP, WIDTH, Chart

HEIGHT = 160
DOTS = 60  # more values than this are drawn without a dot each


class Mark(NamedTuple):
    """A moment worth a vertical line, such as a visit."""

    at_s: int
    text: str


def line(
    title: str,
    summary: str,
    points: Sequence[tuple[int, float | None]],
    *,
    head: tuple[str, str],
    when: Callable[[int], str],
    short: Callable[[int], str],
    gap_s: int,
    marks: Sequence[Mark] = (),
    mark_name: str = "",
    threshold: float | None = None,
) -> Chart:
    """
    Return the curve of values over time.

    points     (seconds since 1970, value or None), in order of time
    head       headings of the table: of the time, of the value
    when       formats a time for the table, `short` for the axis
    gap_s      two values further apart than this are not joined
    marks      moments marked by a vertical line; they are rows of the table as well
    threshold  a value marked by a horizontal line
    """
    known = [(at_s, value) for at_s, value in points if value is not None]
    times = [at_s for at_s, _ in points] + [mark.at_s for mark in marks]
    values = [value for _, value in known] + ([threshold] if threshold is not None else [])
    if not known:
        return Chart(title, summary, Markup(""), head, [])
    since_s, until_s = min(times), max(times)
    low, high = min(values), max(values)
    if high - low < 10:
        low, high = low - 5, high + 5

    def x_of(at_s):
        return drawing.scale(at_s, since_s, until_s, LEFT, WIDTH - RIGHT)

    def y_of(value):
        return drawing.scale(value, low, high, HEIGHT - BOTTOM, TOP)

    parts = [
        drawing.stroke(LEFT, HEIGHT - BOTTOM, WIDTH - RIGHT, HEIGHT - BOTTOM),
        drawing.text(LEFT - 4, y_of(high) + 5, drawing.number(round(high)), "end"),
        drawing.text(LEFT - 4, y_of(low), drawing.number(round(low)), "end"),
        drawing.text(LEFT, HEIGHT - 6, short(since_s)),
        drawing.text(WIDTH - RIGHT, HEIGHT - 6, short(until_s), "end"),
    ]
    parts += [
        drawing.stroke(x_of(mark.at_s), TOP, x_of(mark.at_s), HEIGHT - BOTTOM, "c-second", True) for mark in marks
    ]
    if threshold is not None:
        parts.append(drawing.stroke(LEFT, y_of(threshold), WIDTH - RIGHT, y_of(threshold), "c-mark", True))
    for run in _runs(points, gap_s):
        path = " ".join(f"{drawing.number(x_of(at_s))},{drawing.number(y_of(value))}" for at_s, value in run)
        parts.append(_CURVE.format(path, PAPER["c-main"]))
        if len(run) == 1 or len(known) <= DOTS:
            parts += [
                _DOT.format(drawing.number(x_of(at_s)), drawing.number(y_of(value)), PAPER["c-main"])
                for at_s, value in run
            ]
    rows = [(at_s, when(at_s), value) for at_s, value in points] + [(m.at_s, when(m.at_s), m.text) for m in marks]
    rows.sort(key=lambda row: row[0])
    table = drawing.table_rows([row[1:] for row in rows])
    legend = (("c-second", mark_name),) if marks and mark_name else ()
    return Chart(title, summary, drawing.picture(summary, HEIGHT, parts), head, table, legend)


_CURVE = Markup('<polyline points="{}" class="c-curve" fill="none" stroke="{}" stroke-width="2"/>')
_DOT = Markup('<circle cx="{}" cy="{}" r="3" class="c-main" fill="{}"/>')


def _runs(points, gap_s):
    """Return the stretches of values without a gap."""
    runs: list[list[tuple[int, float]]] = []
    before = None
    for at_s, value in points:
        if value is None:
            before = None
            continue
        if before is None or at_s - before > gap_s:
            runs.append([])
        runs[-1].append((at_s, value))
        before = at_s
    return runs
