"""
Retention: deletes what is older than the settings allow. RULES has all rules.

    for result in retention.run(sessions, settings): ...     # Result(rule, rows)
    retention.run(sessions, settings, dry_run=True)          # only counts

Each rule works in small transactions of its own, so that ingest never waits long. The retention times are settings;
docs/privacy.md lists them.
"""

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import ColumnElement, delete, func, inspect, null, or_, select, update

from server import clock
from server.config import Settings
from server.db import Sessions, execute_count
from server.models.audit import LogEntry, LogPersonal
from server.models.campaigns import Campaign, CampaignAction, CampaignHandover, CampaignMember, CampaignTeam
from server.models.checklists import ChecklistAnswer
from server.models.findings import (
    CASE,
    CLOSED,
    NOTED,
    Disposition,
    Finding,
    FindingEvent,
    PseudonymKey,
    StimulusResult,
)
from server.models.inspections import (
    Inspection,
    InspectionPerson,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
    OfflineVisit,
    Signature,
    SweepAssignment,
)
from server.models.intake import DeadLetter, Proximity, Report, Selftest, Sweep, Tally
from server.models.outside import Delivery, KeptAnswer, Notification
from server.models.people import AccessEvent, FailedAttempt, Invitation, UserSession
from server.models.photos import HoleEvent, Photo
from server.models.reporting import FrozenReport
from server.models.sensors import Command
from server.services.audit import log
from server.services.inspecting import photos
from server.services.people import invitations

DAY_S = 86400
PROXIMITY_S = 3600  # the RSSI curve of a walk towards an emitter; a page shows only the last minutes
NOTICE_S = 86400
BATCH = 2_000


class Days(NamedTuple):
    """Retention times in days; photos: the folder of photo files."""

    raw: int
    features: int
    inspections: int
    finds: int
    keys: int
    photos: Path


class Result(NamedTuple):
    """
    rule  its name in RULES
    rows  number of rows that were deleted or emptied, or would be
    """

    rule: str
    rows: int


class _Run(NamedTuple):
    """The arguments of every rule. before_s(days) is the time before which rows are old."""

    sessions: Sessions
    now_s: int
    days: Days
    dry_run: bool

    def before_s(self, days: int) -> int:
        return self.now_s - days * DAY_S


def days(settings: Settings) -> Days:
    """Return the retention times of the settings."""
    return Days(
        settings.keep_raw_days,
        settings.keep_features_days,
        settings.keep_inspections_days,
        settings.keep_finds_days,
        settings.keep_keys_days,
        photos.folder(settings),
    )


def run(sessions: Sessions, settings: Settings, dry_run: bool = False, now_s: int | None = None) -> list[Result]:
    """Apply every rule; return the result of each. If a rule deleted anything, an entry of the log says so."""
    run = _Run(sessions, clock.now_s() if now_s is None else now_s, days(settings), dry_run)
    results = [Result(name, rule(run)) for name, rule in RULES.items()]
    counts = {result.rule: result.rows for result in results if result.rows}
    if counts and not dry_run:
        with sessions.begin() as session:
            log.add(session, "retention.ran", "log", counts)
        _truncate_wal(sessions)
    return results


def _truncate_wal(sessions: Sessions) -> None:
    """Checkpoint and truncate SQLite's write-ahead log, which still has the old pages."""
    if sessions.engine.dialect.name == "sqlite":
        with sessions.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _raw(run: _Run) -> int:
    """Reports as received, and dead letters, which may be such reports."""
    old = run.before_s(run.days.raw)
    count = _delete(run, Report, Report.id, [Report.received_s < old])
    return count + _delete(run, DeadLetter, DeadLetter.id, [DeadLetter.received_s < old])


def _keys(run: _Run) -> int:
    old = [PseudonymKey.day < clock.day(run.now_s) - run.days.keys]
    return _delete(run, PseudonymKey, PseudonymKey.id, old)


def _walks(run: _Run) -> int:
    old = [Proximity.received_ms < (run.now_s - PROXIMITY_S) * 1000]
    return _delete(run, Proximity, Proximity.id, old)


def _notices(run: _Run) -> int:
    """Addresses of notices in inspections that nobody has finished."""
    old = [Finding.status == NOTED, Finding.changed_s < run.now_s - NOTICE_S]
    return _empty(run, Finding, old, {"address": None, "bssid": None, "label": ""})


def _sweeps(run: _Run) -> int:
    # A running inspection still needs its sweeps; a finished one keeps their sum.
    finished = Sweep.inspection_id.is_(None) | Sweep.inspection_id.in_(
        select(Inspection.id).where(Inspection.result.is_not(None))
    )
    dated = Sweep.at_s < run.before_s(run.days.features)
    # A sweep of a sensor without a clock is as old as the sweeps that were received next to it.
    with run.sessions() as session:
        newest = session.scalar(select(func.max(Sweep.report_id)).where(dated)) or 0
    old = dated | (Sweep.at_s.is_(None) & (Sweep.report_id < newest))
    return _delete(run, Sweep, Sweep.report_id, [old, finished])


