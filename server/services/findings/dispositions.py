"""Dispositions: what a person decides about a finding."""

from typing import TypedDict

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from server import clock, db
from server.models.findings import (
    CASE,
    CLOSED,
    DISPOSITIONS,
    KNOWN,
    NEIGHBOUR,
    NOTED,
    REFERRED,
    Disposition,
    Finding,
    FindingEvent,
)
from server.models.outside import FINDING_DISPOSED
from server.models.places import Facility, KnownEmitter, Restroom
from server.services.audit import log
from server.services.errors import Refused
from server.services.findings import findings, known_emitters
from server.services.inspecting import result_validity
from server.services.outside import notifications
from server.services.people import accounts

KNOWN_FOR_S = 365 * 86400  # an approved emitter has to be renewed after a year


class Police(TypedDict, total=False):
    """A referral to the police: time of the call, station or officer, receipt number, keeper of the evidence."""

    called_s: int | None
    station: str
    receipt: str
    custody: str


def dispose(
    session: Session, finding: Finding, user, kind: str, reason: str, police: Police | dict | None = None
) -> Disposition:
    """
    Record a person's decision about a finding.

    KNOWN and NEIGHBOUR also make the emitter a known one of the facility, if the user may manage the facility and
    the address is still stored. REFERRED keeps the address, as part of the case; every other kind erases it.

    police  for REFERRED: the station at least

    Raises Refused: reason_needed, police_needed.
    """
    if kind not in DISPOSITIONS:
        raise ValueError(f"{kind!r} is none of {', '.join(DISPOSITIONS)}")
    if not reason.strip():
        raise Refused("reason_needed")
    if kind == REFERRED and not (police or {}).get("station", "").strip():
        raise Refused("police_needed")
    finding = db.lock_row(session, finding)
    was_blocking = result_validity.is_blocking(session, finding)
    now_s = clock.now_s()
    disposition = Disposition(
        finding_id=finding.id,
        kind=kind,
        reason=reason.strip(),
        police=police if kind == REFERRED else None,
        at_s=now_s,
        by_id=user.id,
    )
    session.add(disposition)
    may_list = finding.address and finding.restroom_id and findings.may(session, user, accounts.MANAGE, finding)
    if kind in (KNOWN, NEIGHBOUR) and may_list:
        finding.known_emitter_id = _approve(session, user, finding, kind, now_s, reason).id
    finding.disposition = kind
    finding.changed_s = now_s
    if kind == REFERRED:
        finding.status = CASE
    else:
        close(session, finding)
    session.flush()
    _log_disposition(session, user, finding, disposition)
    room = finding.restroom
    notifications.enqueue(
        session,
        FINDING_DISPOSED,
        room.facility_id if room else None,
        finding.public_id,
        detector=finding.detector,
        level=finding.level,
        disposition=kind,
        **({"restroom": room.name, "restroom_id": room.public_id} if room else {}),
    )
    result_validity.check(session, finding, was_blocking)
    return disposition


def close(session: Session, finding: Finding) -> None:
    """Close a finding: address, names and raw reports are erased, the rest stays."""
    finding.status = CLOSED
    finding.address = finding.bssid = None
    finding.label = ""
    session.execute(update(FindingEvent).where(FindingEvent.finding_id == finding.id).values(exact=None))


def forget_notices(session: Session, inspection_id: int) -> None:
    """Erase the addresses of an inspection's notices that still go on when it ends."""
    notices = update(Finding).where(Finding.inspection_id == inspection_id, Finding.status == NOTED)
    session.execute(notices.values(address=None, bssid=None, label=""))


def _log_disposition(session, user, finding, disposition):
    body = {
        "kind": disposition.kind,
        "inspection": finding.inspection_ref,
        "listed": finding.known_emitter_id is not None,
    }
    # The reason is free text, in which people may be named.
    personal = {"reason": disposition.reason, **({"police": disposition.police} if disposition.police else {})}
    log.add(session, "finding.disposed", finding.public_id, body, user, personal)


def _approve(session, user, finding, kind, now_s, reason):
    facility_id = session.scalar(select(Restroom.facility_id).where(Restroom.id == finding.restroom_id))
    if emitter := known_emitters.find_valid(session, facility_id, finding.address, now_s):
        return emitter  # approved from another finding of the same device
    emitter = KnownEmitter(
        facility_id=facility_id,
        address=finding.address,
        label=finding.label,
        reason=kind,
        approved_by_id=user.id,
        approved_s=now_s,
        expires_s=now_s + KNOWN_FOR_S,
        finding_id=finding.id,
    )
    session.add(emitter)
    session.flush()
    facility = session.get_one(Facility, facility_id)
    known_emitters.log_emitter(session, user, known_emitters.APPROVED, emitter, facility, reason)
    return emitter
