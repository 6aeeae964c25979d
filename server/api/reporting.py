"""Half-year reports."""

from zoneinfo import ZoneInfo

from apiflask import APIBlueprint
from flask import current_app

from server.api import PREFIX, authentication, schemas
from server.services.people import accounts
from server.services.reporting import half_years

bp = APIBlueprint("reports", __name__, url_prefix=PREFIX)


@bp.get("/reports")
@bp.input(schemas.ReportQuery, location="query")
@bp.output(schemas.ReportOut)
@authentication.needs(accounts.SEE)
def report(query_data: schemas.ReportQuery) -> dict:
    """The counts of half a year, or of a year: by organisation, facility or restroom."""
    zone = ZoneInfo(current_app.extensions["settings"].time_zone)
    span = half_years.half_year(query_data.year, query_data.half, zone)
    with authentication.sessions()() as session:
        scope = half_years.load_scope(session, authentication.user(), query_data.of)
        report = half_years.make_report(session, authentication.user(), span, scope)
    return {
        "since_s": span.since_s,
        "until_s": span.until_s,
        "made_s": report.made_s,
        "by": report.by,
        "total": _counts(report.total),
        "rows": [_row_out(row) for row in report.rows],
    }


def _row_out(row: half_years.Counts) -> dict:
    assert row.place, "only the total has none"
    return {"id": row.place.public_id, "name": row.place.name, **_counts(row)}


def _counts(row: half_years.Counts) -> dict:
    percents = {"coverage_percent": row.coverage_percent, "false_permille": row.false_permille}
    return {**row.numbers(), **percents}
