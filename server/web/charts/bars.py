"""Columns by category, horizontal shares, and a balance of what speaks for and against."""

from collections.abc import Sequence

from server.web.charts import drawing
from server.web.charts.drawing import BOTTOM, LEFT, RIGHT, TOP, WIDTH, Chart, Series

HEIGHT = 160
SHARE_ROW = 36
BALANCE_ROW = 38
KINDS = ("c-main", "c-second")


def columns(
    title: str, summary: str, first: str, labels: Sequence[str], series: Sequence[Series], unit: str = ""
) -> Chart:
    """
    Return columns, one or two for each category.

    first   heading of the table's first column
    labels  names of the categories; the axis shows as many as fit
    series  one or two rows of numbers >= 0; a value that is None has no column
    unit    after the numbers of the axis, such as "%"
    """
    values = [value for one in series for value in one.values if value is not None]
    top = 100 if unit == "%" else drawing.nice_top(max([*values, 1]))
    base = HEIGHT - BOTTOM
    slot = (WIDTH - LEFT - RIGHT) / max(len(labels), 1)
    width = min(slot * 0.8 / len(series), 28)
    parts = [drawing.stroke(LEFT, base, WIDTH - RIGHT, base)]
    for part in (0.5, 1):
        y = drawing.scale(top * part, 0, top, base, TOP)
        parts.append(drawing.stroke(LEFT, y, WIDTH - RIGHT, y, "c-quiet"))
        parts.append(drawing.text(LEFT - 4, y + 4, drawing.number(top * part) + unit, "end"))
    for row, one in enumerate(series):
        for place, value in enumerate(one.values):
            if value is None:
                continue
            x = LEFT + slot * (place + 0.5) + width * (row - len(series) / 2)
            y = drawing.scale(value, 0, top, base, TOP)
            hint = f"{labels[place]}: {drawing.number(value)}{unit}"
            parts.append(drawing.rect(x, y, width - 1, base - y, KINDS[row], hint))
    every = max(1, -(-len(labels) * 52 // (WIDTH - LEFT - RIGHT)))
    for place in range(0, len(labels), every):
        parts.append(drawing.text(LEFT + slot * (place + 0.5), HEIGHT - 6, drawing.cut(labels[place], 12), "middle"))
    rows = drawing.table_rows([(label, *(one.values[place] for one in series)) for place, label in enumerate(labels)])
    legend = tuple((KINDS[row], one.name) for row, one in enumerate(series)) if len(series) > 1 else ()
    return Chart(
        title, summary, drawing.picture(summary, HEIGHT, parts), (first, *(one.name for one in series)), rows, legend
    )


def shares(title: str, summary: str, head: tuple[str, str, str, str], rows: Sequence[tuple[str, int, int]]) -> Chart:
    """
    Return one horizontal bar a row: a part of a whole, in per cent.

    head  headings of the table: of the name, of the part, of the whole, of the percentage
    rows  (name, part, whole); a whole of 0 has no percentage
    """
    parts, table = [], []
    for place, (name, part, whole) in enumerate(rows):
        y = place * SHARE_ROW
        percent = part * 100 // whole if whole else None
        label = f"{percent}%" if percent is not None else "–"
        parts.append(drawing.text(0, y + 13, drawing.cut(name, 44)))
        parts.append(drawing.text(WIDTH, y + 13, label, "end", strong=True))
        parts.append(drawing.rect(0, y + 19, WIDTH, 9, "c-quiet"))
        parts.append(drawing.rect(0, y + 19, WIDTH * (percent or 0) / 100, 9, "c-main", f"{name}: {part} / {whole}"))
        table.append((name, part, whole, label))
    height = max(len(rows), 1) * SHARE_ROW
    return Chart(title, summary, drawing.picture(summary, height, parts), head, drawing.table_rows(table))


def balance(
    title: str,
    summary: str,
    head: tuple[str, str],
    rows: Sequence[tuple[str, int]],
    total: tuple[str, int],
    limit: tuple[str, int],
    legend: tuple[str, str],
) -> Chart:
    """
    Return bars to the right for what speaks for, to the left for what speaks against, and their sum with a limit.

    rows    (what, points), negative points speak against
    total   (name, points) of the sum, 0..100
    limit   (name, points) that the sum has to reach
    legend  names of for and against
    """
    lowest = min([0, *(points for _, points in rows)])
    highest = max([total[1], limit[1], *(points for _, points in rows)])

    def x_of(points):
        return drawing.scale(points, lowest, highest, 4, WIDTH - 4)

    parts = []
    for place, (name, points) in enumerate(rows):
        y = place * BALANCE_ROW
        kind = "c-for" if points > 0 else "c-against"
        start, end = sorted((x_of(0), x_of(points)))
        parts.append(drawing.text(4, y + 13, drawing.cut(name, 48)))
        parts.append(drawing.text(WIDTH - 4, y + 13, f"{points:+d}".replace("-", "−"), "end", strong=True))
        parts.append(drawing.rect(start, y + 19, max(end - start, 1), 11, kind))
        parts.append(drawing.stroke(x_of(0), y + 17, x_of(0), y + 32))
    y = len(rows) * BALANCE_ROW + 6
    parts.append(drawing.text(4, y + 13, f"{total[0]}: {total[1]}", strong=True))
    parts.append(drawing.rect(x_of(0), y + 19, x_of(total[1]) - x_of(0), 14, "c-for"))
    parts.append(drawing.stroke(x_of(0), y + 17, x_of(0), y + 35))
    parts.append(drawing.stroke(x_of(limit[1]), y + 15, x_of(limit[1]), y + 38, "c-text", True))
    parts.append(drawing.text(min(x_of(limit[1]), WIDTH - 60), y + 50, f"{limit[0]}: {limit[1]}", "middle"))
    table = drawing.table_rows([*rows, total, limit])
    names = (("c-for", legend[0]), ("c-against", legend[1]))
    return Chart(title, summary, drawing.picture(summary, y + 56, parts), head, table, names)
