"""Charts of inspections: channels by time of a sweep, and the year of a restroom."""

from collections.abc import Sequence
from datetime import UTC, date, datetime

from babel.dates import get_month_names
from flask_babel import gettext
from sqlalchemy import select
from sqlalchemy.orm import Session

from server import i18n
from server.models.inspections import NOT_COMPLETED, Inspection
from server.models.intake import Sweep
from server.web import charts, forms
from server.web.charts import Cell, Chart
from server.wording import vocabulary

MOST_SWEEPS = 60


def channel_map(session: Session, inspection: Inspection) -> Chart:
    """Return which channels the sensors of an inspection listened to in each sweep, and whether they heard headers."""
    query = select(Sweep).where(Sweep.inspection_id == inspection.id).order_by(Sweep.at_s, Sweep.report_id)
    sweeps = session.scalars(query.limit(MOST_SWEEPS)).all()
    channels = sorted({*range(1, 14), *(row[0] for sweep in sweeps for row in sweep.channels)}) if sweeps else []
    cells = {
        (place, row[0]): Cell(row[1], row[2], row[3]) for place, sweep in enumerate(sweeps) for row in sweep.channels
    }
    heard = len({channel for (_, channel), cell in cells.items() if cell.frames})
    summary = gettext("%(sweeps)s sweeps; headers were heard on %(heard)s channels.", sweeps=len(sweeps), heard=heard)
    return charts.channel_map(
        gettext("Channels over time"),
        summary,
        [i18n.clock(sweep.at_s) for sweep in sweeps],
        channels if sweeps else (),
        cells,
        (gettext("Until"), gettext("Channel"), gettext("Seconds"), gettext("Headers heard"), gettext("Not read")),
        (
            gettext("headers heard"),
            gettext("listened, nothing heard"),
            gettext("some could not be read"),
            gettext("not listened"),
        ),
    )


def year_calendar(inspections: Sequence[tuple[Inspection, Sequence[str]]], year: int, language: str) -> Chart:
    """
    Return the days of a year on which a restroom was inspected.

    inspections  with the methods that were done
    """
    marked: dict[date, tuple[str, str]] = {}
    for inspection, methods in inspections:
        if inspection.finished_s is None:
            continue
        day = datetime.fromtimestamp(inspection.finished_s, UTC).astimezone(forms.site_zone()).date()
        words = ", ".join(str(vocabulary.METHODS[method]) for method in methods)
        if inspection.result == NOT_COMPLETED:
            marked.setdefault(day, ("c-second", gettext("not completed")))
        else:
            marked[day] = ("c-main", words)
    this_year = [day for day in marked if day.year == year]
    names = get_month_names("abbreviated", context="stand-alone", locale=language)
    return charts.calendar(
        gettext("Inspections in %(year)s", year=year),
        gettext("%(days)s days with an inspection in %(year)s.", days=len(this_year), year=year),
        year,
        marked,
        [names[month] for month in range(1, 13)],
        (gettext("Day"), gettext("Methods")),
        (("c-main", gettext("completed")), ("c-second", gettext("not completed"))),
    )
