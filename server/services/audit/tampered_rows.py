"""
Compare rows that pages and reports read with the log: a changed row is not noticed by the chain itself.

    for difference in find_differences(session, photo_folder): ...

Rows from before there was a log, and of imports, which the log records as a whole, have no entries and are left out.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.audit import LogEntry
from server.models.findings import Finding
from server.models.inspections import Inspection
from server.models.people import User
from server.models.photos import Photo
from server.models.places import KnownEmitter, Restroom
from server.services.inspecting import photos

BATCH = 1000
INSPECTION, FINDING, RESTROOM, PHOTO, EMITTER, PERSON = KINDS = (
    "inspection",
    "finding",
    "restroom",
    "photo",
    "emitter",
    "person",
)


class Difference(NamedTuple):
    """
    kind     one of KINDS
    subject  public id
    n        number of the entry that says otherwise; 0: there is none that says what the row says
    """

    kind: str
    subject: str
    n: int


def find_differences(session: Session, photo_folder: Path) -> Iterator[Difference]:
    """Yield the rows that differ from the newest entry about them."""
    yield from _inspections(session)
    yield from _findings(session)
    yield from _restrooms(session)
    yield from _photos(session, photo_folder)
    yield from _emitters(session)
    yield from _persons(session)


def _newest(session, kinds, least_n=0):
    """Yield (subject, n, kind, body) of the newest entry of these kinds about each subject."""
    newest = select(func.max(LogEntry.n).label("n")).where(LogEntry.kind.in_(kinds)).group_by(LogEntry.subject)
    newest = newest.subquery()
    query = select(LogEntry.subject, LogEntry.n, LogEntry.kind, LogEntry.body).join(newest, newest.c.n == LogEntry.n)
    for row in session.execute(query.order_by(LogEntry.n).execution_options(yield_per=BATCH)):
        yield row.subject, row.n, row.kind, json.loads(row.body)


def _rows_by_id(session, model, columns):
    return {row[0]: row for row in session.execute(select(model.public_id, *columns))}


def _inspections(session):
    rows = _rows_by_id(session, Inspection, (Inspection.result, Inspection.finished_s))
    logged = set()
    for subject, n, _, body in _newest(session, ("inspection.finished", "inspection.corrected")):
        logged.add(subject)
        row = rows.get(subject)
        if row is None or row.result != body.get("result"):  # rows of inspections are never deleted
            yield Difference(INSPECTION, subject, n)
    started = {subject for subject, *_ in _newest(session, ("inspection.started",))}
    for subject, row in rows.items():
        if row.result is not None and subject not in logged and subject in started:
            yield Difference(INSPECTION, subject, 0)


def _findings(session):
    rows = _rows_by_id(session, Finding, (Finding.disposition,))
    logged = set()
    for subject, n, _, body in _newest(session, ("finding.disposed",)):
        logged.add(subject)
        row = rows.get(subject)
        if row is not None and row.disposition != body.get("kind"):
            yield Difference(FINDING, subject, n)
    raised = {subject for subject, *_ in _newest(session, ("finding.raised",))}
    for subject, row in rows.items():
        if row.disposition is not None and subject not in logged and subject in raised:
            yield Difference(FINDING, subject, 0)


def _restrooms(session):
    rows = _rows_by_id(session, Restroom, (Restroom.retired_s,))
    added = {subject for subject, *_ in _newest(session, ("restroom.added",))}
    state = {}
    for subject, n, kind, _ in _newest(session, ("restroom.retired", "restroom.back")):
        state[subject] = n, kind == "restroom.retired"
    imported_s = session.scalar(select(func.max(LogEntry.at_s)).where(LogEntry.kind == "restrooms.imported"))
    for subject in added | state.keys():
        row = rows.get(subject)
        n, is_retired = state.get(subject, (0, False))
        # A file may retire rooms, too; the log records a file as a whole.
        if row is None or ((row.retired_s is not None) != is_retired and (imported_s is None or is_retired)):
            yield Difference(RESTROOM, subject, n)


def _photos(session, photo_folder):
    removed = {subject for subject, *_ in _newest(session, ("photo.removed",))}
    last = 0
    while batch := session.scalars(select(Photo).where(Photo.id > last).order_by(Photo.id).limit(BATCH)).all():
        last = batch[-1].id
        for photo in photos.find_changed(session, photo_folder, batch):
            yield Difference(PHOTO, photo.public_id, 0)
        for photo in batch:
            if photo.removed_s is not None and photo.public_id not in removed:
                yield Difference(PHOTO, photo.public_id, 0)


def _emitters(session):
    rows = {f"emitter-{row.id}": row for row in session.execute(select(KnownEmitter.id, KnownEmitter.withdrawn_s))}
    logged = {}
    for subject, n, kind, _ in _newest(session, ("emitter.approved", "emitter.withdrawn")):
        logged[subject] = n, kind
    for subject, (n, kind) in logged.items():
        row = rows.get(subject)
        if row is not None and kind == "emitter.withdrawn" and row.withdrawn_s is None:
            yield Difference(EMITTER, subject, n)
    for subject in rows.keys() - logged.keys():
        yield Difference(EMITTER, subject, 0)


def _persons(session):
    """People whose account was emptied without an entry that says so."""
    erased = {subject for subject, *_ in _newest(session, ("person.erased",))}
    query = select(User.public_id).where(User.erased_s.is_not(None))
    for subject in session.scalars(query):
        if subject not in erased:
            yield Difference(PERSON, subject, 0)