def _evidence(run: _Run) -> int:
    """Measurements of emitters. A case keeps them; other findings keep only score and disposition."""
    settled = select(Finding.id).where(Finding.status != CASE)
    old = run.before_s(run.days.features)
    count = 0
    for table in (FindingEvent, StimulusResult):
        deletable = table.finding_id.in_(settled)
        if table is StimulusResult:
            deletable = deletable | table.finding_id.is_(None)
        count += _delete(run, table, table.id, [table.received_s < old, deletable])
    return count


def _selftests(run: _Run) -> int:
    used = select(InspectionSensor.selftest_id).where(InspectionSensor.selftest_id.is_not(None))
    newest = select(func.max(Selftest.id)).group_by(Selftest.sensor_id)
    old = [Selftest.received_s < run.before_s(run.days.features), Selftest.id.not_in(used), Selftest.id.not_in(newest)]
    return _delete(run, Selftest, Selftest.id, old)


def _counts(run: _Run) -> int:
    """Commands to sensors, message counters, and messages that could not be stored."""
    old = run.before_s(run.days.features)
    ended = [Command.ended_s.is_not(None), Command.ended_s < old]
    count = _delete(run, Command, Command.id, ended)
    return count + _delete(run, Tally, Tally.id, [Tally.day < clock.day(old)])


def _accesses(run: _Run) -> int:
    old = [AccessEvent.at_s < run.before_s(run.days.inspections)]
    return _delete(run, AccessEvent, AccessEvent.id, old)


def _sessions(run: _Run) -> int:
    """Sessions of people, and failed attempts: no session lives longer than a day, and no attempt counts longer."""
    old = run.before_s(2)
    count = _delete(run, UserSession, UserSession.id, [UserSession.created_s < old])
    return count + _delete(run, FailedAttempt, FailedAttempt.id, [FailedAttempt.last_s < old])


# The personal columns of an inspection's rows and their empty values.
OF_INSPECTIONS = (
    (InspectionPerson, {"name": "", "agency": "", "user_id": None}),
    (InspectionStep, {"note": "", "by_id": None}),
    (InspectionResult, {"reason": "", "note": "", "by_id": None}),
    (ChecklistAnswer, {"note": "", "by_id": None}),
    (Signature, {"name": "", "by_id": None}),
    (SweepAssignment, {"by_id": None}),
    (OfflineVisit, {"by_id": None}),
)
# The same for rows that have a time of their own.
DATED = (
    (CampaignHandover, {"reason": "", "by_id": None}),
    (CampaignAction, {"text": "", "by_id": None}),
    (HoleEvent, {"text": "", "by_id": None}),
    (FrozenReport, {"by_id": None}),
)


def _inspections(run: _Run) -> int:
    """Names and free texts of old inspections; restroom, methods and result stay."""
    old = run.before_s(run.days.inspections)
    is_old = Inspection.finished_s < old
    inspections = select(Inspection.id).where(is_old)
    count = _empty(run, Inspection, [is_old], {"started_by_id": None})
    # Before the names: _empty() finds the rows by them, and counts signatures that still have strokes.
    if not run.dry_run:
        with run.sessions.begin() as session:
            session.execute(update(Signature).where(Signature.inspection_id.in_(inspections)).values(strokes=null()))
    for table, values in OF_INSPECTIONS:
        count += _empty(run, table, [table.inspection_id.in_(inspections)], values)
    for table, values in DATED:
        count += _empty(run, table, [table.at_s < old], values)
    teams = select(CampaignTeam.id).join(Campaign).where(Campaign.planned_s < old)
    members = [CampaignMember.team_id.in_(teams)]
    return count + _empty(run, CampaignMember, members, {"name": "", "agency": "", "user_id": None})


def _photos(run: _Run) -> int:
    """Photo files; their digests stay. A case keeps its photos."""
    cases = select(Finding.id).where(Finding.status == CASE)
    old = [Photo.received_s < run.before_s(run.days.inspections), Photo.removed_s.is_(None)]
    old.append(Photo.finding_id.is_(None) | Photo.finding_id.not_in(cases))
    if run.dry_run:
        return _count(run, Photo, old)
    count = 0
    while True:
        with run.sessions.begin() as session:
            batch = list(session.scalars(select(Photo).where(*old).limit(BATCH)))
            if not batch:
                return count
            count += photos.remove(session, run.days.photos, batch)


def _outbox(run: _Run) -> int:
    """Notifications and their deliveries."""
    old = select(Notification.id).where(Notification.at_s < run.before_s(run.days.features))
    count = _delete(run, Delivery, Delivery.id, [Delivery.notice_id.in_(old)])
    return count + _delete(run, Notification, Notification.id, [Notification.id.in_(old)])


