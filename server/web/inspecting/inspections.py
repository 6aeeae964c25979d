"""An inspection's pages: live while it runs, its record afterwards."""

from typing import NamedTuple

from flask import Blueprint, Response, current_app, render_template, request
from flask.typing import ResponseReturnValue
from flask_babel import gettext
from sqlalchemy.orm import Session

from ansim import messages
from server import clock, i18n
from server.models.findings import OPEN, Finding
from server.models.inspections import Inspection, InspectionSensor
from server.models.sensors import Command, Sensor
from server.services import freshness
from server.services.findings import findings
from server.services.inspecting import (
    checklists,
    holes,
    inspections,
    offline_visits,
    participants,
    photos,
    result_validity,
    signatures,
)
from server.services.people import access_log
from server.services.sensors import command_queue, fleet
from server.web import page
from server.web.inspecting import next_starts, pictures, presenters
from server.web.sensors import presenters as sensor_presenters
from server.wording.sensor_refusals import sensor_refusal

bp = Blueprint("inspections", __name__)


class ListeningSensor(NamedTuple):
    """A sensor's summary, and what it is doing for this inspection."""

    sensor: Sensor
    state: str
    battery: int | None
    hears: list[str]
    warning: str
    doing: str


@bp.get("/inspections/<public_id>")
def show(public_id: str) -> ResponseReturnValue:
    """The live page of a running inspection, or the record of a finished one."""
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id)
        if inspection.result is None:
            return render_template(
                "inspecting/inspections/running.html",
                photos=photos.list_photos(session, inspection_id=inspection.id),
                holes=holes.list_for_inspection(session, inspection),
                colleagues=participants.list_candidates(session, page.user(), inspection.restroom.facility_id),
                **_live_parts(session, inspection),
            )
        page.record_access(access_log.SAW_INSPECTION, inspection.public_id)
        result = inspection.results[-1]
        coverage = presenters.coverage(result.standing_coverage)
        inspection_findings = inspections.list_findings(session, inspection)
        signed = {row.person_id: row for row in signatures.list_signatures(session, result)}
        return render_template(
            "inspecting/inspections/show.html",
            inspection=inspection,
            sentence=presenters.result_sentence(result),
            steps=presenters.list_steps(session, inspection, coverage, inspection_findings),
            coverage=coverage,
            channel_map=pictures.channel_map(session, inspection),
            provisional=presenters.provisional_sentence(inspection),
            late=[
                (row, presenters.late_alarm_sentence(row))
                for row in result_validity.list_late_alarms(session, inspection)
            ],
            late_reports=[
                presenters.late_report_sentence(row) for row in result_validity.list_late_reports(session, inspection)
            ],
            findings=inspection_findings,
            same_day=_findings_of_the_day(session, inspection),
            progress=checklists.load_progress(session, inspection),
            next_start=next_starts.suggest_next(session, inspection),
            visits=offline_visits.list_visits(session, inspection),
            photos=photos.list_photos(session, inspection_id=inspection.id),
            holes=holes.list_for_inspection(session, inspection),
            signatures=[(person, signed.get(person.id)) for person in inspection.people],
            path=signatures.svg_path,
            width=signatures.WIDTH,
            height=signatures.HEIGHT,
            record_hash=signatures.record_hash(session, inspection, result),
            selftests=[selftest for _used, selftest in inspections.selftests_of(session, inspection)],
        )


@bp.get("/inspections/<public_id>/live")
def live(public_id: str) -> ResponseReturnValue:
    """The parts of the live page, or 204 if nothing has changed since the mark ?since=."""
    with page.sessions()() as session:
        inspection = inspections.load(session, page.user(), public_id)
        if inspection.result is not None:
            return Response(headers={"HX-Refresh": "true"})
        if request.args.get("since") == freshness.inspection_mark(session, inspection):
            return Response(status=204)
        return render_template("inspecting/inspections/live.html", swap=True, **_live_parts(session, inspection))


def _live_parts(session: Session, inspection: Inspection) -> dict:
    # The mark comes first: what changes after it is seen by the next request.
    mark = freshness.inspection_mark(session, inspection)
    inspection_findings = inspections.list_findings(session, inspection)
    coverage = presenters.current_coverage(session, inspection)
    alarms = [finding for finding in inspection_findings if findings.is_alarm(finding)]
    open_alarms = [finding for finding in alarms if finding.status == OPEN]
    progress = checklists.load_progress(session, inspection)
    steps = presenters.list_steps(session, inspection, coverage, inspection_findings)
    return {
        "inspection": inspection,
        "since": mark,
        "alarms": alarms,
        "open_alarms": open_alarms,
        "next_step": presenters.next_step(steps, bool(open_alarms), progress, bool(inspection.sensors)),
        "notices": [finding for finding in inspection_findings if findings.is_notice(finding)],
        "others": [row for row in inspection_findings if not findings.is_alarm(row) and not findings.is_notice(row)],
        "earlier": earlier_findings(session, inspection),
        "coverage": coverage,
        "steps": steps,
        "sensors": [_listening(session, inspection, used) for used in inspection.sensors],
        "progress": progress,
        "visits": offline_visits.list_visits(session, inspection),
        "selftests": {used.sensor_id: selftest for used, selftest in inspections.selftests_of(session, inspection)},
    }


def earlier_findings(session: Session, inspection: Inspection) -> list[Finding]:
    """Return the open findings of the restroom that are not of this inspection."""
    open_findings = findings.list_findings(
        session, page.user(), status=OPEN, restroom=inspection.restroom.public_id, newest_first=True
    )
    return [finding for finding in open_findings.rows if finding.inspection_id != inspection.id]


def _findings_of_the_day(session: Session, inspection: Inspection) -> list[Finding]:
    """Return the restroom's open findings of the inspection's day that are not of this inspection."""
    days = {i18n.day(inspection.started_s), i18n.day(inspection.finished_s)}
    return [row for row in earlier_findings(session, inspection) if i18n.day(row.first_at_s or row.created_s) in days]


def _listening(session: Session, inspection: Inspection, used: InspectionSensor) -> ListeningSensor:
    summary = sensor_presenters.summary(used.sensor, current_app.extensions["settings"].silent_after_s)
    is_away = summary.state in (fleet.OFFLINE, fleet.SILENT)
    return ListeningSensor(*summary, _last_known_activity(used) if is_away else _activity(session, inspection, used))


def _last_known_activity(used: InspectionSensor) -> str:
    if used.started_s is None:
        return gettext("It has not been told to start; it hears that when it connects again.")
    return gettext("It was listening for this inspection when it was last heard.")


def _activity(session: Session, inspection: Inspection, used: InspectionSensor) -> str:
    if used.started_s is not None and used.stopped_s is None:
        return gettext("It listens for this inspection.")
    if used.stopped_s is not None:
        return gettext("It has stopped listening for this inspection.")
    recent = command_queue.recent(session, used.sensor)
    start = next((command for command in recent if _is_start_of(command, inspection)), None)
    if start is not None and start.ended_s is not None and not start.ok:
        return gettext("It did not start: %(why)s", why=sensor_refusal(start.error) or gettext("no answer"))
    if clock.now_s() - used.chosen_s > sensor_presenters.ANSWER_EXPECTED_S:
        return gettext("It has not answered for longer than usual. Is it switched on and near its Wi-Fi?")
    return gettext("It is being told to start. A Wi-Fi sensor hears that between two rounds of listening.")


def _is_start_of(command: Command, inspection: Inspection) -> bool:
    return command.args.get("inspection") == inspection.public_id and command.name == messages.INSPECTION_START
