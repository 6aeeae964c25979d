"""
Whether a result "none found" still stands, and what was reported after it.

    standing.check(session, finding)                   # after an event or a disposition of a finding
    standing.list_late_alarms(session, inspection)     # for the record and the certificate

A result does not stand while one of the inspection's findings is open, unresolved or referred to the police:
Inspection.standing_result is then REOPENED. The result's row stays as it was recorded.
"""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansim.finding import ALARM
from server.models.findings import Disposition, Finding, FindingEvent, blocking
from server.models.inspections import NONE_FOUND, REOPENED, Inspection
from server.models.outside import INSPECTION_REOPENED
from server.models.places import Restroom
from server.services.audit import log
from server.services.outside import notifications


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
    session.expire(inspection, ["open_findings"])
    room = session.get_one(Restroom, inspection.restroom_id)
    if room.last_inspection_id == inspection.id:
        room.last_result = REOPENED if count else NONE_FOUND
        session.flush()
    if count != 1 or was_blocking or not is_blocking(session, finding):
        return
    log.add(session, "inspection.reopened", inspection.public_id, {"finding": finding.public_id})
    notifications.enqueue(
        session,
        INSPECTION_REOPENED,
        room.facility_id,
        inspection.public_id,
        restroom=room.name,
        restroom_id=room.public_id,
        finding=finding.public_id,
    )


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
