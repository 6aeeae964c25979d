"""
Whether a result "none found" still stands, and what was reported after it.

    result_validity.check(session, finding, was_blocking)        # after an event or a disposition of a finding
    result_validity.reopen(session, inspection, hole=public_id)  # after something suspicious that people report late
    result_validity.list_late_alarms(session, inspection)        # for the record and the certificate
    result_validity.list_late_reports(session, inspection)

While one of the inspection's findings is open, unresolved or referred to the police, its result does not stand. A
suspicious answer or a hole that is handed over later reopens it, too, until a person corrects the record. While it does
not stand, Inspection.standing_result is REOPENED. The result's row stays as it was recorded.
"""

import json
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansim.finding import ALARM
from server import clock, db
from server.models.findings import Disposition, Finding, FindingEvent, blocking
from server.models.inspections import NONE_FOUND, REOPENED, Inspection, OfflineVisit
from server.models.outside import INSPECTION_REOPENED
from server.models.places import Restroom
from server.services.audit import log
from server.services.inspecting import coverage
from server.services.outside import notifications

VISIT, HOLE = "visit", "hole"


class LateAlarm(NamedTuple):
    """
    An alarm that followed the result that counts.

    at_s      when it was received, or judged anew
    judged    the newest disposition; None: not judged yet
    blocking  the result does not stand beside it
    """

    finding: Finding
    at_s: int
    judged: Disposition | None
    blocking: bool


class LateReport(NamedTuple):
    """
    Something suspicious that people reported after the result.

    kind       VISIT or HOLE
    at_s       when it was received
    settled_s  when a person corrected the record afterwards; None: not yet
    """

    kind: str
    at_s: int
    settled_s: int | None


def check(session: Session, finding: Finding, was_blocking: bool) -> None:
    """
    Reopen the finished inspection of a finding, or let its result stand again.

    was_blocking  whether "none found" could not stand beside the finding before

    Call it in the transaction of the event or the disposition. Entry and notification are written for the first
    finding that reopens an inspection; further ones have their own entries.
    """
    if finding.inspection_id is None:
        return
    inspection = session.get_one(Inspection, finding.inspection_id)
    if inspection.result != NONE_FOUND:
        return
    query = select(func.count(Finding.id)).where(Finding.inspection_id == inspection.id, blocking())
    count = session.scalar(query) or 0
    session.expire(inspection, ["unsettled"])
    room = session.get_one(Restroom, inspection.restroom_id)
    if room.last_inspection_id == inspection.id:
        room.last_result = REOPENED if count or inspection.reopened_s else NONE_FOUND
        session.flush()
    if count != 1 or inspection.reopened_s or was_blocking or not is_blocking(session, finding):
        return
    log.add(session, "inspection.reopened", inspection.public_id, {"finding": finding.public_id})
    _notify(session, inspection, room, finding=finding.public_id)


def reopen(session: Session, inspection: Inspection, **cause: str) -> None:
    """
    Reopen the result "none found" of an inspection, because people report something suspicious after it.

    cause  visit=<key of an offline visit> or hole=<public id>

    It stays open until a person corrects the record. People are notified once.
    """
    inspection = db.lock_row(session, inspection)
    if inspection.result != NONE_FOUND:
        return
    was_open = bool(inspection.unsettled)
    inspection.reopened_s = clock.now_s()
    room = session.get_one(Restroom, inspection.restroom_id)
    if room.last_inspection_id == inspection.id:
        room.last_result = REOPENED
    session.flush()
    session.expire(inspection, ["unsettled"])
    log.add(session, "inspection.reopened", inspection.public_id, cause)
    if not was_open:
        _notify(session, inspection, room, **cause)


def reopen_overlapping(session: Session, visit: OfflineVisit) -> None:
    """Reopen the results of other inspections of the restroom that were going on during a suspicious visit."""
    own = session.get_one(Inspection, visit.inspection_id)
    query = select(Inspection).where(Inspection.restroom_id == own.restroom_id, Inspection.id != own.id)
    query = query.where(Inspection.result == NONE_FOUND, Inspection.started_s <= visit.ended_s)
    for inspection in session.scalars(query.where(Inspection.finished_s >= visit.began_s).order_by(Inspection.id)):
        reopen(session, inspection, visit=visit.key)


def list_late_reports(session: Session, inspection: Inspection) -> list[LateReport]:
    """Return what people reported after the result of a finished inspection, oldest first."""
    entries = log.list_entries(session, [inspection.public_id], "inspection.reopened").rows
    settled_s = inspection.results[-1].at_s if inspection.results and inspection.reopened_s is None else None
    rows = []
    for entry, _personal in reversed(entries):
        body = json.loads(entry.body)
        kind = next((kind for kind in (VISIT, HOLE) if kind in body), None)
        if kind:
            rows.append(LateReport(kind, entry.at_s, settled_s))
    return rows


def _notify(session, inspection, room, **cause):
    notifications.enqueue(
        session,
        INSPECTION_REOPENED,
        room.facility_id,
        inspection.public_id,
        restroom=room.name,
        restroom_id=room.public_id,
        **cause,
    )


def complete(session: Session, inspection: Inspection) -> None:
    """
    Take over the coverage of all sweeps into the result, once no sensor listens any more.

    A sensor sends its report "stopped" after its last sweep, and reports are stored in their order.
    """
    session.flush()
    session.expire(inspection, ["listening", "results"])
    if inspection.result is None or inspection.listening or not inspection.results:
        return
    result = inspection.results[-1]
    final = coverage.of_inspection(session, inspection).summary()
    if result.coverage is None or final["sweeps"] <= result.coverage["sweeps"]:
        return
    result.final_coverage = final
    log.add(session, "inspection.completed", inspection.public_id, {"coverage": final})


def is_blocking(session: Session, finding: Finding) -> bool:
    """True if "none found" cannot stand beside a finding."""
    session.flush()
    return session.scalar(select(Finding.id).where(Finding.id == finding.id, blocking())) is not None


def list_late_alarms(session: Session, inspection: Inspection) -> list[LateAlarm]:
    """Return the alarms that followed the result of a finished inspection, oldest first."""
    if not inspection.results:
        return []
    result = inspection.results[-1]
    received = select(func.min(FindingEvent.received_s))
    received = received.where(FindingEvent.finding_id == Finding.id, FindingEvent.level == ALARM)
    query = select(Finding, func.coalesce(received.scalar_subquery(), Finding.created_s), blocking())
    query = query.where(Finding.inspection_id == inspection.id, Finding.alarmed_s.is_not(None) | blocking())
    rows = []
    for finding, received_s, is_open in session.execute(query.order_by(Finding.id)):
        judged = finding.dispositions[-1] if finding.dispositions and finding.disposition else None
        if received_s > result.at_s:
            rows.append(LateAlarm(finding, received_s, judged, bool(is_open)))
        elif is_open and result.result == NONE_FOUND:
            rows.append(LateAlarm(finding, judged.at_s if judged else received_s, judged, True))
    return sorted(rows, key=lambda row: row.at_s)
