"""Findings as people see and judge them. How they come about is in intake.py."""

from collections import namedtuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload, selectinload

from ansim.finding import ALARM_SCORE
from server import clock, ids
from server.models.findings import (
    CASE,
    CLOSED,
    DISPOSITIONS,
    KNOWN,
    NEIGHBOUR,
    NOTED,
    OPEN,
    REFERRED,
    Disposition,
    Finding,
    FindingEvent,
    PseudonymKey,
    StimulusResult,
)
from server.models.inspections import Inspection
from server.models.places import KnownEmitter, Restroom
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.findings import known_emitters
from server.services.people import access, accounts

KNOWN_FOR_S = 365 * 86400  # an approved emitter is asked about again after a year

LINK_DAYS = 7  # raw data is kept so long; the keys of older days are destroyed

# One visit to the finding's restroom. alarms: findings it had; found: this emitter's finding there, or None
Visit = namedtuple("Visit", ("inspection", "alarms", "found"))

# finding       Finding
# events        FindingEvents, newest first
# evidence      [[rule, value, threshold, weight], ...] of the newest event that has any
# considered    [[cause, verdict], ...] of the same event
# dispositions  Dispositions, newest first
# stimulus      StimulusResults, newest first
# same_emitter  other Findings of what is probably the same emitter, newest first
# visits        Visits to its restroom, newest first
# suspicious    True while nobody has found an innocent cause: the page then leads with what to do
FindingDetail = namedtuple(
    "FindingDetail",
    ("finding", "events", "evidence", "considered", "dispositions", "stimulus", "same_emitter", "visits", "suspicious"),
)


def list_findings(session: Session, status="open", restroom=None, limit=50, before_id=None, user=None) -> list[Finding]:
    """
    Findings, newest first.

    status  one of models.findings.STATUSES, or "all"
    user    who asks; None for the system itself
    """
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
    wanted = _visible(wanted, user)
    return list(session.scalars(wanted.order_by(Finding.id.desc()).limit(limit)))


def _visible(wanted, user):
    """The query limited to a person's places; what no restroom is known of is for those who see everything."""
    if user is None or getattr(user, "everywhere", False):
        return wanted
    rooms = access.within(select(Restroom.id), user, Restroom.facility_id)
    return wanted.where(Finding.restroom_id.in_(rooms))


def may(session: Session, user, right: str, one: Finding) -> bool:
    """True if a person has this right where the finding was made."""
    if one.restroom_id is None:
        return accounts.may(user, right) and getattr(user, "everywhere", False)
    facility_id = session.scalar(select(Restroom.facility_id).where(Restroom.id == one.restroom_id))
    return access.may(session, user, right, facility_id)


def count_open(session: Session, user=None) -> int:
    """How many findings wait for a person, at the places they may see."""
    return session.scalar(_visible(select(func.count(Finding.id)).where(Finding.status == OPEN), user))


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


def detail(session: Session, one: Finding, user=None, pseudonyms=None) -> FindingDetail:
    """Return what explains a finding, as far as this person may see it; see same_emitter()."""
    same = same_emitter(session, one, user, pseudonyms)
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
        same_emitter=same,
        visits=visits(session, one, same),
        suspicious=one.status in (OPEN, CASE),
    )


def same_emitter(session: Session, one: Finding, user=None, pseudonyms=None, limit: int = 20) -> list[Finding]:
    """
    Other findings of the same emitter, at places this person may see, newest first.

    They have the same pseudonym (of one day), the same address while both are kept, or the same entry in the list of
    known emitters. With `pseudonyms` and a kept address, also those of other days whose key still exists: that is
    the time in which two days may be linked at all.
    """
    same = Finding.pseudonym == one.pseudonym
    if one.address:
        same = same | (Finding.address == one.address)
        if pseudonyms is not None:
            since = clock.day(clock.now_s()) - LINK_DAYS
            days = session.scalars(select(PseudonymKey.day).where(PseudonymKey.day >= since))
            same = same | Finding.pseudonym.in_([pseudonyms.of(session, one.address, day) for day in days])
    if one.known_emitter_id:
        same = same | (Finding.known_emitter_id == one.known_emitter_id)
    wanted = select(Finding).where(same, Finding.id != one.id).outerjoin(Restroom, Restroom.id == Finding.restroom_id)
    wanted = access.within(wanted, user, Restroom.facility_id).order_by(Finding.id.desc()).limit(limit)
    return list(session.scalars(wanted.options(joinedload(Finding.sensor), joinedload(Finding.restroom))))


def visits(session: Session, one: Finding, same: list[Finding], limit: int = 12) -> list[Visit]:
    """
    The finding's restroom over its visits, newest first: what was found at each, and whether it was this emitter.

    same  same_emitter()'s
    """
    if one.restroom_id is None:
        return []
    wanted = select(Inspection).where(Inspection.restroom_id == one.restroom_id)
    inspections = list(session.scalars(wanted.order_by(Inspection.id.desc()).limit(limit)))
    if not inspections:
        return []
    numbers = [visit.id for visit in inspections]
    alarms = select(Finding.inspection_id, func.count(Finding.id)).where(Finding.inspection_id.in_(numbers))
    alarms = alarms.where(Finding.status != NOTED).group_by(Finding.inspection_id)
    counts = dict(session.execute(alarms).all())
    mine = {found.inspection_id: found for found in [*same, one]}
    return [Visit(visit, counts.get(visit.id, 0), mine.get(visit.id)) for visit in inspections]


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
    if kind in (KNOWN, NEIGHBOUR) and one.address and one.restroom_id and may(session, user, accounts.MANAGE, one):
        one.known_emitter_id = _approve(session, one, user, kind, now_s).id
    one.disposition = kind
    one.changed_s = now_s
    if kind == REFERRED:
        one.status = CASE
    else:
        close(session, one)
    session.flush()
    _tell(session, one, added, user)
    return added


def _tell(session, one, added, user):
    """Write a disposition into the log. The reason is free words, in which people may be named."""
    body = {"kind": added.kind, "inspection": one.inspection_ref, "listed": one.known_emitter_id is not None}
    words = {"reason": added.reason, **({"police": added.police} if added.police else {})}
    log.add(session, "finding.disposed", one.public_id, body, user, words)


def close(session: Session, one: Finding) -> None:
    """Close a finding: what says whose device it was is erased, the rest stays."""
    one.status = CLOSED
    one.address = one.bssid = None
    one.label = ""
    session.execute(update(FindingEvent).where(FindingEvent.finding_id == one.id).values(exact=None))


def _approve(session, one, user, kind, now_s):
    facility_id = session.scalar(select(Restroom.facility_id).where(Restroom.id == one.restroom_id))
    if there := known_emitters.listed(session, facility_id, one.address, now_s):
        return there  # from another finding of the same device
    added = KnownEmitter(
        facility_id=facility_id,
        address=one.address,
        label=one.label,
        reason=kind,
        approved_by_id=user.id,
        approved_s=now_s,
        expires_s=now_s + KNOWN_FOR_S,
        finding_id=one.id,
    )
    session.add(added)
    session.flush()
    return added


def is_alarm(finding: Finding) -> bool:
    """True while a finding is strong enough to act on and nobody has found an innocent cause."""
    return finding.status != CLOSED and finding.score_max >= ALARM_SCORE
