"""
Record FINDING reports: as a new finding, or as a further event of a stored one.

One finding is one emitter, as one detector of one sensor saw it during one inspection.
"""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansim import finding as wire
from ansim.uplink_schemas import level_of
from server import clock
from server.models.findings import CASE, CLOSED, GAPS, NOTED, OPEN, WITH_ADDRESS, Disposition, Finding, FindingEvent
from server.models.inspections import Inspection
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.audit import log
from server.services.findings import dispositions, known_emitters
from server.services.findings.pseudonyms import Pseudonyms, is_local, maker
from server.services.inspecting import result_validity
from server.services.intake.received_report import NewReport
from server.services.outside import notifications

ON_THE_LIST = "on the facility's list of known emitters"


class _Before(NamedTuple):
    """A finding's level and status before an event; level "" before the first."""

    level: str
    status: str
    was_alarm: bool


def record(
    session: Session,
    pseudonyms: Pseudonyms,
    report: NewReport,
    inspection_id: int | None,
    restroom_id: int | None,
    now_s: int,
) -> Finding:
    """Store the content of one FINDING report of this inspection and restroom; return its finding."""
    body = report.message["body"]
    at_s = report.at_s or now_s
    pseudonym = pseudonyms.of(session, body["subject"], clock.day(at_s))
    finding = _load_finding(session, pseudonyms, report, pseudonym, at_s)
    if finding is None or _is_new_episode(finding, report, body):
        finding = _add_finding(session, report, inspection_id, restroom_id, pseudonym, finding, now_s)
        before = _Before("", NOTED, False)
    else:
        before = _Before(finding.level, finding.status, finding.alarmed_s is not None)
    _update(session, finding, report, body, now_s)
    if finding.status in (NOTED, OPEN):
        _close_if_known(session, finding, body["subject"], now_s)
    session.flush()
    if _is_over(finding):
        _end_notice(session, finding, body)
    session.add(
        FindingEvent(
            finding_id=finding.id,
            report_id=report.report_id,
            event=body["event"],
            level=finding.level,
            at_s=report.at_s,
            received_s=now_s,
            first_ms=body["first_ms"],
            last_ms=body["last_ms"],
            score=body["score"],
            channel=body["channel"],
            rssi_dbm=body["rssi_dbm"],
            evidence=[list(row) for row in body["evidence"]],
            considered=[list(row) for row in body["considered"]],
            exact=report.body if finding.status in WITH_ADDRESS else None,
        )
    )
    session.flush()
    _log_change(session, finding, before, body)
    return finding


def _log_change(session, finding, before, body):
    """
    Log an alarm, a change of level and the start and end of a notice, and notify people.

    A notice is logged only in an inspection, whose result names it. A known emitter's alarm is logged; nobody is
    notified of it.
    """
    facts = {"detector": finding.detector, "level": finding.level, "inspection": finding.inspection_ref}
    if finding.alarmed_s is not None:
        reason = next((row[:2] for row in body["evidence"] if row[0].startswith(wire.LEVEL_RULE)), None)
        if not before.was_alarm:
            facts.update(score=finding.score, known=finding.status != OPEN)
            if before.level:
                log.add(session, "finding.escalated", finding.public_id, {**facts, "reason": reason})
                if finding.status == OPEN:
                    _notify(session, "finding_escalated", finding)
            else:
                log.add(session, "finding.raised", finding.public_id, facts)
            if finding.status == OPEN:
                _notify(session, "finding_new", finding)
                result_validity.check(session, finding, was_blocking=False)
        elif finding.level != before.level:
            kind = "finding.escalated" if finding.level == wire.ALARM else "finding.lowered"
            log.add(session, kind, finding.public_id, {**facts, "score": finding.score, "reason": reason})
        return
    is_logged = finding.inspection_id is not None and finding.detector not in GAPS
    if not before.level and finding.status == NOTED:
        if is_logged:
            log.add(session, "finding.raised", finding.public_id, {**facts, "score": finding.score})
        if finding.detector not in GAPS:
            _notify(session, "finding_notice", finding)
    elif is_logged and finding.disposition is None and (before.status, finding.status) == (NOTED, CLOSED):
        ended = {"likely": finding.likely, "lasted_s": finding.lasted_s}
        log.add(session, "finding.ended", finding.public_id, {**facts, **ended})


def _notify(session, kind, finding):
    restroom = session.get(Restroom, finding.restroom_id) if finding.restroom_id else None
    where = {"restroom": restroom.name, "restroom_id": restroom.public_id} if restroom else {}
    notifications.enqueue(
        session,
        kind,
        restroom.facility_id if restroom else None,
        finding.public_id,
        detector=finding.detector,
        level=finding.level,
        score=finding.score,
        **where,
    )


def _load_finding(session, pseudonyms, report, pseudonym, at_s):
    """Return the newest finding of this emitter in this inspection: by address while it is kept, else by pseudonym."""
    body = report.message["body"]
    query = select(Finding).where(
        Finding.sensor_id == report.sensor_id,
        Finding.inspection_ref == report.message["inspection"],
        Finding.detector == body["detector"],
    )
    query = query.order_by(Finding.id.desc()).limit(1)
    finding = session.scalar(query.where(Finding.address == body["subject"]))
    if finding is None:
        # An inspection over midnight continues under the pseudonym of the day before.
        yesterday = pseudonyms.of(session, body["subject"], clock.day(at_s) - 1)
        finding = session.scalar(query.where(Finding.pseudonym.in_((pseudonym, yesterday))))
    return finding


