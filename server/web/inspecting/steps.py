"""The steps of an inspection: the outcome of each method, and the checklist of the eye step, stall by stall."""

from flask import Blueprint, abort, jsonify, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from server import clock, security
from server.models.checklists import ANSWERS
from server.models.inspections import OUTCOMES
from server.models.places import METHODS
from server.services import errors
from server.services.inspecting import checklists, conflicting_entries, inspections, offline_visits, steps
from server.services.people import accounts
from server.web import page
from server.web.inspecting import presenters

bp = Blueprint("steps", __name__)

NOTE_LENGTH = 1000
LATE_S = 10  # an answer that arrives later than this was given without a network


@bp.route("/inspections/<public_id>/steps/<method>", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def record(public_id: str, method: str) -> ResponseReturnValue:
    """Record the outcome of one step."""
    if method not in METHODS:
        abort(404)
    problem, outcome, note = None, request.form.get("outcome"), page.form_text("note", NOTE_LENGTH)
    if request.method == "POST":
        problem = _record(public_id, method, outcome, note)
        if problem is None:
            return redirect(url_for("inspections.show", public_id=public_id))
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
        if inspection.result is not None:
            return redirect(url_for("inspections.show", public_id=inspection.public_id))
        recorded = inspections.current_steps(inspection)[method]
        return render_template(
            "inspecting/inspections/step.html",
            inspection=inspection,
            method=method,
            hindrance=presenters.step_hindrance(session, inspection, method),
            contested=steps.contradictions(inspection).get(method, []),
            seen=steps.newest_id(inspection, method),
            outcome=outcome or (recorded.outcome if recorded else None),
            note_text=note or (recorded.note if recorded and request.method == "GET" else ""),
            problem=problem,
        )


def _record(public_id, method, outcome, note):
    if outcome not in OUTCOMES:
        return gettext("Please choose one.")
    try:
        with page.sessions().begin() as session:
            inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
            seen_id = page.row_number(request.form.get("seen")) or 0
            inspections.record_step(session, inspection, method, outcome, page.user(), note, seen_id)
            if method in steps.contradictions(inspection):
                page.flash_warning(gettext("Another person recorded another outcome meanwhile. Both are kept."))
    except errors.Refused as error:
        return page.refusal_text(error)
    return None


@bp.route("/inspections/<public_id>/eye", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def eye(public_id: str) -> ResponseReturnValue:
    """
    The checklist of one place, ?stall= its number, 0 for the room itself. POST records answers and goes on.

    POST with "Accept: application/json" saves one answer and stays: 200 {"seen", "answered", "warning"} or 409 {"why"}.
    """
    problem, stall = None, request.values.get("stall", type=int)
    if request.method == "POST" and request.accept_mimetypes.best == "application/json":
        return _save_answer(public_id, stall or 0)
    if request.method == "POST":
        problem = _answer(public_id, stall or 0)
        if problem is None:
            return redirect(_next_address(public_id, stall or 0))
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
        progress = checklists.load_progress(session, inspection)
        if inspection.result is not None or not progress.parts:
            return redirect(url_for("inspections.show", public_id=inspection.public_id))
        part = next((part for part in progress.parts if part.stall == stall), None)
        part = part or next((part for part in progress.parts if part.open), progress.parts[0])
        return render_template(
            "inspecting/inspections/eye.html",
            inspection=inspection,
            progress=progress,
            part=part,
            typed=_read_answers() if problem else {},
            changed=_list_changed(part) if problem else [],
            problem=problem,
        )


def _read_answers():
    """Return {key: Answer} of the form, with the answers that the page had shown."""
    answers = {}
    for name, word in request.form.items():
        key = name.removeprefix("answer-")
        if key != name and word in ANSWERS:
            seen_id = page.row_number(request.form.get(f"seen-{key}")) or 0
            answers[key] = checklists.Answer(word, page.form_text(f"note-{key}", NOTE_LENGTH), seen_id)
    return answers


def _save_answer(public_id, stall):
    """Save the answer of a form that has one, given `age_s` seconds ago."""
    answers = _read_answers()
    if len(answers) != 1:
        return jsonify(why=gettext("Please choose one.")), 409
    [(key, answer)] = answers.items()
    age_s = min(max(request.form.get("age_s", 0, type=int), 0), offline_visits.OLDEST_S)
    try:
        with page.sessions().begin() as session:
            inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
            if age_s >= LATE_S:
                answer = answer._replace(at_s=max(clock.now_s() - age_s, inspection.started_s))
            shown = next(
                (part for part in checklists.load_progress(session, inspection).parts if part.stall == stall), None
            )
            checklists.answer(session, inspection, page.user(), stall, {key: answer})
            changed = [presenters.answer_text(row) for row in _list_changed(shown)]
            progress = checklists.load_progress(session, inspection)
            newest_id = max(line.newest_id for line in progress.lines if (line.stall, line.item["key"]) == (stall, key))
    except errors.Refused as error:
        return jsonify(why=page.refusal_text(error)), 409
    warning = gettext("Answered by others while this page was open: %(answers)s", answers="; ".join(changed))
    answered = gettext("%(done)s of %(all)s answered", done=progress.done, all=len(progress.lines))
    return jsonify(seen=newest_id, answered=answered, warning=warning if changed else "")


def _answer(public_id, stall):
    answers = _read_answers()
    try:
        with page.sessions().begin() as session:
            inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
            before = checklists.load_progress(session, inspection)
            checklists.answer(session, inspection, page.user(), stall, answers)
            if request.form.get("rest"):
                checklists.answer_rest(session, inspection, page.user(), stall)
            shown = next((part for part in before.parts if part.stall == stall), None)
            changed = [presenters.answer_text(row) for row in _list_changed(shown)]
    except errors.Refused as error:
        return page.refusal_text(error)
    if changed:
        page.flash_warning(
            gettext("Answered by others while this page was open: %(answers)s", answers="; ".join(changed))
        )
    return None


def _list_changed(part):
    """Return the standing answers of others that the page had not shown, as presenters.ShownAnswer."""
    changed = []
    for line in part.lines if part else []:
        seen_id = page.row_number(request.form.get(f"seen-{line.item['key']}"))
        if seen_id is not None:
            newer = [
                row
                for row in conflicting_entries.standing(line.rows)
                if row.id > seen_id and row.by_id != page.user().id
            ]
            changed += [presenters.ShownAnswer(line, row) for row in newer]
    return changed


def _next_address(public_id, stall):
    """Return the address of the next place with something open, or of the inspection if there is none."""
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id, accounts.INSPECT)
        progress = checklists.load_progress(session, inspection)
    open_stalls = [part.stall for part in progress.parts if part.open or part.contested]
    if not open_stalls:
        return url_for("inspections.show", public_id=public_id, _anchor="live-steps")
    following = [number for number in open_stalls if number >= stall] or open_stalls
    return url_for("steps.eye", public_id=public_id, stall=following[0])
