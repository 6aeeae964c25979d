"""
Findings: loading, listing, and everything that explains one.

    finding = findings.load(session, user, public_id, accounts.DISPOSE)
    page = findings.list_findings(session, user, status=OPEN, newest_first=True)

They are created by services/intake/finding_events.py and closed by dispositions.py.
"""

from collections.abc import Sequence
from typing import NamedTuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from ansim.finding import ALARM
from server import clock, ids
from server.models.findings import (
    CASE,
    CLOSED,
    GAPS,
    NOTED,
    OPEN,
    Disposition,
    Finding,
    FindingEvent,
    PseudonymKey,
    StimulusResult,
    happened_between,
)
from server.models.inspections import Inspection
from server.models.places import Facility, Restroom
from server.services import paging
from server.services.errors import NotFound
from server.services.findings.pseudonyms import Pseudonyms
from server.services.people import access, accounts

GOES_ON_S = 86400
LINK_DAYS = 7  # raw data is kept so long; the keys of older days are destroyed


class Visit(NamedTuple):
    """
    An inspection of a finding's restroom.

    alarms   number of its findings that were alarms
    finding  its finding of the same emitter, or None
    """

    inspection: Inspection
    alarms: int
    finding: Finding | None


class FindingDetail(NamedTuple):
    """
    Everything that explains a finding; all lists are newest first.

    evidence        [[rule, value, threshold, weight], ...] of the newest event that has any; of a notice that is over,
                    of its strongest event
    evidence_score  score of the same event
    considered      [[cause, verdict], ...] of the same event
    same_emitter    other findings that are probably of the same emitter
    visits          the latest inspections of its restroom
    suspicious      True until an innocent cause is recorded: the page then leads with what to do
    """

    finding: Finding
    events: list[FindingEvent]
    evidence: list
    evidence_score: int
    considered: list
    dispositions: list[Disposition]
    stimulus: list[StimulusResult]
    same_emitter: list[Finding]
    visits: list[Visit]
    suspicious: bool


def is_alarm(finding: Finding) -> bool:
    """Return whether a finding is an alarm now and has no innocent cause recorded: act on it before anything else."""
    return finding.status == CASE or (finding.status == OPEN and finding.level == ALARM)


def is_notice(finding: Finding) -> bool:
    """Return whether a finding is a one-way sender that was never an alarm."""
    return finding.alarmed_s is None and finding.detector not in GAPS


def is_going_on(finding: Finding) -> bool:
    """Return whether a notice goes on. A sensor clears none when its inspection ends, or when it restarts."""
    if finding.status != NOTED or finding.changed_s < clock.now_s() - GOES_ON_S:
        return False
    return finding.inspection is None or finding.inspection.result is None


def is_over(finding: Finding) -> bool:
    """Return whether a finding is a notice that has ended by itself."""
    return finding.status == CLOSED and finding.disposition is None and finding.alarmed_s is None


def is_judgeable(finding: Finding) -> bool:
    """Return whether a person may judge a finding: an alarm has to be judged, a notice may be, also when it is over."""
    return finding.status in (NOTED, OPEN, CASE) or is_over(finding)


def may(session: Session, user, right: str, finding: Finding) -> bool:
    """Return whether a user has a right where the finding was made. Without a restroom it has to hold everywhere."""
    if finding.restroom_id is None:
        return accounts.may(user, right) and getattr(user, "everywhere", False)
    facility_id = session.scalar(select(Restroom.facility_id).where(Restroom.id == finding.restroom_id))
    return access.may(session, user, right, facility_id)


def load(session: Session, user, public_id: str, right: str = accounts.SEE) -> Finding:
    """Return a finding with everything its page shows. Raises NotFound, also where the user lacks the right."""
    explained = (
        joinedload(Finding.sensor),
        joinedload(Finding.inspection),
        joinedload(Finding.known_emitter),
        joinedload(Finding.restroom).joinedload(Restroom.facility),
        selectinload(Finding.events),
        selectinload(Finding.dispositions).joinedload(Disposition.by),
    )
    return _load(session, user, public_id, right, explained)


def load_row(session: Session, user, public_id: str, right: str = accounts.SEE) -> Finding:
    """Return a finding alone, for what is asked every second. Raises NotFound as load()."""
    return _load(session, user, public_id, right, ())


def _load(session, user, public_id, right, options):
    finding = session.scalar(select(Finding).where(Finding.public_id == ids.clean(public_id)).options(*options))
    if finding is None or not may(session, user, right, finding):
        raise NotFound("finding")
    return finding