def _is_new_episode(finding, report, body):
    """True if a finding outside inspections is raised again after a person has closed it."""
    judged = finding.status == CLOSED and finding.disposition is not None and finding.known_emitter_id is None
    return judged and not report.message["inspection"] and body["event"] == wire.RAISED


def _add_finding(session, report, inspection_id, restroom_id, pseudonym, previous, now_s):
    """Add a finding; `previous` is the one of the same emitter whose next episode it is, or None."""
    body = report.message["body"]
    last_episode = select(func.max(Finding.episode)).where(
        Finding.sensor_id == report.sensor_id,
        Finding.inspection_ref == report.message["inspection"],
        Finding.detector == body["detector"],
        Finding.pseudonym == pseudonym,
    )
    info = session.scalar(select(Sensor.info).where(Sensor.id == report.sensor_id)) or {}
    finding = Finding(
        sensor_id=report.sensor_id,
        inspection_ref=report.message["inspection"],
        inspection_id=inspection_id,
        restroom_id=restroom_id,
        detector=body["detector"],
        pseudonym=pseudonym,
        episode=(session.scalar(last_episode) or 0) + 1 if previous else 1,
        oui=maker(body["subject"]),
        local=is_local(body["subject"]),
        label="",
        board=str(info.get("board", ""))[:32],
        version=str(info.get("version", ""))[:32],
        created_s=now_s,
        status=NOTED,
        level=wire.NOTICE,
        likely="",
        score_max=0,
        rssi_max_dbm=body["rssi_dbm"],
        events_count=0,
    )
    session.add(finding)
    return finding


def _update(session, finding, report, body, now_s):
    """Copy the newest event into the finding."""
    finding.changed_s = now_s
    finding.event = body["event"]
    finding.score = body["score"]
    finding.score_max = max(finding.score_max, body["score"])
    finding.rssi_dbm = body["rssi_dbm"]
    finding.rssi_max_dbm = max(finding.rssi_max_dbm, body["rssi_dbm"])
    finding.channel = body["channel"]
    finding.events_count += 1
    if report.at_s is not None:
        finding.first_at_s = report.at_s if finding.first_at_s is None else min(finding.first_at_s, report.at_s)
        finding.last_at_s = report.at_s if finding.last_at_s is None else max(finding.last_at_s, report.at_s)
    finding.level = _level(finding, body)
    if finding.level == wire.ALARM and finding.alarmed_s is None:
        finding.alarmed_s = report.at_s or now_s
        if finding.known_emitter_id is None and finding.status != CASE:
            # A person's judgement of the notice does not settle the alarm.
            finding.status, finding.disposition = OPEN, None
    elif finding.status == CLOSED and finding.disposition is None and body["event"] != wire.CLEARED:
        finding.status, finding.likely, finding.lasted_s = NOTED, "", None  # a notice that was over goes on
    if finding.status in WITH_ADDRESS or _may_be_followed(session, finding):
        finding.address = body["subject"]
        finding.bssid = body["bssid"] or finding.bssid or ""
        finding.label = body.get("label", "") or finding.label


def _may_be_followed(session, finding):
    """True for a notice that goes on in a running inspection: to follow it, its address is needed."""
    if finding.status != NOTED or finding.detector in GAPS or finding.inspection_id is None:
        return False
    return session.get_one(Inspection, finding.inspection_id).result is None


def _level(finding, body):
    """Return the level after an event. A sensor of report version 1 does not lower it."""
    if "level" not in body and finding.level == wire.ALARM:
        return wire.ALARM
    return level_of(body)


def _is_over(finding):
    return finding.status == NOTED and finding.event == wire.CLEARED


def _end_notice(session, finding, body):
    """Close a notice that its sensor has cleared: it needs no disposition."""
    query = select(FindingEvent.last_ms).where(FindingEvent.finding_id == finding.id)
    query = query.where(FindingEvent.event == wire.RAISED).order_by(FindingEvent.id.desc()).limit(1)
    raised_ms = session.scalar(query)
    if raised_ms is not None and raised_ms <= body["last_ms"]:  # else the sensor has restarted
        finding.lasted_s = max(0, body["last_ms"] - raised_ms - _silence_ms(body)) // 1000
    finding.likely = body.get("likely", "")
    dispositions.close(session, finding)


def _silence_ms(body):
    """Return for how long the emitter had been silent when the finding was cleared."""
    silence = {row[0]: row[1] for row in body["evidence"]}
    return silence.get("silent_ms", silence.get("silent_s", 0) * 1000)


def _close_if_known(session, finding, address, now_s):
    """Close a finding at once if its emitter is on the facility's list."""
    if finding.restroom_id is None:
        return
    facility_id = session.scalar(select(Restroom.facility_id).where(Restroom.id == finding.restroom_id))
    emitter = known_emitters.find_valid(session, facility_id, address, now_s)
    if emitter is None:
        return
    finding.known_emitter_id = emitter.id
    finding.disposition = emitter.reason
    session.flush()
    row = Disposition(finding_id=finding.id, kind=emitter.reason, reason=ON_THE_LIST, at_s=now_s, automatic=True)
    session.add(row)
    dispositions.close(session, finding)
