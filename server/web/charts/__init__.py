"""
Charts as accessible SVG, drawn on the server: each has a sentence for screen readers and the same values as a table.

    chart = charts.columns(title, summary, gettext("Week"), ["23 Nov"], [Series(gettext("Inspections"), (3,))])
    {{ figure(chart) }}      # charts/_figure.html

    lines    level over time, battery over time
    bars     columns by week, horizontal shares, evidence for and against
    grids    channel by time, days of a year

The functions take numbers and translated texts and know no database. Colours come from css/charts.css, which has a
light and a dark value for each class; the `fill` and `stroke` attributes are what paper uses.
"""

from server.web.charts.bars import balance, columns, shares
from server.web.charts.drawing import Chart, Series
from server.web.charts.grids import Cell, calendar, channel_map
from server.web.charts.lines import Mark, line

__all__ = ["Cell", "Chart", "Mark", "Series", "balance", "calendar", "channel_map", "columns", "line", "shares"]
