"""Findings: the list, one finding with its evidence in words, its disposition, and the false-alarm rates."""

from datetime import timedelta
from typing import NamedTuple

from flask import Blueprint, Response, abort, current_app, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext

from ansim.finding import ALARM, CLEARED, NOTICE
from server import clock, wording
from server.models.findings import CLOSED, GAPS, NOTED, OPEN, STATUSES
from server.services import errors, freshness
from server.services.findings import dispositions, false_alarms, findings
from server.services.findings.pseudonyms import Pseudonyms
from server.services.inspecting import photos
from server.services.intake.finding_events import ON_THE_LIST
from server.services.people import access_log, accounts
from server.services.sensors import operations
from server.web import page
from server.web.findings import forms, pictures
from server.web.inspecting import presenters
from server.web.sensors import presenters as sensor_presenters
from server.wording import movement_test

bp = Blueprint("findings", __name__)

TREND_MONTHS = 6  # shown on the page of false alarms

ALL = "all"
SPANS_DAYS = (30, 183, 365)

# ?status= -> (status, level) of list_findings(), where they differ.
_VIEWS = {ALL: ("", ""), NOTED: ("", NOTICE), CLOSED: (CLOSED, ALARM)}


class StimulusAnswer(NamedTuple):
    """The result of a movement test, in words."""

    at_s: int
    sentence: str
    slots: int
    heard_percent: int


class TimelineEntry(NamedTuple):
    """
    A line of a finding's history: an event of the sensor (score, rssi_dbm) or a disposition (by, reason).

    why       sentences: why the level changed
    changes   what differs from the event before
    is_alarm  this event made it an alarm
    """

    at_s: int
    text: str
    why: list[str]
    changes: list[str]
    is_alarm: bool
    score: int | None
    rssi_dbm: int | None
    by: str | None
    reason: str
    police: dict | None


@bp.get("/findings")
def index() -> ResponseReturnValue:
    """
    Findings, newest first; ?before= a cursor for older ones.

    ?status=  open or case; closed: settled alarms; noted: all notices and gaps; all
    """
    status, before = _status(), request.args.get("before")
    with page.sessions()() as session:
        found = _list(session, status, before)
        # Older pages stay as they are; only the first one polls for news.
        mark = freshness.findings_mark(session)
        return render_template(
            "findings/index.html",
            rows=found.rows,
            status=status,
            older=found.next and url_for("findings.index", status=status, before=found.next),
            poll=None if before else url_for("findings.news", status=status, since=mark),
        )


@bp.get("/live/findings")
def news() -> ResponseReturnValue:
    """The first page's list alone, or 204 if nothing has changed since the mark ?since=."""
    status = _status()
    with page.sessions()() as session:
        mark = freshness.findings_mark(session)
        if request.args.get("since") == mark:
            return Response(status=204)
        rows = _list(session, status).rows
        poll = url_for("findings.news", status=status, since=mark)
        return render_template("findings/_list.html", rows=rows, status=status, poll=poll)


def _list(session, status, cursor=None):
    status, level = _VIEWS.get(status, (status, ""))
    return findings.list_findings(
        session, page.user(), status=status, level=level, cursor=cursor, limit=page.PER_PAGE, newest_first=True
    )


def _status():
    status = request.args.get("status", OPEN)
    return status if status in (*STATUSES, ALL) else OPEN


@bp.route("/findings/<public_id>", methods=["GET", "POST"])
def show(public_id: str) -> ResponseReturnValue:
    """One finding. POST records a disposition."""
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
        finding = findings.load(session, page.user(), public_id)
        pseudonyms = Pseudonyms(current_app.extensions["vault"])
        detail = findings.load_detail(session, page.user(), finding, pseudonyms)
        page.record_access(access_log.SAW_FINDING, finding.public_id)
        may_judge = findings.may(session, page.user(), accounts.DISPOSE, finding)
        lines = wording.evidence(detail.evidence)
        covered = None
        if finding.inspection:
            covered = presenters.current_coverage(session, finding.inspection)
        return render_template(
            "findings/show.html",
            detail=detail,
            finding=finding,
            hint=_hint(finding),
            alarm=findings.is_alarm(finding),
            notice=findings.is_notice(finding),
            going_on=findings.is_going_on(finding),
            gap=finding.detector in GAPS,
            evidence=lines,
            level_chart=pictures.level(detail),
            evidence_chart=pictures.evidence(lines, detail.evidence_score, finding.detector),
            considered=wording.considered(detail.considered),
            timeline=_timeline(detail),
            stimulus=[_stimulus_answer(test) for test in detail.stimulus],
            coverage=covered,
            listener=sensor_presenters.summary(finding.sensor, current_app.extensions["settings"].silent_after_s),
            form=form,
            problem=problem,
            can_follow=page.may(accounts.INSPECT) and operations.why_not_follow(finding) is None,
            photos=photos.list_photos(session, finding_id=finding.id),
            may_judge=may_judge,
            judgeable=may_judge and finding.detector not in GAPS and findings.is_judgeable(finding),
        )


