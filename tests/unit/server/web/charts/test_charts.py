"""The charts: what is drawn has the values, and every value is in the table."""

import re
from datetime import date
from xml.etree import ElementTree

import pytest

from server.web import charts
from server.web.charts import Cell, Mark, Series, drawing

SVG = "{http://www.w3.org/2000/svg}"


def shapes(chart, name, kind=""):
    """Return the attributes of the shapes of a kind, as a browser would parse them."""
    root = ElementTree.fromstring(str(chart.svg).replace("<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1))
    return [one.attrib for one in root.iter(SVG + name) if not kind or one.get("class") == kind]


def times(seconds):
    return f"{seconds} s"


def line(points, **options):
    options = {"head": ("Time", "dBm"), "when": times, "short": times, "gap_s": 60, **options}
    return charts.line("Level", "From -70 to -40 dBm", points, **options)


def test_a_line_is_higher_for_a_stronger_level_and_the_table_has_the_values():
    chart = line([(0, -70), (30, -40)])

    first, second = (float(dot["cy"]) for dot in shapes(chart, "circle"))

    assert second < first
    assert chart.rows == [("0 s", "-70"), ("30 s", "-40")]


def test_a_gap_is_not_bridged_and_a_missing_value_is_one():
    assert len(shapes(line([(0, -70), (30, -60), (300, -50), (330, -50)]), "polyline")) == 2
    chart = line([(0, -70), (30, None), (60, -50)])
    assert len(shapes(chart, "polyline")) == 2 and ("30 s", "–") in chart.rows


def test_visits_are_marked_and_in_the_table():
    chart = line([(0, -70), (30, -60)], marks=[Mark(10, "Visit")], mark_name="Visits")

    assert len(shapes(chart, "line", "c-second")) == 1
    assert chart.rows[1] == ("10 s", "Visit") and chart.legend == (("c-second", "Visits"),)


def test_no_values_give_no_drawing_and_no_table():
    assert not line([]).svg and not line([(0, None)]).rows


def test_columns_have_heights_in_proportion_and_leave_out_what_is_not_known():
    chart = charts.columns("Weeks", "", "Week", ["1", "2", "3"], [Series("Inspections", (2, 4, None))])

    heights = [float(one["height"]) for one in shapes(chart, "rect", "c-main")]

    assert heights == pytest.approx([heights[0], heights[0] * 2], abs=0.2)
    assert chart.rows == [("1", "2"), ("2", "4"), ("3", "–")]


def test_shares_are_in_per_cent_and_a_whole_of_nothing_has_none():
    chart = charts.shares("Districts", "", ("District", "Inspected", "All", "Share"), [("A", 1, 4), ("B", 0, 0)])

    assert [float(one["width"]) for one in shapes(chart, "rect", "c-main")] == [drawing.WIDTH / 4, 0]
    assert chart.rows == [("A", "1", "4", "25%"), ("B", "0", "0", "–")]


def test_evidence_against_goes_left_and_for_goes_right_of_the_same_line():
    chart = charts.balance(
        "Evidence", "", ("Rule", "Points"), [("Steady", 40), ("Bursts", -15)], ("Sum", 65), ("Alarm", 60), ("+", "−")
    )

    (steady, total), (bursts,) = shapes(chart, "rect", "c-for"), shapes(chart, "rect", "c-against")

    zero = float(steady["x"])
    assert float(bursts["x"]) + float(bursts["width"]) == pytest.approx(zero, abs=0.2)
    assert float(total["x"]) == pytest.approx(zero, abs=0.2)
    assert chart.rows == [("Steady", "40"), ("Bursts", "-15"), ("Sum", "65"), ("Alarm", "60")]


def test_the_channel_map_tells_heard_from_silent_from_not_read_from_not_listened():
    cells = {(0, 1): Cell(3000, 12, 0), (0, 6): Cell(3000, 0, 4)}
    head = ("Period", "Channel", "s", "Headers", "Not read")
    chart = charts.channel_map("Sweep", "", ["10:00"], [1, 6, 11], cells, head, ("heard", "silent", "unread", "not"))

    assert [len(shapes(chart, "rect", kind)) for kind in ("c-main", "c-quiet", "c-second")] == [1, 1, 1]
    assert len(shapes(chart, "line", "c-line")) == 1
    assert chart.rows[2] == ("10:00", "11", "0", "0", "0")


def test_the_calendar_has_every_day_and_marks_those_of_the_year():
    marked = {date(2028, 2, 29): ("c-main", "eye, RF"), date(2027, 2, 1): ("c-main", "eye")}
    months = [str(month) for month in range(1, 13)]
    chart = charts.calendar("2028", "", 2028, marked, months, ("Day", "Methods"), ())

    assert len(shapes(chart, "rect")) == 366
    assert len(shapes(chart, "rect", "c-main")) == 1
    assert chart.rows == [("2028-02-29", "eye, RF")]


def test_texts_from_outside_are_escaped():
    chart = charts.shares("x", 'a "quote"', ("a", "b", "c", "d"), [("<script>", 1, 2)])

    assert "<script>" not in chart.svg and "&lt;script&gt;" in chart.svg
    shapes(chart, "text")  # well-formed


def test_drawings_have_no_inline_styles():
    chart = line([(0, -70), (30, -40)], threshold=-50)

    assert not re.search(r"\sstyle=", str(chart.svg))


@pytest.mark.parametrize(("highest", "top"), [(1, 4), (4, 4), (5, 8), (21, 40), (1234, 2000)])
def test_an_axis_ends_at_a_round_number(highest, top):
    assert drawing.nice_top(highest) == top


def test_long_names_are_cut_with_wide_letters_counted_twice():
    assert drawing.cut("Sample City Hall", 40) == "Sample City Hall"
    assert drawing.cut("가나다라마바사", 9).endswith("…") and len(drawing.cut("가나다라마바사", 9)) <= 5