def list_findings(
    session: Session,
    user,
    *,
    status: str = "",
    level: str = "",
    restroom: str = "",
    facility: str = "",
    since_s: int | None = None,
    until_s: int | None = None,
    cursor: str | None = None,
    limit: int = 50,
    newest_first: bool = False,
) -> paging.Page[Finding]:
    """
    Return findings with sensor, restroom, inspection and known emitter.

    status              one of models.findings.STATUSES, "" for all
    level               the highest that it has reached: ALARM, NOTICE, "" for all
    restroom, facility  public ids
    since_s, until_s    happened in [since_s, until_s); see Finding.happened_s

    Raises BadCursor.
    """
    query: Select = visible(user)
    if status:
        query = query.where(Finding.status == status)
    if level:
        query = query.where(Finding.alarmed_s.is_not(None) if level == ALARM else Finding.alarmed_s.is_(None))
    if restroom:
        chosen = select(Restroom.id).where(Restroom.public_id == ids.clean(restroom))
        query = query.where(Finding.restroom_id.in_(chosen))
    if facility:
        facility_ids = select(Facility.id).where(Facility.public_id == ids.clean(facility))
        chosen = select(Restroom.id).where(Restroom.facility_id.in_(facility_ids))
        query = query.where(Finding.restroom_id.in_(chosen))
    if since_s is not None or until_s is not None:
        since_s = since_s or 0
        query = query.where(happened_between(since_s, paging.FOREVER_S if until_s is None else until_s))
    cursor_id = paging.decode(cursor)
    if cursor_id is not None:
        query = query.where(Finding.id < cursor_id if newest_first else Finding.id > cursor_id)
    query = query.order_by(Finding.id.desc() if newest_first else Finding.id)
    return paging.cut(session.scalars(query.limit(limit + 1)).all(), limit)


def visible(user) -> Select[tuple[Finding]]:
    """Return the query for the findings that a user may see, with sensor, restroom, inspection and known emitter."""
    return _within(select(Finding), user).options(
        joinedload(Finding.sensor),
        joinedload(Finding.known_emitter),
        joinedload(Finding.inspection),
        joinedload(Finding.restroom).joinedload(Restroom.facility),
    )


def count_open(session: Session, user) -> int:
    """Return how many findings wait for a disposition, at the places a user may see."""
    return session.scalar(_within(select(func.count(Finding.id)).where(Finding.status == OPEN), user)) or 0


def load_detail(session: Session, user, finding: Finding, pseudonyms: Pseudonyms | None = None) -> FindingDetail:
    """Return what explains a finding, as far as a user may see it; for pseudonyms see list_same_emitter()."""
    same_emitter = list_same_emitter(session, user, finding, pseudonyms)
    events = list(reversed(finding.events))
    with_evidence = [event for event in events if event.evidence] or events[:1]
    if is_over(finding):
        with_evidence.sort(key=lambda event: -event.score)
    explaining = with_evidence[0] if with_evidence else None
    query = select(StimulusResult).where(StimulusResult.finding_id == finding.id).order_by(StimulusResult.id.desc())
    return FindingDetail(
        finding=finding,
        events=events,
        evidence=explaining.evidence if explaining else [],
        evidence_score=explaining.score if explaining else finding.score,
        considered=explaining.considered if explaining else [],
        dispositions=list(reversed(finding.dispositions)),
        stimulus=list(session.scalars(query)),
        same_emitter=same_emitter,
        visits=list_visits(session, finding, same_emitter),
        suspicious=finding.status in (OPEN, CASE),
    )


def list_same_emitter(
    session: Session, user, finding: Finding, pseudonyms: Pseudonyms | None = None, limit: int = 20
) -> list[Finding]:
    """
    Return other findings of the same emitter, at places a user may see, newest first.

    They have the same pseudonym (of one day), the same address while both are stored, or the same known emitter.
    With `pseudonyms` and a stored address, findings of other days are included whose key still exists: for that
    long two days may be linked at all.
    """
    same = Finding.pseudonym == finding.pseudonym
    if finding.address:
        same = same | (Finding.address == finding.address)
        if pseudonyms is not None:
            since = clock.day(clock.now_s()) - LINK_DAYS
            days = session.scalars(select(PseudonymKey.day).where(PseudonymKey.day >= since))
            same = same | Finding.pseudonym.in_([pseudonyms.of(session, finding.address, day) for day in days])
    if finding.known_emitter_id:
        same = same | (Finding.known_emitter_id == finding.known_emitter_id)
    query = select(Finding).where(same, Finding.id != finding.id)
    query = query.outerjoin(Restroom, Restroom.id == Finding.restroom_id)
    query = access.within(query, user, Restroom.facility_id).order_by(Finding.id.desc()).limit(limit)
    return list(session.scalars(query.options(joinedload(Finding.sensor), joinedload(Finding.restroom))))


def list_visits(session: Session, finding: Finding, same_emitter: Sequence[Finding], limit: int = 12) -> list[Visit]:
    """
    Return the inspections of a finding's restroom, newest first: whether the emitter was found at each.

    same_emitter  from list_same_emitter()
    """
    if finding.restroom_id is None:
        return []
    query = select(Inspection).where(Inspection.restroom_id == finding.restroom_id)
    inspections = session.scalars(query.order_by(Inspection.id.desc()).limit(limit)).all()
    if not inspections:
        return []
    inspection_ids = [inspection.id for inspection in inspections]
    query = select(Finding.inspection_id, func.count(Finding.id)).where(Finding.inspection_id.in_(inspection_ids))
    query = query.where(Finding.alarmed_s.is_not(None)).group_by(Finding.inspection_id)
    alarms = dict(session.execute(query).all())
    findings = {row.inspection_id: row for row in [*same_emitter, finding]}
    return [Visit(inspection, alarms.get(inspection.id, 0), findings.get(inspection.id)) for inspection in inspections]


def _within(query: Select, user) -> Select:
    """Limit a query to a user's places; a finding without a restroom is visible to users with a role everywhere."""
    if getattr(user, "everywhere", False):
        return query
    restrooms = access.within(select(Restroom.id), user, Restroom.facility_id)
    return query.where(Finding.restroom_id.in_(restrooms))
