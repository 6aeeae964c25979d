"""Charts of half-year reports."""

from flask_babel import gettext

from server import i18n
from server.services.reporting import half_years
from server.web import charts
from server.web.charts import Chart

SHARES_SHOWN = 30


def shares_chart(report: half_years.Report) -> Chart:
    """Return the share of restrooms inspected in a half-year, place by place, the lowest first."""
    rows = [(i18n.local_name(row.place), row.inspected, row.restrooms) for row in report.rows if row.restrooms]
    rows.sort(key=lambda row: (row[1] / row[2], row[0]))
    total = report.total
    percent = total.inspected * 100 // total.restrooms if total.restrooms else 0
    summary = gettext(
        "%(percent)s %% of all restrooms inspected; %(places)s places, the lowest share first.",
        percent=percent,
        places=len(rows),
    )
    head = (gettext("Place"), gettext("Inspected"), gettext("Restrooms"), gettext("Share"))
    return charts.shares(gettext("Share of restrooms inspected"), summary, head, rows[:SHARES_SHOWN])
