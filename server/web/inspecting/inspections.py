"""Inspections: start one, follow it live, record its steps, finish it, read it, correct it."""

from collections import namedtuple

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from flask_babel import gettext

from ansim import messages
from server import clock, security
from server.models.findings import OPEN
from server.models.inspections import OUTCOMES, RESULTS, STEP_NONE_FOUND, STEP_SUSPICIOUS
from server.models.intake import Selftest
from server.models.places import EYE, METHODS, RF
from server.services import errors, freshness
from server.services.findings import judging
from server.services.inspecting import (
    checklists,
    coverage,
    holes,
    inspections,
    offline_visits,
    participants,
    photos,
    signatures,
)
from server.services.people import access_log, accounts
from server.services.places import restrooms
from server.services.sensors import commands, enrolment
from server.web import facts, page, reach
from server.web.inspecting.signing import typed_people
from server.wording import refusal
from server.wording.sensor_refusals import sensor_refusal

bp = Blueprint("inspections", __name__)

NOTE_LENGTH = 1000

# method, outcome, note  of the step that counts; outcome None: not recorded
# hindrance              why "none found" cannot be recorded now, or ""
# statement              what an RF step proves, or ""
Step = namedtuple("Step", ("method", "outcome", "note", "hindrance", "statement"))

# A facts.SensorFacts, and what it is doing for this inspection.
Listening = namedtuple("Listening", (*facts.SensorFacts._fields, "doing"))


