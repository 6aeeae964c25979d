"""Half-year reports as page, print view, CSV, XLSX and PDF."""

from zoneinfo import ZoneInfo

from flask import Blueprint, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy.orm import Session

from server import security
from server.models.reporting import FrozenReport
from server.services import errors
from server.services.people import access_log, accounts
from server.services.reporting import half_years, spreadsheets, submitted_reports
from server.web import page
from server.web.reporting import documents, pictures
from server.web.reporting.documents import CSV, PDF, XLSX
from server.wording import reports as wording

bp = Blueprint("reports", __name__)

PRINT = "print"
SHOWN_ROWS = 300  # on the page and on paper; the files have all
YEARS = 6
COMPARED = (
    "restrooms",
    "inspected",
    "enough_times",
    "inspections",
    "coverage_percent",
    "alarms",
    "as_false",
    "as_referred",
)


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
        before = half_years.make_report(session, page.user(), _span_before(span, zone), scope)
        context = _context(report, before)
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
                **context,
            )
        if kind == PRINT:
            return render_template("reporting/print.html", body="reporting/_paper.html", back=query, **context)
        return render_template(
            "reporting/index.html",
            query=query,
            years=range(this_year, this_year - YEARS, -1),
            organisations=half_years.list_organisations(session, page.user()),
            up=_parents(scope),
            frozen=submitted_reports.list_frozen(session, page.user(), report),
            may_freeze=report.span.until_s <= report.made_s,
            **context,
        )


@bp.post("/reports/freeze")
@security.needs(accounts.MANAGE)
def freeze() -> ResponseReturnValue:
    """Freeze the report of ?of=, ?year=, ?half= as it is now: as it is submitted."""
    zone = ZoneInfo(current_app.extensions["settings"].time_zone)
    year, half = request.args.get("year", 0, type=int), request.args.get("half", 0, type=int)
    if not 2000 <= year <= half_years.current_half(zone)[0] or half not in (0, 1, 2):
        raise errors.NotFound("report")
    with page.sessions().begin() as session:
        scope = half_years.load_scope(session, page.user(), request.args.get("of", "").strip()[:40])
        report = half_years.make_report(session, page.user(), half_years.half_year(year, half, zone), scope)
        try:
            row = submitted_reports.freeze(session, page.user(), report)
        except errors.Refused as error:
            page.flash_warning(page.refusal_text(error))
            return redirect(url_for("reports.index", of=_id(scope), year=year, half=half))
        return redirect(url_for("reports.show_frozen", public_id=row.public_id))


@bp.get("/reports/frozen/<public_id>")
def show_frozen(public_id: str) -> ResponseReturnValue:
    """A report as it was submitted; ?as= csv, xlsx, or print (the default)."""
    kind = request.args.get("as", "")
    with page.sessions()() as session:
        row = submitted_reports.load(session, page.user(), public_id)
        report = submitted_reports.thaw(row)
        stamp = wording.frozen_facts(row)
        if kind in documents.TYPES:
            page.record_access(access_log.EXPORTED, f"report:{kind}:{row.public_id}")
        if kind in (CSV, XLSX):
            return _file(kind, report, stamp)
        context = _context(report)
        context["facts"] = [*context["facts"], *stamp]
        if kind == PDF:
            back = url_for("reports.show_frozen", public_id=public_id)
            return documents.pdf_answer("reporting/_paper.html", back, wording.file_name(report), **context)
        query = {"of": row.of or None, "year": row.year, "half": row.half}
        return render_template(
            "reporting/print.html",
            body="reporting/_paper.html",
            back=query,
            frozen=row,
            differences=_differences(session, row, report),
            **context,
        )


def _id(scope: half_years.Scope) -> str | None:
    return next((place.public_id for place in scope if place is not None), None)


def _differences(session: Session, row: FrozenReport, report: half_years.Report) -> list | None:
    """Return what the report of today says otherwise; None if its place cannot be seen any more."""
    try:
        scope = half_years.load_scope(session, page.user(), row.of)
    except errors.NotFound:
        return None
    return wording.differences(report, half_years.make_report(session, page.user(), report.span, scope))


def _parents(scope: half_years.Scope) -> list:
    """Return the places of the wider reports, from None (all places) down."""
    restroom, facility, organisation = scope.restroom, scope.facility, scope.organisation
    if restroom:
        facility = restroom.facility
    if facility:
        organisation = facility.organisation
    chain = [place for place in (organisation, facility, restroom) if place is not None]
    return [None, *chain[:-1]] if chain else []


def _span_before(span: half_years.Span, zone: ZoneInfo) -> half_years.Span:
    """Return the half-year before a half-year, the year before a year."""
    if span.half == 2:
        return half_years.half_year(span.year, 1, zone)
    return half_years.half_year(span.year - 1, 2 if span.half else 0, zone)


def _percent(counts: half_years.Counts) -> int | None:
    return counts.inspected * 100 // counts.restrooms if counts.restrooms else None


def _context(report: half_years.Report, before: half_years.Report | None = None) -> dict:
    return {
        "report": report,
        "before": before,
        "percent": _percent(report.total),
        "percent_before": _percent(before.total) if before and before.total.inspections else None,
        "compared": COMPARED,
        "shares": pictures.shares_chart(report) if len(report.rows) > 1 and report.by != "restroom" else None,
        "not_inspected": [row for row in wording.sorted_rows(report) if row.not_inspected],
        "title": wording.title(report),
        "wording": wording,
        "facts": wording.facts(report),
        "rows": wording.sorted_rows(report)[:SHOWN_ROWS],
        "hidden": max(0, len(report.rows) - SHOWN_ROWS),
        "limits": wording.limits(),
    }


def _file(kind, report, stamp=()):
    header, rows = wording.table(report)
    rows += [[], *wording.facts(report), *stamp]
    title = wording.title(report)
    data = spreadsheets.csv_bytes(header, rows) if kind == CSV else spreadsheets.xlsx_bytes(title, header, rows)
    return documents.download(data, kind, wording.file_name(report))
