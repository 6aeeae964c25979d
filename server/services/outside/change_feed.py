"""
The change feed: what has happened to inspections, findings and holes, in the order of the log.

    changes = list_changes(session, user, changed_since_s=1795305600)
    changes = list_changes(session, user, cursor=change_feed.cursor)       # continue, at once or weeks later

The feed is the log without its personal fields, limited to objects at the user's places. Entries are numbered in the
order in which they are committed, so a reader that keeps its cursor misses none and sees none twice.
"""

import bisect
import json
from typing import NamedTuple

from sqlalchemy import or_, select
from sqlalchemy.orm import Session, joinedload, selectinload

from server.models.audit import LogEntry
from server.models.findings import Finding
from server.models.inspections import Inspection, InspectionResult
from server.models.photos import Hole
from server.models.places import Restroom
from server.services import paging
from server.services.audit import log
from server.services.findings import findings
from server.services.people import access

INSPECTION, FINDING, HOLE = TYPES = ("inspection", "finding", "hole")
BATCH = 500  # entries read at once
MOST_READ = 5000  # entries read for one page: of a big log, most may be about other places


class Change(NamedTuple):
    """One entry of the log: its facts, and the object as it is now."""

    at_s: int
    kind: str  # such as "inspection.finished"
    facts: dict  # the entry's body: no personal data, no hardware addresses
    object: Inspection | Finding | Hole


class Changes(NamedTuple):
    """
    cursor  continue here; it is there also if nothing has changed
    more    there may be further changes now
    """

    rows: list[Change]
    cursor: str
    more: bool


def list_changes(
    session: Session, user, cursor: str = "", changed_since_s: int | None = None, limit: int = 50
) -> Changes:
    """
    Return changes, oldest first.

    cursor           of the page before; "" with changed_since_s: at or after this time; without it: from the beginning

    Raises BadCursor. An object that retention has deleted has no changes any more.
    """
    newest = log.newest_n(session)
    after = paging.decode(cursor)
    if after is None:
        after = 0 if changed_since_s is None else _entries_before(session, changed_since_s, newest)
    rows: list[Change] = []
    read = 0
    while len(rows) < limit and read < MOST_READ:
        entries = _read(session, after, newest)
        visible = _load(session, user, entries)
        for entry in entries:
            if len(rows) == limit:
                break
            after = entry.n
            thing = visible.get((_type(entry), entry.subject))
            if thing is not None:
                rows.append(Change(entry.at_s, entry.kind, json.loads(entry.body), thing))
        read += len(entries)
        if len(entries) < BATCH:
            if len(rows) < limit:
                after = newest  # the entries behind are of other kinds
            break
    return Changes(rows, paging.encode(after), after < newest)


def _read(session, after, newest):
    kinds = or_(*(LogEntry.kind.startswith(f"{kind}.") for kind in TYPES))
    query = select(LogEntry).where(LogEntry.n > after, LogEntry.n <= newest, kinds)
    return session.scalars(query.order_by(LogEntry.n).limit(BATCH)).all()


def _type(entry):
    return entry.kind.partition(".")[0]


def _load(session, user, entries) -> dict:
    """Return {(type, public id): object} of the entries' objects that the user may see."""
    wanted = {kind: {entry.subject for entry in entries if _type(entry) == kind} for kind in TYPES}
    room = joinedload(Inspection.restroom).joinedload(Restroom.facility)
    inspections = access.within(select(Inspection).join(Inspection.restroom), user, Restroom.facility_id).options(
        room, selectinload(Inspection.results).joinedload(InspectionResult.by)
    )
    holes = access.within(select(Hole).join(Hole.restroom), user, Restroom.facility_id).options(
        joinedload(Hole.restroom).joinedload(Restroom.facility)
    )
    queries = {INSPECTION: (inspections, Inspection), FINDING: (findings.visible(user), Finding), HOLE: (holes, Hole)}
    return {
        (kind, row.public_id): row
        for kind, (query, model) in queries.items()
        if wanted[kind]
        for row in session.scalars(query.where(model.public_id.in_(wanted[kind])))
    }


def _entries_before(session, at_s, newest):
    """Return the number of the last entry before a time. Entries have no gaps, and their times never go back."""
    time_of = select(LogEntry.at_s)
    return bisect.bisect_left(
        range(1, newest + 1), at_s, key=lambda n: session.scalar(time_of.where(LogEntry.n == n)) or 0
    )
