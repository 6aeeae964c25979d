"""Sensors, the log, and reports."""

from zoneinfo import ZoneInfo

from apiflask import APIBlueprint
from flask import current_app

from server import clock
from server.api import PREFIX, authentication, responses, schemas
from server.api.inspecting import entry_out
from server.services import listings
from server.services.people import accounts
from server.services.reporting import half_years
from server.services.sensors import enrolment

bp = APIBlueprint("sensors", __name__, url_prefix=PREFIX)


@bp.get("/sensors")
@bp.input(schemas.Page, location="query")
@bp.output(schemas.SensorPage)
@authentication.needs(accounts.SEE)
def index(query_data):
    """Sensors: those fixed in the person's places, and carried ones."""
    after = responses.cursor(query_data.cursor)
    with authentication.sessions()() as session:
        rows = listings.sensors(session, authentication.user(), after, query_data.limit)
        return responses.page(rows, query_data.limit, sensor_out)


@bp.get("/sensors/<name>")
@bp.output(schemas.SensorOut)
@authentication.needs(accounts.SEE)
def show(name):
    """One sensor."""
    with authentication.sessions()() as session:
        return sensor_out(enrolment.sensor(session, name, authentication.user()))


@bp.get("/log")
@bp.input(schemas.LogQuery, location="query")
@bp.output(schemas.LogPage)
@authentication.needs(accounts.ADMINISTER)
def log(query_data):
    """The whole log, oldest first, without personal fields: for administrators whose role holds everywhere."""
    if not authentication.user().everywhere:
        raise responses.Problem(403, "right_missing", "The person's role does not hold everywhere.")
    after = responses.cursor(query_data.cursor)
    with authentication.sessions()() as session:
        rows = listings.log_entries(session, query_data.kind, query_data.subject, after, query_data.limit)
        return responses.page(rows, query_data.limit, entry_out, number=lambda row: row.n)


@bp.get("/reports")
@bp.input(schemas.ReportQuery, location="query")
@bp.output(schemas.ReportOut)
@authentication.needs(accounts.SEE)
def report(query_data):
    """The counts of half a year, or of a year: by organisation, facility or restroom."""
    zone = ZoneInfo(current_app.extensions["settings"].time_zone)
    span = half_years.half_year(query_data.year, query_data.half, zone)
    with authentication.sessions()() as session:
        scope = half_years.find(session, authentication.user(), query_data.of)
        made = half_years.report_of(session, authentication.user(), span, scope)
    rows = [{"id": row.what.public_id, "name": row.what.name, **_counts(row)} for row in made.rows]
    told = {"since_s": span.since_s, "until_s": span.until_s, "made_s": made.made_s, "by": made.by}
    return {**told, "total": _counts(made.total), "rows": rows}


def _counts(row):
    counts = row._asdict()
    counts.pop("what")
    counts.pop("coverage_sum")
    return {**counts, "coverage_percent": row.coverage_percent, "false_permille": row.false_permille}


def sensor_out(one) -> dict:
    """A sensor as it goes out."""
    info = one.info or {}
    silent_after_s = current_app.extensions["settings"].silent_after_s
    return {
        "name": one.name,
        "label": one.label,
        "status": enrolment.status(one, clock.now_s(), silent_after_s),
        "restroom": one.restroom.public_id if one.restroom else None,
        "last_seen_s": one.last_seen_s,
        "version": info.get("version", ""),
        "board": info.get("board", ""),
        "battery_percent": info.get("battery_percent"),
        "capabilities": info.get("capabilities", []),
        "enrolled_s": one.enrolled_s,
        "revoked_s": one.revoked_s,
    }