def _answers(run: _Run) -> int:
    """Answers kept for idempotency keys."""
    return _delete(run, KeptAnswer, KeptAnswer.id, [KeptAnswer.made_s < run.before_s(2)])


def _dispositions(run: _Run) -> int:
    """Reasons and names in dispositions of closed findings."""
    closed = select(Finding.id).where(Finding.status == CLOSED)
    old = [Disposition.at_s < run.before_s(run.days.inspections), Disposition.finding_id.in_(closed)]
    return _empty(run, Disposition, old, {"reason": "", "by_id": None, "police": null()})


def _finds(run: _Run) -> int:
    """Old cases: address, exact values and people."""
    old = run.before_s(run.days.finds)
    cases = [Finding.status == CASE, Finding.changed_s < old]
    case_ids = select(Finding.id).where(*cases)
    emptied = {"reason": "", "by_id": None, "police": null()}
    count = _empty(run, Disposition, [Disposition.finding_id.in_(case_ids)], emptied)
    count += _empty(run, FindingEvent, [FindingEvent.finding_id.in_(case_ids)], {"exact": None})
    emptied = {"address": None, "bssid": None, "label": "", "status": CLOSED}
    if run.dry_run:
        return count + _count(run, Finding, cases)
    with run.sessions.begin() as session:
        return count + execute_count(session, update(Finding).where(*cases).values(emptied))


def _log_names(run: _Run) -> int:
    """The log's personal fields; those of cases stay as long as the cases."""
    cases = select(Finding.public_id).where(Finding.status == CASE)
    query = select(LogPersonal.n).join(LogEntry, LogEntry.n == LogPersonal.n)
    old = LogEntry.at_s < run.before_s(run.days.inspections)
    query = query.where(old, LogEntry.subject.not_in(cases)).order_by(LogPersonal.n)
    if run.dry_run:
        return _count(run, query.subquery(), [])
    count = 0
    while True:
        with run.sessions.begin() as session:
            numbers = list(session.scalars(query.limit(BATCH)))
            if not numbers:
                return count
            count += log.forget(session, numbers)


def _invitations(run: _Run) -> int:
    """Names in invitations that have ended."""
    old = invitations.expired_with_name(run.before_s(run.days.features))
    return _empty(run, Invitation, old, {"name": ""})


# The order matters: an old case is a closed finding for the rules after `finds`.
RULES = {
    "walks": _walks,
    "raw_reports": _raw,
    "pseudonym_keys": _keys,
    "notices": _notices,
    "sweeps": _sweeps,
    "finds": _finds,
    "evidence": _evidence,
    "selftests": _selftests,
    "counts": _counts,
    "invitations": _invitations,
    "inspections": _inspections,
    "photos": _photos,
    "dispositions": _dispositions,
    "log_names": _log_names,
    "accesses": _accesses,
    "sessions": _sessions,
    "outbox": _outbox,
    "answers": _answers,
}


def _delete(run: _Run, table, key, conditions: Sequence[ColumnElement[bool]]) -> int:
    """Delete rows in batches; return how many."""
    if run.dry_run:
        return _count(run, table, conditions)
    count = 0
    for ids in _batches(run, key, conditions):
        with run.sessions.begin() as session:
            statement = delete(table).where(key.in_(ids), *conditions)
            count += execute_count(session, statement.execution_options(synchronize_session=False))
    return count


def _empty(run: _Run, table, conditions: Sequence[ColumnElement[bool]], values: dict) -> int:
    """Set columns to "" or None where one of them is not empty yet; return how many rows."""
    filled = [getattr(table, name) != "" for name, value in values.items() if value == ""]
    filled += [getattr(table, name).is_not(None) for name, value in values.items() if value is None]
    conditions = [*conditions, or_(*filled)]
    if run.dry_run:
        return _count(run, table, conditions)
    key, count = inspect(table).primary_key[0], 0
    for ids in _batches(run, key, conditions):
        with run.sessions.begin() as session:
            statement = update(table).where(key.in_(ids), *conditions).values(values)
            count += execute_count(session, statement.execution_options(synchronize_session=False))
    return count


def _count(run: _Run, table, conditions: Sequence[ColumnElement[bool]]) -> int:
    with run.sessions() as session:
        return session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


def _batches(run: _Run, key, conditions: Sequence[ColumnElement[bool]]) -> Iterator[Sequence[int]]:
    """
    Yield the ids of matching rows in ascending order, BATCH at a time.

    They are selected before the write lock is taken: on SQLite, reading a long table would block all other writers.
    """
    last = -1
    while True:
        with run.sessions() as session:
            ids = session.scalars(select(key).where(*conditions, key > last).order_by(key).limit(BATCH)).all()
        if not ids:
            return
        yield ids
        last = ids[-1]
