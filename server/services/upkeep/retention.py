"""
What is deleted when: every rule of how long something is kept, in one table.

    for done in retention.run(sessions, settings): ...       # Done(rule, rows)
    retention.run(sessions, settings, dry_run=True)          # counts only

Each rule works in small transactions of its own, so that ingest never waits long. Raw reports, features,
inspections' personal fields and finds have their times in the settings; docs/privacy.md lists them for people.
"""

from collections import namedtuple

from sqlalchemy import delete, func, inspect, null, or_, select, update

from server import clock
from server.models.audit import LogEntry, LogPersonal
from server.models.campaigns import Campaign, CampaignAction, CampaignHandover, CampaignMember, CampaignTeam
from server.models.checklists import ChecklistAnswer
from server.models.findings import (
    CASE,
    CLOSED,
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
from server.models.intake import Proximity, Report, Selftest, Sweep, Tally
from server.models.outside import Delivery, KeptAnswer, Notice
from server.models.people import Invitation
from server.models.photos import HoleEvent, Photo
from server.models.privacy import AccessEvent
from server.models.sensors import Command
from server.services.audit import log
from server.services.inspecting import photos
from server.services.people import invitations

DAY_S = 86400
PROXIMITY_S = 3600  # the curve of a walk towards an emitter; a page shows the last minutes
BATCH = 2_000

# photos  the folder they lie in
Days = namedtuple("Days", ("raw", "features", "inspections", "finds", "keys", "photos"))

# rule  its name in RULES
# rows  how many rows were deleted or emptied, or would be
Done = namedtuple("Done", ("rule", "rows"))


def days(settings) -> Days:
    """How long things are kept, in days, by the settings."""
    return Days(
        settings.keep_raw_days,
        settings.keep_features_days,
        settings.keep_inspections_days,
        settings.keep_finds_days,
        settings.keep_keys_days,
        photos.folder(settings),
    )


def run(sessions, settings, dry_run: bool = False, now_s: int | None = None) -> list[Done]:
    """Apply every rule; return what each did. One entry of the log says that it ran, if anything was done."""
    now_s = clock.now_s() if now_s is None else now_s
    kept = days(settings)
    done = [Done(name, rule(sessions, now_s, kept, dry_run)) for name, rule in RULES.items()]
    if not dry_run and any(one.rows for one in done):
        with sessions.begin() as session:
            log.add(session, "retention.ran", "log", {one.rule: one.rows for one in done if one.rows})
        _leave_nothing(sessions)
    return done


def _leave_nothing(sessions):
    """SQLite's write-ahead log holds pages as they were before: move it into the database and cut it off."""
    if sessions.engine.dialect.name == "sqlite":
        with sessions.engine.connect() as connection:
            connection.connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _raw(sessions, now_s, kept, dry_run):
    return _delete(sessions, Report, Report.id, [Report.received_s < now_s - kept.raw * DAY_S], dry_run)


def _keys(sessions, now_s, kept, dry_run):
    old = [PseudonymKey.day < clock.day(now_s) - kept.keys]
    return _delete(sessions, PseudonymKey, PseudonymKey.id, old, dry_run)


def _walks(sessions, now_s, _kept, dry_run):
    old = [Proximity.received_ms < (now_s - PROXIMITY_S) * 1000]
    return _delete(sessions, Proximity, Proximity.id, old, dry_run)


def _sweeps(sessions, now_s, kept, dry_run):
    # A running inspection still adds its sweeps up; a finished one keeps the sum.
    over = Sweep.inspection_id.is_(None) | Sweep.inspection_id.in_(
        select(Inspection.id).where(Inspection.result.is_not(None))
    )
    dated = Sweep.at_s < now_s - kept.features * DAY_S
    # A sweep whose sensor never learnt the time is as old as those that came in next to it.
    with sessions() as session:
        newest = session.scalar(select(func.max(Sweep.report_id)).where(dated)) or 0
    old = dated | (Sweep.at_s.is_(None) & (Sweep.report_id < newest))
    return _delete(sessions, Sweep, Sweep.report_id, [old, over], dry_run)


def _evidence(sessions, now_s, kept, dry_run):
    """What a sensor measured of an emitter: a case keeps it; a closed finding keeps its score and its disposition."""
    settled = select(Finding.id).where(Finding.status != CASE)
    old = now_s - kept.features * DAY_S
    count = 0
    for table in (FindingEvent, StimulusResult):
        mine = table.finding_id.in_(settled)
        if table is StimulusResult:
            mine = mine | table.finding_id.is_(None)
        count += _delete(sessions, table, table.id, [table.received_s < old, mine], dry_run)
    return count


def _selftests(sessions, now_s, kept, dry_run):
    used = select(InspectionSensor.selftest_id).where(InspectionSensor.selftest_id.is_not(None))
    newest = select(func.max(Selftest.id)).group_by(Selftest.sensor_id)
    old = [Selftest.received_s < now_s - kept.features * DAY_S, Selftest.id.not_in(used), Selftest.id.not_in(newest)]
    return _delete(sessions, Selftest, Selftest.id, old, dry_run)


def _counts(sessions, now_s, kept, dry_run):
    """Orders to sensors, and counts of messages."""
    old = now_s - kept.features * DAY_S
    ended = [Command.ended_s.is_not(None), Command.ended_s < old]
    count = _delete(sessions, Command, Command.id, ended, dry_run)
    return count + _delete(sessions, Tally, Tally.id, [Tally.day < clock.day(old)], dry_run)


def _accesses(sessions, now_s, kept, dry_run):
    old = [AccessEvent.at_s < now_s - kept.inspections * DAY_S]
    return _delete(sessions, AccessEvent, AccessEvent.id, old, dry_run)


# What is personal in the rows of an inspection, and what it is emptied to.
OF_INSPECTIONS = (
    (InspectionPerson, {"name": "", "agency": "", "user_id": None}),
    (InspectionStep, {"note": "", "by_id": None}),
    (InspectionResult, {"reason": "", "note": "", "by_id": None}),
    (ChecklistAnswer, {"note": "", "by_id": None}),
    (Signature, {"name": "", "by_id": None}),
    (SweepAssignment, {"by_id": None}),
    (OfflineVisit, {"by_id": None}),
)
# The same in rows that have a time of their own.
DATED = (
    (CampaignHandover, {"reason": "", "by_id": None}),
    (CampaignAction, {"text": "", "by_id": None}),
    (HoleEvent, {"text": "", "by_id": None}),
)


def _inspections(sessions, now_s, kept, dry_run):
    """Names and free words of old inspections; what was inspected, how, and with which result stays."""
    old = now_s - kept.inspections * DAY_S
    over = Inspection.finished_s < old
    mine = select(Inspection.id).where(over)
    count = _empty(sessions, Inspection, [over], {"started_by_id": None}, dry_run)
    # Before the names go: afterwards nobody can tell which signatures still have their strokes.
    if not dry_run:
        with sessions.begin() as session:
            session.execute(update(Signature).where(Signature.inspection_id.in_(mine)).values(strokes=null()))
    for table, values in OF_INSPECTIONS:
        count += _empty(sessions, table, [table.inspection_id.in_(mine)], values, dry_run)
    for table, values in DATED:
        count += _empty(sessions, table, [table.at_s < old], values, dry_run)
    teams = select(CampaignTeam.id).join(Campaign).where(Campaign.planned_s < old)
    theirs = [CampaignMember.team_id.in_(teams)]
    return count + _empty(sessions, CampaignMember, theirs, {"name": "", "agency": "", "user_id": None}, dry_run)


def _photos(sessions, now_s, kept, dry_run):
    """The bytes of photos; their digests stay. A case for the police keeps its photos."""
    cases = select(Finding.id).where(Finding.status == CASE)
    old = [Photo.received_s < now_s - kept.inspections * DAY_S, Photo.removed_s.is_(None)]
    old.append(Photo.finding_id.is_(None) | Photo.finding_id.not_in(cases))
    with sessions() as session:
        if dry_run:
            return session.scalar(select(func.count(Photo.id)).where(*old))
    count = 0
    while True:
        with sessions.begin() as session:
            part = list(session.scalars(select(Photo).where(*old).limit(BATCH)))
            if not part:
                return count
            count += photos.remove(session, kept.photos, part)


def _outbox(sessions, now_s, kept, dry_run):
    """Notices that were told, and to whom."""
    old = select(Notice.id).where(Notice.at_s < now_s - kept.features * DAY_S)
    count = _delete(sessions, Delivery, Delivery.id, [Delivery.notice_id.in_(old)], dry_run)
    return count + _delete(sessions, Notice, Notice.id, [Notice.id.in_(old)], dry_run)


def _answers(sessions, now_s, _kept, dry_run):
    """Answers kept for programs that ask twice."""
    return _delete(sessions, KeptAnswer, KeptAnswer.id, [KeptAnswer.made_s < now_s - 2 * DAY_S], dry_run)


def _dispositions(sessions, now_s, kept, dry_run):
    """Reasons and names of findings that were settled without the police."""
    old, one = now_s - kept.inspections * DAY_S, Disposition
    settled = select(Finding.id).where(Finding.status == CLOSED)
    told = [one.at_s < old, one.finding_id.in_(settled)]
    return _empty(sessions, one, told, {"reason": "", "by_id": None, "police": null()}, dry_run)


def _finds(sessions, now_s, kept, dry_run):
    """Cases for the police: after their time the address, the exact words and the people are erased."""
    old = now_s - kept.finds * DAY_S
    cases = [Finding.status == CASE, Finding.changed_s < old]
    mine = select(Finding.id).where(*cases)
    count = _empty(
        sessions,
        Disposition,
        [Disposition.finding_id.in_(mine)],
        {"reason": "", "by_id": None, "police": null()},
        dry_run,
    )
    count += _empty(sessions, FindingEvent, [FindingEvent.finding_id.in_(mine)], {"exact": None}, dry_run)
    gone = {"address": None, "bssid": None, "label": "", "status": CLOSED}
    if dry_run:
        with sessions() as session:
            return count + session.scalar(select(func.count(Finding.id)).where(*cases))
    with sessions.begin() as session:
        return count + session.execute(update(Finding).where(*cases).values(gone)).rowcount


def _log_names(sessions, now_s, kept, dry_run):
    """The log's personal fields; those of cases stay as long as the cases."""
    cases = select(Finding.public_id).where(Finding.status == CASE)
    wanted = select(LogPersonal.n).join(LogEntry, LogEntry.n == LogPersonal.n)
    old = LogEntry.at_s < now_s - kept.inspections * DAY_S
    wanted = wanted.where(old, LogEntry.subject.not_in(cases)).order_by(LogPersonal.n)
    with sessions() as session:
        if dry_run:
            return session.scalar(select(func.count()).select_from(wanted.subquery()))
    count = 0
    while True:
        with sessions.begin() as session:
            numbers = list(session.scalars(wanted.limit(BATCH)))
            if not numbers:
                return count
            count += log.forget(session, numbers)


def _invitations(sessions, now_s, kept, dry_run):
    """The names in invitations that have ended."""
    old = invitations.named_before(now_s - kept.features * DAY_S)
    return _empty(sessions, Invitation, old, {"name": ""}, dry_run)


# In this order: a case whose time is over is a settled finding for the rules after it.
RULES = {
    "walks": _walks,
    "raw_reports": _raw,
    "pseudonym_keys": _keys,
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
    "outbox": _outbox,
    "answers": _answers,
}


def _delete(sessions, table, key, conditions, dry_run):
    """Delete rows in batches; return how many."""
    if dry_run:
        with sessions() as session:
            return session.scalar(select(func.count()).select_from(table).where(*conditions))
    count = 0
    for numbers in _batches(sessions, key, conditions):
        with sessions.begin() as session:
            done = delete(table).where(key.in_(numbers), *conditions).execution_options(synchronize_session=False)
            count += session.execute(done).rowcount
    return count


def _batches(sessions, key, conditions):
    """
    Yield the row numbers that fit, BATCH at a time, in their order.

    They are looked for before the lock is taken: on SQLite nobody else could write while a long table is read.
    """
    last = -1
    while True:
        with sessions() as session:
            numbers = session.scalars(select(key).where(*conditions, key > last).order_by(key).limit(BATCH)).all()
        if not numbers:
            return
        yield numbers
        last = numbers[-1]


def _empty(sessions, table, conditions, values, dry_run):
    """Set columns to "" or None where one of them is not so yet; return how many rows."""
    filled = [getattr(table, name) != "" for name, value in values.items() if value == ""]
    filled += [getattr(table, name).is_not(None) for name, value in values.items() if value is None]
    conditions = [*conditions, or_(*filled)]
    if dry_run:
        with sessions() as session:
            return session.scalar(select(func.count()).select_from(table).where(*conditions))
    key, count = inspect(table).primary_key[0], 0
    for numbers in _batches(sessions, key, conditions):
        with sessions.begin() as session:
            emptying = update(table).where(key.in_(numbers), *conditions).values(values)
            count += session.execute(emptying.execution_options(synchronize_session=False)).rowcount
    return count
