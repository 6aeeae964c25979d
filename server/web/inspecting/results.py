"""The result of an inspection: finish it, or correct its record."""

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import security
from server.models.inspections import RESULTS, STEP_NONE_FOUND
from server.services import errors
from server.services.inspecting import inspections
from server.services.people import accounts
from server.web import page
from server.web.inspecting import presenters
from server.web.inspecting.inspections import earlier_findings

bp = Blueprint("results", __name__)

NOTE_LENGTH = 1000


@bp.route("/inspections/<public_id>/finish", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def finish(public_id: str) -> ResponseReturnValue:
    """Record the result."""
    return _result_page(public_id, correcting=False)


@bp.route("/inspections/<public_id>/correct", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def correct(public_id: str) -> ResponseReturnValue:
    """Add a result that replaces the one before."""
    return _result_page(public_id, correcting=True)


def _result_page(public_id, correcting):
    problem, result = None, request.form.get("result")
    reason, note = page.form_text("reason", NOTE_LENGTH), page.form_text("note", NOTE_LENGTH)
    if request.method == "POST":
        problem = _record(public_id, correcting, result, reason, note)
        if problem is None:
            page.flash_success(gettext("Recorded in the log."))
            return redirect(url_for("signatures.sign", public_id=public_id))
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
        if (inspection.result is None) == correcting:
            return redirect(url_for("inspections.show", public_id=inspection.public_id))
        coverage = presenters.current_coverage(session, inspection)
        findings = inspections.list_findings(session, inspection)
        steps = presenters.list_steps(session, inspection, coverage, findings)
        methods = [step.method for step in steps if step.outcome == STEP_NONE_FOUND]
        title = gettext("None found")
        if methods:
            title = gettext("None found by %(methods)s", methods=presenters.methods_text(methods))
        return render_template(
            "inspecting/inspections/finish.html",
            inspection=inspection,
            correcting=correcting,
            heading=gettext("Correct the record") if correcting else gettext("Finish the inspection"),
            button=gettext("Add the correction") if correcting else gettext("Finish and record"),
            none_found_title=title,
            hindrance=presenters.result_hindrance(session, inspection),
            steps=steps,
            coverage=coverage,
            earlier=earlier_findings(session, inspection),
            noticed=presenters.notices_statement(findings),
            result=result,
            reason=reason,
            note_text=note,
            problem=problem,
        )


def _record(public_id, correcting, result, reason, note):
    if result not in RESULTS:
        return gettext("Please choose one.")
    record = inspections.correct if correcting else inspections.finish
    try:
        with page.sessions().begin() as session:
            inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
            record(session, inspection, page.user(), result, reason, note)
    except errors.Refused as error:
        return page.refusal_text(error)
    return None