@bp.get("/findings/alarms")
def alarms() -> ResponseReturnValue:
    """False-alarm rates by sensor model, program version and building; ?days= how far back."""
    days = request.args.get("days", type=int)
    days = days if days in SPANS_DAYS else SPANS_DAYS[1]
    now_s = clock.now_s()
    with page.sessions()() as session:
        rates = false_alarms.load_rates(session, page.user(), now_s - days * 86400, now_s + 1)
        trend = pictures.false_alarms_by_month(_months(session, now_s))
        return render_template("findings/alarms.html", rates=rates, days=days, spans=SPANS_DAYS, trend=trend)


def _months(session, now_s):
    """Return (first day, Rate) of the last TREND_MONTHS months, this one included, oldest first."""
    first = clock.local(now_s).replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    until_s, months = now_s + 1, []
    for _ in range(TREND_MONTHS):
        since_s = int(first.timestamp())
        months.append((first, false_alarms.load_total(session, page.user(), since_s, until_s)))
        until_s, first = since_s, (first - timedelta(days=1)).replace(day=1)
    return months[::-1]


def _hint(finding):
    kind = wording.vocabulary.DETECTORS.get(finding.detector)
    if kind is None:
        return ""
    return kind.notice_hint if finding.level == NOTICE else kind.hint


def _timeline(detail):
    """Return the events and dispositions of a finding, newest first."""
    entries, before = [], None
    for event in reversed(detail.events):
        entries.append(_event_entry(detail.finding, event, before))
        before = event
    for disposition in detail.dispositions:
        text = str(wording.vocabulary.DISPOSITIONS[disposition.kind].short)
        by = disposition.by.name if disposition.by else gettext("automatic")
        reason = disposition.reason
        if reason == ON_THE_LIST:
            reason = gettext("It is on the building's list of known devices.")
        police = disposition.police
        entries.append(TimelineEntry(disposition.at_s, text, [], [], False, None, None, by, reason, police))
    entries.reverse()  # of two at the same time the later one comes first, because the sort is stable
    return sorted(entries, key=lambda entry: entry.at_s, reverse=True)


def _event_entry(finding, event, before):
    level_before = before.level if before else None
    is_change = level_before is not None and event.level != level_before
    texts = wording.vocabulary.NOTICE_EVENTS if event.level == NOTICE else wording.vocabulary.EVENTS
    text = str(texts.get(event.event, event.event))
    if is_change:
        text = gettext("From notice to alarm") if event.level == ALARM else gettext("From alarm to notice")
    elif event.event == CLEARED and event.id == finding.events[-1].id and finding.likely:
        text = presenters.notice_end(finding)
    is_alarm = event.level == ALARM and (is_change or level_before is None)
    why = wording.change_reasons(event.evidence)
    at_s = event.at_s or event.received_s
    changes = _changes(before, event) if before else []
    return TimelineEntry(at_s, text, why, changes, is_alarm, event.score, event.rssi_dbm, None, "", None)


def _changes(before, event):
    """Return what differs between two events of a finding, in words."""
    changes = []
    if event.score != before.score:
        changes.append(gettext("Evidence %(before)s → %(after)s points", before=before.score, after=event.score))
    if event.rssi_dbm != before.rssi_dbm:
        changes.append(gettext("Signal %(before)s → %(after)s dBm", before=before.rssi_dbm, after=event.rssi_dbm))
    if event.channel != before.channel:
        changes.append(gettext("Channel %(before)s → %(after)s", before=before.channel, after=event.channel))
    if event.evidence and before.evidence:
        had, has = ({row[0] for row in one.evidence if row[3]} for one in (before, event))
        for line in wording.evidence(row for row in event.evidence if row[0] in has - had):
            changes.append(gettext("New: %(what)s", what=line.title))
        for line in wording.evidence(row for row in before.evidence if row[0] in had - has):
            changes.append(gettext("Does not count any more: %(what)s", what=line.title))
    return changes


def _stimulus_answer(test):
    """Return the result of a movement test in words."""
    sentence = movement_test.sentence(test.p_ppm, test.heard_permille)
    return StimulusAnswer(test.at_s or test.received_s, sentence, test.slots, test.heard_permille // 10)


def _dispose(public_id, form):
    try:
        with page.sessions().begin() as session:
            finding = findings.load(session, page.user(), public_id, accounts.DISPOSE)
            dispositions.dispose(session, finding, page.user(), form.kind.data, form.reason.data, form.police())
    except errors.Refused as error:
        return page.refusal_text(error)
    return None
