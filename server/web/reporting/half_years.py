"""Half-year reports as page, print view, CSV, XLSX and PDF."""

from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, render_template, request, url_for
from flask.typing import ResponseReturnValue

from server.services.people import access_log
from server.services.reporting import half_years, spreadsheets
from server.web import page
from server.web.reporting import documents
from server.web.reporting.documents import CSV, PDF, XLSX
from server.wording import reports as wording

bp = Blueprint("reports", __name__)

PRINT = "print"
SHOWN_ROWS = 300  # on the page and on paper; the files have all
YEARS = 6


@bp.get("/reports")
def index() -> ResponseReturnValue:
    """A report; ?of= an organisation, facility or restroom, ?year=, ?half= 0, 1 or 2, ?as= csv, xlsx, pdf or print."""
    zone = ZoneInfo(current_app.extensions["settings"].time_zone)
    this_year, this_half = half_years.current_half(zone)
    year = request.args.get("year", this_year, type=int)
    half = request.args.get("half", this_half, type=int)
    year = min(max(year, 2000), this_year + 1)
    span = half_years.half_year(year, half if half in (0, 1, 2) else this_half, zone)
    kind = request.args.get("as", "")
    with page.sessions()() as session:
        scope = half_years.load_scope(session, page.user(), request.args.get("of", "").strip()[:40])
        report = half_years.make_report(session, page.user(), span, scope)
        query = {"of": _id(scope), "year": year, "half": span.half}
        if kind in documents.TYPES:
            page.record_access(access_log.EXPORTED, f"report:{kind}:{_id(scope) or 'all'}")
        if kind in (CSV, XLSX):
            return _file(kind, report)
        if kind == PDF:
            return documents.pdf_answer(
                "reporting/_paper.html",
                url_for("reports.index", **query),
                wording.file_name(report),
                **_context(report),
            )
        if kind == PRINT:
            return render_template("reporting/print.html", body="reporting/_paper.html", back=query, **_context(report))
        return render_template(
            "reporting/index.html",
            query=query,
            years=range(this_year, this_year - YEARS, -1),
            organisations=half_years.list_organisations(session, page.user()),
            up=_parents(scope),
            **_context(report),
        )


def _id(scope: half_years.Scope) -> str | None:
    return next((place.public_id for place in scope if place is not None), None)


def _parents(scope: half_years.Scope) -> list:
    """Return the places of the wider reports, from None (all places) down."""
    restroom, facility, organisation = scope.restroom, scope.facility, scope.organisation
    if restroom:
        facility = restroom.facility
    if facility:
        organisation = facility.organisation
    chain = [place for place in (organisation, facility, restroom) if place is not None]
    return [None, *chain[:-1]] if chain else []


def _context(report: half_years.Report) -> dict:
    return {
        "report": report,
        "title": wording.title(report),
        "wording": wording,
        "facts": wording.facts(report),
        "rows": wording.sorted_rows(report)[:SHOWN_ROWS],
        "hidden": max(0, len(report.rows) - SHOWN_ROWS),
        "limits": wording.limits(),
    }


def _file(kind, report):
    header, rows = wording.table(report)
    rows += [[], *wording.facts(report)]
    title = wording.title(report)
    data = spreadsheets.csv_bytes(header, rows) if kind == CSV else spreadsheets.xlsx_bytes(title, header, rows)
    return documents.download(data, kind, wording.file_name(report))
