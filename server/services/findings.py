"""Findings as people see and judge them. How they come about is in intake.py."""

from collections import namedtuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from server import clock, ids
from server.models.findings import (
    CASE,
    CLOSED,
    DISPOSITIONS,
    KNOWN,
    NEIGHBOUR,
    OPEN,
    REFERRED,
    Disposition,
    Finding,
    FindingEvent,
    StimulusResult,
)
from server.models.places import KnownEmitter, Restroom
from server.services import people
from server.services.errors import NotFound, Refused

KNOWN_FOR_S = 365 * 86400  # an approved emitter is asked about again after a year

# finding       Finding
# events        FindingEvents, newest first
# evidence      [[rule, value, threshold, weight], ...] of the newest event that has any
# considered    [[cause, verdict], ...] of the same event
# dispositions  Dispositions, newest first
# stimulus      StimulusResults, newest first
# same_emitter  other Findings of what is probably the same emitter, newest first
# suspicious    True while nobody has found an innocent cause: the page then leads with what to do
FindingDetail = namedtuple(
    "FindingDetail",
    ("finding", "events", "evidence", "considered", "dispositions", "stimulus", "same_emitter", "suspicious"),
)


def list_findings(session: Session, status="open", restroom=None, limit=50, before_id=None) -> list[Finding]:
    """Findings, newest first. status: one of models.findings.STATUSES, or "all"."""
    wanted = select(Finding).options(
        joinedload(Finding.sensor),
        joinedload(Finding.known_emitter),
        joinedload(Finding.inspection),
        joinedload(Finding.restroom).joinedload(Restroom.facility),
    )
    if status != "all":
        wanted = wanted.where(Finding.status == status)
    if restroom is not None:
        wanted = wanted.where(Finding.restroom_id == restroom.id)
    if before_id is not None:
        wanted = wanted.where(Finding.id < before_id)
    return list(session.scalars(wanted.order_by(Finding.id.desc()).limit(limit)))


def count_open(session: Session) -> int:
    """How many findings wait for a person."""
    return session.scalar(select(func.count(Finding.id)).where(Finding.status == OPEN))


def finding(session: Session, public_id: str) -> Finding:
    """Return a finding with everything its page shows. Raises NotFound."""
    wanted = select(Finding).where(Finding.public_id == ids.clean(public_id))
    wanted = wanted.options(
        joinedload(Finding.sensor),
        joinedload(Finding.inspection),
        joinedload(Finding.known_emitter),
        joinedload(Finding.restroom).joinedload(Restroom.facility),
        selectinload(Finding.events),
        selectinload(Finding.dispositions).joinedload(Disposition.by),
    )
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("finding")
    return found


def detail(session: Session, one: Finding) -> FindingDetail:
    """Return what explains a finding."""
    events = list(reversed(one.events))
    told = next((event for event in events if event.evidence), events[0] if events else None)
    stimulus = select(StimulusResult).where(StimulusResult.finding_id == one.id).order_by(StimulusResult.id.desc())
    return FindingDetail(
        finding=one,
        events=events,
        evidence=told.evidence if told else [],
        considered=told.considered if told else [],
        dispositions=list(reversed(one.dispositions)),
        stimulus=list(session.scalars(stimulus)),
        same_emitter=same_emitter(session, one),
        suspicious=one.status in (OPEN, CASE),
    )


def same_emitter(session: Session, one: Finding, limit: int = 20) -> list[Finding]:
    """Other findings of the same emitter: the same pseudonym (of one day), or the same address while both are kept."""
    same = Finding.pseudonym == one.pseudonym
    if one.address:
        same = same | (Finding.address == one.address)
    wanted = select(Finding).where(same, Finding.id != one.id).order_by(Finding.id.desc()).limit(limit)
    return list(session.scalars(wanted.options(joinedload(Finding.sensor), joinedload(Finding.restroom))))


def dispose(session: Session, one: Finding, user, kind: str, reason: str, police: dict | None = None) -> Disposition:
    """
    Record what a person made of a finding.

    KNOWN and NEIGHBOUR also put the emitter on the facility's list, if the person may manage it and the
    address is still kept. REFERRED keeps the address, as part of the case; every other kind erases it.
    police  for REFERRED: {"called_s", "station", "receipt", "custody"}; the station at least
    Raises Refused: reason_needed, police_needed.
    """
    if kind not in DISPOSITIONS:
        raise ValueError(f"{kind!r} is none of {', '.join(DISPOSITIONS)}")
    if not reason.strip():
        raise Refused("reason_needed")
    if kind == REFERRED and not (police or {}).get("station", "").strip():
        raise Refused("police_needed")
    one = session.get(Finding, one.id, with_for_update=True, populate_existing=True)
    now_s = clock.now_s()
    added = Disposition(
        finding_id=one.id,
        kind=kind,
        reason=reason.strip(),
        police=police if kind == REFERRED else None,
        at_s=now_s,
        by_id=user.id if user else None,
    )
    session.add(added)
    if kind in (KNOWN, NEIGHBOUR) and one.address and one.restroom_id and people.may(user, people.MANAGE):
        one.known_emitter_id = _approve(session, one, user, kind, now_s).id
    one.disposition = kind
    one.changed_s = now_s
    if kind == REFERRED:
        one.status = CASE
    else:
        close(session, one)
    session.flush()
    return added


def close(session: Session, one: Finding) -> None:
    """Close a finding: what says whose device it was is erased, the rest stays."""
    one.status = CLOSED
    one.address = one.bssid = None
    one.label = ""
    session.execute(update(FindingEvent).where(FindingEvent.finding_id == one.id).values(exact=None))


def _approve(session, one, user, kind, now_s):
    facility_id = session.scalar(select(Restroom.facility_id).where(Restroom.id == one.restroom_id))
    added = KnownEmitter(
        facility_id=facility_id,
        address=one.address,
        label=one.label,
        reason=kind,
        approved_by_id=user.id,
        approved_s=now_s,
        expires_s=now_s + KNOWN_FOR_S,
    )
    session.add(added)
    session.flush()
    return added