@bp.route("/restrooms/<public_id>/inspect", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def start(public_id):
    """Choose sensors and people, and start."""
    problem = None
    if request.method == "POST":
        try:
            with page.sessions().begin() as session:
                room = restrooms.load(session, page.user(), public_id, accounts.INSPECT)
                others = typed_people(session)
                begun = inspections.start(session, room, page.user(), _chosen(session), others)
        except errors.Refused as error:
            problem = page.refusal_text(error)
        else:
            return redirect(url_for("inspections.show", public_id=begun.public_id))
    with page.sessions()() as session:
        silent_after_s = _silent_after_s()
        room = restrooms.load(session, page.user(), public_id, accounts.INSPECT)
        running = inspections.running_in(session, room)
        if running is not None and problem is None:
            return redirect(url_for("inspections.show", public_id=running.public_id))
        choices = [facts.sensor(one, silent_after_s) for one in enrolment.available(session, page.user())]
        choices.sort(key=lambda one: one.sensor.restroom_id != room.id)
        return render_template(
            "inspecting/inspections/start.html",
            room=room,
            colleagues=participants.candidates(session, page.user()),
            colleague=_typed("colleague", 40),
            choices=choices,
            chosen=request.form.getlist("sensors") if request.method == "POST" else _likely(choices, room),
            partner=_typed("partner", 100),
            agency=_typed("agency", 100),
            problem=problem,
        )


def _chosen(session):
    names = dict.fromkeys(request.form.getlist("sensors"))
    return [enrolment.sensor(session, name, page.user(), accounts.INSPECT) for name in names]


def _likely(choices, room):
    # The sensors that hang in this room; else who has one sensor means that one, and who has several has to choose.
    online = [one.sensor for one in choices if one.state in (enrolment.ONLINE, enrolment.SLEEPING)]
    here = [one.name for one in online if one.restroom_id == room.id]
    return here or ([online[0].name] if len(online) == 1 else [])


@bp.get("/inspections/<public_id>")
def show(public_id):
    """The live page of a running inspection, or the record of a finished one."""
    with page.sessions()() as session:
        one = reach.inspection(session, public_id)
        if one.result is None:
            return render_template(
                "inspecting/inspections/running.html",
                photos=photos.photos_of(session, inspection_id=one.id),
                holes=holes.of_inspection(session, one),
                colleagues=participants.candidates(session, page.user()),
                **_live(session, one),
            )
        page.record_access(access_log.SAW_INSPECTION, one.public_id)
        newest = one.results[-1]
        covered = facts.coverage(newest.coverage)
        return render_template(
            "inspecting/inspections/show.html",
            inspection=one,
            sentence=facts.result_sentence(newest),
            steps=_steps(session, one, covered),
            coverage=covered,
            findings=inspections.findings_of(session, one),
            progress=checklists.progress(session, one),
            visits=offline_visits.of_inspection(session, one),
            photos=photos.photos_of(session, inspection_id=one.id),
            holes=holes.of_inspection(session, one),
            signatures=_signatures(session, one, newest),
            path=signatures.path,
            width=signatures.WIDTH,
            height=signatures.HEIGHT,
            record_hash=signatures.record_hash(session, one, newest),
            selftests=[session.get(Selftest, used.selftest_id) if used.selftest_id else None for used in one.sensors],
        )


@bp.get("/inspections/<public_id>/live")
def live(public_id):
    """The parts of the live page, or 204 if nothing has changed since the mark ?since=."""
    with page.sessions()() as session:
        one = reach.inspection(session, public_id)
        if one.result is not None:
            return Response(headers={"HX-Refresh": "true"})
        if request.args.get("since") == freshness.inspection_mark(session, one):
            return Response(status=204)
        return render_template("inspecting/inspections/live.html", swap=True, **_live(session, one))


def _live(session, one):
    mark = freshness.inspection_mark(session, one)
    found = inspections.findings_of(session, one)
    covered = facts.coverage(coverage.of_inspection(session, one).summary()) if one.sensors else None
    return {
        "inspection": one,
        "since": mark,
        "alarms": [finding for finding in found if facts.is_alarm(finding)],
        "others": [finding for finding in found if not facts.is_alarm(finding)],
        "earlier": _earlier(session, one),
        "coverage": covered,
        "steps": _steps(session, one, covered),
        "sensors": _listening(session, one),
        "progress": checklists.progress(session, one),
        "visits": offline_visits.of_inspection(session, one),
        "selftests": _selftests(session, one),
    }


def _earlier(session, one):
    """What is open in the restroom and was not found by this inspection: by the one before, or a sensor between them."""
    found = judging.list_findings(session, OPEN, one.restroom)
    return [finding for finding in found if finding.inspection_id != one.id]


def _selftests(session, one):
    """{sensor row: its Selftest when it was chosen, or None}."""
    return {
        used.sensor_id: session.get(Selftest, used.selftest_id) if used.selftest_id else None for used in one.sensors
    }


def _signatures(session, one, newest):
    """[(person, their Signature under the result that counts, or None), ...]."""
    given = {row.person_id: row for row in signatures.signatures_of(session, one) if row.result_id == newest.id}
    return [(person, given.get(person.id)) for person in one.people]


def _listening(session, one):
    rows = []
    for used in one.sensors:
        known = facts.sensor(used.sensor, _silent_after_s())
        doing = _was_doing(used) if known.state in (enrolment.OFFLINE, enrolment.SILENT) else _doing(session, one, used)
        rows.append(Listening(*known, doing))
    return rows


def _was_doing(used):
    if used.started_s is None:
        return gettext("It has not been told to start; it hears that when it connects again.")
    return gettext("It was listening for this inspection when it was last heard.")


def _doing(session, one, used):
    if used.started_s is not None and used.stopped_s is None:
        return gettext("It listens for this inspection.")
    if used.stopped_s is not None:
        return gettext("It has stopped listening for this inspection.")
    sent = [command for command in commands.recent(session, used.sensor) if _starts(command, one)]
    if sent and sent[0].ended_s is not None and not sent[0].ok:
        return gettext("It did not start: %(why)s", why=sensor_refusal(sent[0].error) or gettext("no answer"))
    if clock.now_s() - used.chosen_s > facts.ANSWER_EXPECTED_S:
        return gettext("It has not answered for longer than usual. Is it switched on and near its Wi-Fi?")
    return gettext("It is being told to start. A Wi-Fi sensor hears that between two rounds of listening.")


def _starts(command, one):
    return command.args.get("inspection") == one.public_id and command.name == messages.INSPECTION_START


def _steps(session, one, covered):
    rows, found = [], inspections.findings_of(session, one)
    for method, step in inspections.current_steps(one).items():
        hindrance = ""
        if one.result is None:
            hindrance = _hindrance(session, one, covered) if method == RF else _eye_hindrance(session, one, method)
        outcome, note = (step.outcome, step.note) if step else (None, "")
        rows.append(Step(method, outcome, note, hindrance, facts.step_statement(step, covered, found)))
    return rows


def _eye_hindrance(session, one, method):
    """Why the eye step cannot be recorded as "none found" now, in words; "" if it can."""
    if method != EYE:
        return ""
    try:
        checklists.check_done(session, one)
    except errors.Refused as error:
        return page.refusal_text(error)
    return ""


def _hindrance(session, one, covered):
    """Why the RF step cannot be recorded as "none found" now, in words; "" if it can."""
    if covered is None:
        return refusal("no_sensor", {})
    if not covered.enough:
        return gettext("Not every channel was listened to long enough yet.")
    blocking = inspections.blocking_findings(session, one)
    return refusal("open_findings", {"count": blocking}) if blocking else ""


@bp.route("/inspections/<public_id>/steps/<method>", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def step(public_id, method):
    """Record what one step came to."""
    if method not in METHODS:
        abort(404)
    problem, outcome, note = None, request.form.get("outcome"), _typed("note", NOTE_LENGTH)
    if request.method == "POST":
        problem = _record(public_id, method, outcome, note)
        if problem is None:
            return redirect(url_for("inspections.show", public_id=public_id))
    with page.sessions()() as session:
        one = reach.inspection(session, public_id)
        if one.result is not None:
            return redirect(url_for("inspections.show", public_id=one.public_id))
        covered = facts.coverage(coverage.of_inspection(session, one).summary()) if one.sensors else None
        before = inspections.current_steps(one)[method]
        return render_template(
            "inspecting/inspections/step.html",
            inspection=one,
            method=method,
            hindrance=_hindrance(session, one, covered) if method == RF else _eye_hindrance(session, one, method),
            outcome=outcome or (before.outcome if before else None),
            note_text=note or (before.note if before and request.method == "GET" else ""),
            problem=problem,
        )


def _record(public_id, method, outcome, note):
    if outcome not in OUTCOMES:
        return gettext("Please choose one.")
    try:
        with page.sessions().begin() as session:
            one = reach.inspection(session, public_id)
            inspections.record_step(session, one, method, outcome, page.user(), note)
    except errors.Refused as error:
        return page.refusal_text(error)
    return None


@bp.route("/inspections/<public_id>/finish", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def finish(public_id):
    """Record the result."""
    return _conclude(public_id, correcting=False)


@bp.route("/inspections/<public_id>/correct", methods=["GET", "POST"])
@security.needs(accounts.INSPECT)
def correct(public_id):
    """Add an entry that counts instead of the one before."""
    return _conclude(public_id, correcting=True)


def _conclude(public_id, correcting):
    problem = None
    result, reason, note = request.form.get("result"), _typed("reason", NOTE_LENGTH), _typed("note", NOTE_LENGTH)
    if request.method == "POST":
        problem = _decide(public_id, correcting, result, reason, note)
        if problem is None:
            page.flash_success(gettext("Recorded in the log."))
            return redirect(url_for("signing.sign", inspection=public_id))
    with page.sessions()() as session:
        one = reach.inspection(session, public_id)
        if (one.result is None) == correcting:
            return redirect(url_for("inspections.show", public_id=one.public_id))
        covered = facts.coverage(coverage.of_inspection(session, one).summary()) if one.sensors else None
        done = [m for m, step in inspections.current_steps(one).items() if step and step.outcome == STEP_NONE_FOUND]
        title = (
            gettext("None found by %(methods)s", methods=facts.methods_text(done)) if done else gettext("None found")
        )
        return render_template(
            "inspecting/inspections/finish.html",
            inspection=one,
            correcting=correcting,
            heading=gettext("Correct the record") if correcting else gettext("Finish the inspection"),
            button=gettext("Add the correction") if correcting else gettext("Finish and record"),
            none_found_title=title,
            hindrance=_none_found_hindrance(session, one),
            steps=_steps(session, one, covered),
            coverage=covered,
            earlier=_earlier(session, one),
            result=result,
            reason=reason,
            note_text=note,
            problem=problem,
        )


def _decide(public_id, correcting, result, reason, note):
    if result not in RESULTS:
        return gettext("Please choose one.")
    decide = inspections.correct if correcting else inspections.finish
    try:
        with page.sessions().begin() as session:
            decide(session, reach.inspection(session, public_id, accounts.INSPECT), page.user(), result, reason, note)
    except errors.Refused as error:
        return page.refusal_text(error)
    return None


def _none_found_hindrance(session, one):
    """Why the result cannot be "none found", in words; "" if it can. The service has the last word."""
    outcomes = [step.outcome for step in inspections.current_steps(one).values() if step]
    if STEP_SUSPICIOUS in outcomes:
        return refusal("suspicious_step", {})
    if blocking := inspections.blocking_findings(session, one):
        return refusal("open_findings", {"count": blocking})
    return "" if STEP_NONE_FOUND in outcomes else refusal("nothing_done", {})


def _typed(name, most):
    return request.form.get(name, "").strip()[:most]


def _silent_after_s():
    return current_app.extensions["settings"].silent_after_s
