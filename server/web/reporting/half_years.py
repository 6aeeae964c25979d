"""Reports of half years as page, print view, CSV, XLSX and PDF, and the certificate of an inspection."""

from pathlib import Path
from zoneinfo import ZoneInfo

from flask import Blueprint, Response, current_app, redirect, render_template, request, url_for
from flask_babel import gettext

from server import clock
from server.services import errors
from server.services.inspecting import certificates, inspections, signatures
from server.services.people import access_log
from server.services.reporting import half_years, pdf, spreadsheets
from server.web import facts, page, reach
from server.wording import reports as wording
from server.wording import vocabulary

bp = Blueprint("reports", __name__)

CSV, XLSX, PDF, PRINT = "csv", "xlsx", "pdf", "print"
TYPES = {
    CSV: "text/csv; charset=utf-8",
    XLSX: "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
    PDF: "application/pdf",
}
SHOWN_ROWS = 300  # on the page and on paper; the files have all
YEARS = 6


@bp.get("/reports")
def index():
    """A report; ?of= an organisation, facility or restroom, ?year=, ?half= 0, 1 or 2, ?as= csv, xlsx, pdf or print."""
    zone = ZoneInfo(current_app.extensions["settings"].time_zone)
    this_year, this_half = half_years.current_half(zone)
    year = request.args.get("year", this_year, type=int)
    half = request.args.get("half", this_half, type=int)
    year = min(max(year, 2000), this_year + 1)
    span = half_years.half_year(year, half if half in (0, 1, 2) else this_half, zone)
    kind = request.args.get("as", "")
    with page.sessions()() as session:
        scope = half_years.find(session, page.user(), request.args.get("of", "").strip()[:40])
        report = half_years.report_of(session, page.user(), span, scope)
        asked = {"of": _id(scope), "year": year, "half": span.half}
        if kind in TYPES:
            page.record_access(access_log.EXPORTED, f"report:{kind}:{_id(scope) or 'all'}")
        if kind in (CSV, XLSX):
            return _file(kind, wording.title(report), *wording.table(report))
        if kind == PDF:
            return _pdf("reporting/_paper.html", url_for("reports.index", **asked), **_shown(report))
        if kind == PRINT:
            return render_template("reporting/print.html", body="reporting/_paper.html", back=asked, **_shown(report))
        return render_template(
            "reporting/index.html",
            asked=asked,
            years=range(this_year, this_year - YEARS, -1),
            organisations=half_years.organisations(session, page.user()),
            up=_up(scope),
            **_shown(report),
        )


def _id(scope):
    return next((place.public_id for place in scope if place is not None), None)


def _up(scope):
    """The wider report: [(public id or None, name), ...] from everything down."""
    room, facility, organisation = scope.restroom, scope.facility, scope.organisation
    if room:
        facility = room.facility
    if facility:
        organisation = facility.organisation
    chain = [one for one in (organisation, facility, room) if one is not None]
    return [None, *chain[:-1]] if chain else []


def _shown(report):
    return {
        "report": report,
        "title": wording.title(report),
        "told": wording,
        "rows": report.rows[:SHOWN_ROWS],
        "hidden": max(0, len(report.rows) - SHOWN_ROWS),
        "limits": wording.limits(),
    }


def _file(kind, title, header, rows):
    data = spreadsheets.csv_bytes(header, rows) if kind == CSV else spreadsheets.xlsx_bytes(title, header, rows)
    return _download(data, kind, "ansim-report")


def _download(data, kind, name):
    stamp = clock.day(clock.now_s())
    headers = {"Content-Disposition": f'attachment; filename="{name}-{stamp}.{kind}"'}
    return Response(data, content_type=TYPES[kind], headers=headers)


def _pdf(body, back, name="ansim-report", **given):
    """A page's PDF, or back to the page with what has to be installed."""
    html = render_template("reporting/sheet.html", body=body, **given)
    try:
        data = pdf.make(html, _style())
    except pdf.NotPossible as impossible:
        current_app.logger.warning("%s", impossible)
        page.flash_warning(_advice(impossible))
        return redirect(back)
    return _download(data, PDF, name)


def _style():
    """The style of paper: for PDF the file itself, because nothing is fetched."""
    return (Path(current_app.static_folder) / "css" / "paper.css").read_text()


def _advice(impossible):
    """What a person can do, and what to tell whoever runs the server."""
    what = gettext("the Pango library") if impossible.what == pdf.PANGO else gettext("a Korean font (fonts-nanum)")
    return gettext(
        "This server cannot make PDF files: %(what)s is missing. Use the print view, and print it to a PDF file.",
        what=what,
    )


@bp.get("/inspections/<public_id>/certificate")
def certificate(public_id):
    """The certificate of a finished inspection; ?as=pdf, else the print view."""
    with page.sessions()() as session:
        one = reach.inspection(session, public_id)
        try:
            paper = certificates.paper_of(session, one)
        except errors.Refused as refused:
            page.flash_warning(page.refusal_text(refused))
            return redirect(url_for("inspections.show", public_id=one.public_id))
        as_pdf = request.args.get("as") == PDF
        page.record_access(access_log.EXPORTED if as_pdf else access_log.SAW_INSPECTION, one.public_id)
        covered = facts.coverage(paper.result.coverage)
        given = {
            "title": gettext("Inspection certificate"),
            "paper": paper,
            "room": one.restroom,
            "covered": covered,
            "sentence": facts.result_sentence(paper.result),
            "statement": facts.step_statement(paper.steps["rf"], covered, inspections.findings_of(session, one)),
            "not_covered": wording.not_covered(paper, covered),
            "address": page.public_address("public.restroom", public_id=one.restroom.public_id),
            "qr": _qr(page.public_address("public.restroom", public_id=one.restroom.public_id)),
            "methods": vocabulary.METHODS,
            "strokes": signatures.path,
            "printed_s": clock.now_s(),
        }
        if as_pdf:
            back = url_for("reports.certificate", public_id=one.public_id)
            return _pdf("reporting/_certificate.html", back, f"ansim-{one.public_id}", **given)
        return render_template("reporting/print.html", body="reporting/_certificate.html", back=None, **given)


def _qr(address):
    import segno

    return segno.make(address, error="m").svg_data_uri(scale=4, border=2, dark="#000", light="#fff")
