"""Findings: the list, one finding with its evidence in words, and what people make of it."""

from collections import namedtuple

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from flask_babel import format_decimal, gettext

from ansim.detect.stimulus import verdict
from ansim.finding import ALARM_SCORE
from server import clock, wording
from server.models.findings import OPEN, STATUSES
from server.services import errors, freshness
from server.services.findings import false_alarms as alarms_service
from server.services.findings import judging
from server.services.findings.pseudonyms import Pseudonyms
from server.services.inspecting import photos
from server.services.intake.finding_events import ON_THE_LIST
from server.services.people import access_log, accounts
from server.web import page, reach
from server.web.findings import forms
from server.web.inspecting import presenters
from server.web.sensors import presenters as sensor_presenters

bp = Blueprint("findings", __name__)

ALL = "all"
SPANS_DAYS = (30, 183, 365)

# The answer to "does this stream watch this room?".
Answer = namedtuple("Answer", ("at_s", "sentence", "slots", "heard_percent"))

# One line of a finding's course: what a sensor said (event, score, rssi_dbm) or a person decided (by, reason, police).
Entry = namedtuple("Entry", ("at_s", "text", "event", "score", "rssi_dbm", "by", "reason", "police"))


@bp.get("/findings")
def index():
    """Findings, newest first; ?status= open, case, noted, closed or all, ?before= a finding for older ones."""
    status = _status()
    with page.sessions()() as session:
        before = request.args.get("before")
        before_id = reach.finding(session, before).id if before else None
        rows = judging.list_findings(session, status, limit=page.PER_PAGE + 1, before_id=before_id, user=page.user())
        rows, more = rows[: page.PER_PAGE], len(rows) > page.PER_PAGE
        older = url_for("findings.index", status=status, before=rows[-1].public_id) if more else None
        # Older pages stay as they are; only the first one asks for news.
        mark = freshness.findings_mark(session)
        poll = None if before else url_for("findings.news", status=status, since=mark)
        return render_template("findings/index.html", rows=rows, status=status, older=older, poll=poll)


@bp.get("/live/findings")
def news():
    """The first page's list alone, or 204 if nothing has changed since the mark ?since=."""
    status = _status()
    with page.sessions()() as session:
        mark = freshness.findings_mark(session)
        if request.args.get("since") == mark:
            return Response(status=204)
        rows = judging.list_findings(session, status, limit=page.PER_PAGE, user=page.user())
        poll = url_for("findings.news", status=status, since=mark)
        return render_template("findings/_list.html", rows=rows, status=status, poll=poll)


def _status():
    status = request.args.get("status", OPEN)
    return status if status in (*STATUSES, ALL) else OPEN


@bp.route("/findings/<public_id>", methods=["GET", "POST"])
def show(public_id):
    """One finding. POST records what a person made of it."""
    form, problem = forms.DispositionForm(), None
    if request.method == "POST":
        if not page.may(accounts.DISPOSE):
            abort(403)
        if form.validate():
            problem = _dispose(public_id, form)
            if problem is None:
                page.flash_success(gettext("Recorded. What you decided stays in the finding's history."))
                return redirect(url_for("findings.show", public_id=public_id))
    else:
        form.call_now()
    with page.sessions()() as session:
        one = reach.finding(session, public_id)
        detail = judging.detail(session, one, page.user(), Pseudonyms(current_app.extensions["vault"]))
        page.record_access(access_log.SAW_FINDING, one.public_id)
        heard = presenters.current_coverage(session, one.inspection) if one.inspection else None
        return render_template(
            "findings/show.html",
            detail=detail,
            finding=one,
            kind=wording.vocabulary.DETECTORS.get(one.detector),
            alarm=judging.is_alarm(one),
            alarm_score=ALARM_SCORE,
            evidence=wording.evidence(detail.evidence),
            considered=wording.considered(detail.considered),
            timeline=_course(detail),
            stimulus=[_answer(test) for test in detail.stimulus],
            coverage=heard,
            listener=sensor_presenters.summary(one.sensor, current_app.extensions["settings"].silent_after_s),
            form=form,
            problem=problem,
            photos=photos.list_photos(session, finding_id=one.id),
            may_judge=judging.may(session, page.user(), accounts.DISPOSE, one),
        )


@bp.get("/findings/alarms")
def alarms():
    """How often an alarm was false, by sensor model, program version and building; ?days= how far back."""
    days = request.args.get("days", type=int)
    days = days if days in SPANS_DAYS else SPANS_DAYS[1]
    now_s = clock.now_s()
    with page.sessions()() as session:
        rates = alarms_service.false_alarm_rates(session, page.user(), now_s - days * 86400, now_s + 1)
        return render_template("findings/alarms.html", rates=rates, days=days, spans=SPANS_DAYS)


def _course(detail):
    """What sensors said and people decided, newest first."""
    words = wording.vocabulary
    entries = [
        Entry(
            event.at_s or event.received_s,
            words.EVENTS.get(event.event, event.event),
            event.event,
            event.score,
            event.rssi_dbm,
            None,
            "",
            None,
        )
        for event in detail.events
    ]
    for one in detail.dispositions:
        text = words.DISPOSITIONS[one.kind].short
        by = one.by.name if one.by else gettext("automatic")
        reason = gettext("It is on the building's list of known devices.") if one.reason == ON_THE_LIST else one.reason
        entries.append(Entry(one.at_s, text, None, None, None, by, reason, one.police))
    return sorted(entries, key=lambda entry: entry.at_s, reverse=True)


def _answer(test):
    """What a test of movement or light says, in words."""
    chance = format_decimal(round(test.p_ppm / 1000, 1))
    sentence = {
        "responds": gettext(
            "The stream reacted to what was done in this room; by chance that happens in %(chance)s of 1,000 tests.",
            chance=chance,
        ),
        "no_response": gettext(
            "No reaction to what was done in this room. That does not prove that it looks elsewhere."
        ),
    }.get(verdict(test.p_ppm, test.heard_permille), gettext("The test was not clear. Do it again."))
    return Answer(test.at_s or test.received_s, sentence, test.slots, test.heard_permille // 10)


def _dispose(public_id, form):
    try:
        with page.sessions().begin() as session:
            one = reach.finding(session, public_id, accounts.DISPOSE)
            judging.dispose(session, one, page.user(), form.kind.data, form.reason.data, form.police())
    except errors.Refused as error:
        return page.refusal_text(error)
    return None
