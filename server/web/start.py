"""The start page: what waits for a person, by what the person may do."""

from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import clock, i18n
from server.services.inspecting import inspections
from server.services.people import accounts
from server.services.places import due_dates
from server.services.reporting import half_years, overview
from server.web import charts, page
from server.web.charts import Chart, Series
from server.web.places import presenters
from server.web.reporting import pictures

bp = Blueprint("start", __name__)

NEXT_SHOWN = 3


@bp.get("/start")
def index() -> ResponseReturnValue:
    """
    The start page.

    Inspectors see their running inspections and the restrooms that are due next, managers what waits for them, viewers
    the half-year in per cent; without a restroom everybody sees what to do first.
    """
    user, now_s = page.user(), clock.now_s()
    settings = current_app.extensions["settings"]
    is_manager, is_inspector = page.may(accounts.MANAGE), page.may(accounts.INSPECT)
    with page.sessions()() as session:
        numbers = overview.load(session, user, now_s, settings.silent_after_s)
        running = inspections.list_running(session, user, NEXT_SHOWN) if is_inspector else []
        due = (
            due_dates.list_due(session, user, now_s, within_s=due_dates.WEEK_S, limit=NEXT_SHOWN).rows
            if is_inspector
            else []
        )
        zone = ZoneInfo(settings.time_zone)
        span = half_years.half_year(*half_years.current_half(zone), zone)
        report = (
            half_years.make_report(session, user, span, half_years.Scope()) if not is_inspector or is_manager else None
        )
        weeks = overview.count_by_week(session, user, now_s) if is_manager else []
        return render_template(
            "start/index.html",
            numbers=numbers,
            running=running,
            due=[(room, presenters.due(room, now_s)) for room in due],
            report=report,
            weeks=_weeks_chart(weeks) if weeks else None,
            shares=pictures.shares_chart(report) if report and len(report.rows) > 1 else None,
            is_manager=is_manager,
            is_inspector=is_inspector,
            work_address=url_for("work.index") if is_inspector else None,
            is_new=not numbers.restrooms,
            has_sensor=overview.has_sensor(session),
        )


def _weeks_chart(weeks) -> Chart:
    values = [week.inspections for week in weeks]
    summary = gettext(
        "%(total)s inspections in %(weeks)s weeks, %(last)s in the last seven days.",
        total=sum(values),
        weeks=len(values),
        last=values[-1],
    )
    labels = [i18n.short_day(week.start_s) for week in weeks]
    series = [Series(gettext("Inspections"), values)]
    return charts.columns(gettext("Inspections by week"), summary, gettext("Week from"), labels, series)
