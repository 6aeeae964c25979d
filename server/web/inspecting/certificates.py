"""The certificate of an inspection as print view and PDF."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import clock, i18n
from server.models.checklists import SUSPICIOUS
from server.services import errors
from server.services.inspecting import certificates, inspections, signatures
from server.services.people import access_log
from server.web import page
from server.web.inspecting import presenters
from server.web.inspecting.photos import folder
from server.web.reporting import documents
from server.wording import reports as wording
from server.wording import vocabulary

bp = Blueprint("certificates", __name__)

TEMPLATE = "inspecting/certificates/_certificate.html"


@bp.get("/inspections/<public_id>/certificate")
def show(public_id: str) -> ResponseReturnValue:
    """The certificate of a finished inspection; ?as=pdf, else the print view."""
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id)
        try:
            certificate = certificates.build(session, inspection, folder())
        except errors.Refused as error:
            page.flash_warning(page.refusal_text(error))
            return redirect(url_for("inspections.show", public_id=inspection.public_id))
        as_pdf = request.args.get("as") == documents.PDF
        page.record_access(access_log.EXPORTED if as_pdf else access_log.SAW_INSPECTION, inspection.public_id)
        coverage = presenters.coverage(certificate.result.standing_coverage)
        findings = inspections.list_findings(session, inspection)
        address = page.public_address("public.restroom", public_id=inspection.restroom.public_id)
        values = {
            "title": gettext("Inspection certificate"),
            "certificate": certificate,
            "room": inspection.restroom,
            "coverage": coverage,
            "sentence": presenters.result_sentence(certificate.result),
            "statement": presenters.step_statement(certificate.steps["rf"], coverage, findings),
            "late": [
                *(presenters.late_alarm_sentence(row) for row in certificate.late),
                *(presenters.late_report_sentence(row) for row in certificate.late_reports),
            ],
            "superseded_s": min(
                [row.at_s for row in certificate.late if row.blocking]
                + [row.at_s for row in certificate.late_reports if row.settled_s is None],
                default=None,
            ),
            "record": page.public_address("inspections.show", public_id=inspection.public_id),
            "not_covered": wording.not_covered(certificate, coverage),
            "provisional": presenters.provisional_sentence(certificate.inspection),
            "address": address,
            "qr": _qr_code(address),
            "methods": vocabulary.METHODS,
            "suspicious": [line for line in certificate.answers.lines if line.answer == SUSPICIOUS],
            "item_text": _item_text,
            "strokes": signatures.svg_path,
            "printed_s": clock.now_s(),
        }
        if as_pdf:
            back = url_for("certificates.show", public_id=inspection.public_id)
            return documents.pdf_answer(TEMPLATE, back, f"ansim-{inspection.public_id}", **values)
        return render_template("reporting/print.html", body=TEMPLATE, back=None, **values)


def _qr_code(address):
    import segno

    return segno.make(address, error="m").svg_data_uri(scale=4, border=2, dark="#000", light="#fff")


def _item_text(item):
    return item["text"] if i18n.language() == "ko" else item.get("text_en") or item["text"]
