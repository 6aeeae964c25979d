"""
The steps of an inspection: the outcome of each method, as people recorded them.

    steps.current(inspection)["eye"]              # the InspectionStep that counts, or None
    steps.contradictions(inspection)              # {method: steps of people who had not seen each other's}
    steps.add(session, inspection, step, user)    # inspections.record_step() checks the rules first

A step is reopened, by a row of its own, if something open or suspicious follows its "none found".
"""

from typing import NamedTuple

from sqlalchemy.orm import Session

from server import clock
from server.models.inspections import (
    STEP_NONE_FOUND,
    STEP_NOT_DONE,
    STEP_REOPENED,
    STEP_SUSPICIOUS,
    Inspection,
    InspectionStep,
)
from server.models.places import METHODS
from server.services.audit import log
from server.services.inspecting import conflicting_entries
from server.services.people.accounts import Actor

# Of steps that contradict each other the first of these counts until a person settles it.
_WEIGHT = (STEP_SUSPICIOUS, STEP_REOPENED, STEP_NOT_DONE, STEP_NONE_FOUND)


class StepEntry(NamedTuple):
    """
    seen_id  row number of the newest step of this method that the person saw; None: all there are
    at_s     when the step was done; None: now
    """

    method: str
    outcome: str
    note: str = ""
    seen_id: int | None = None
    at_s: int | None = None


def current(inspection: Inspection) -> dict[str, InspectionStep | None]:
    """Return the step that counts of each method: {"eye": InspectionStep or None, ...}; None also if it is reopened."""
    counting: dict[str, InspectionStep | None] = dict.fromkeys(METHODS)
    for method, rows in _by_method(inspection).items():
        standing = conflicting_entries.standing(rows)
        if standing:
            # The newest of the weightiest outcome.
            step = max(standing, key=lambda row: (-_WEIGHT.index(row.outcome), row.id))
            counting[method] = step if step.outcome != STEP_REOPENED else None
    return counting


def contradictions(inspection: Inspection) -> dict[str, list[InspectionStep]]:
    """Return the methods whose standing steps have different outcomes, with these steps."""
    standing = {method: conflicting_entries.standing(rows) for method, rows in _by_method(inspection).items()}
    return {method: rows for method, rows in standing.items() if len({row.outcome for row in rows}) > 1}


def reopened(inspection: Inspection) -> dict[str, InspectionStep]:
    """Return the methods whose step is reopened, with the row that says so."""
    found = {}
    for method, rows in _by_method(inspection).items():
        standing = conflicting_entries.standing(rows)
        if standing and all(row.outcome == STEP_REOPENED for row in standing):
            found[method] = standing[-1]
    return found


def newest_id(inspection: Inspection, method: str) -> int:
    """Return the row number of the newest step of a method, which a form carries as what the person saw."""
    return conflicting_entries.newest_id(_by_method(inspection).get(method, []))


def add(session: Session, inspection: Inspection, entry: StepEntry, user: Actor) -> InspectionStep:
    """Add a step of an inspection that is locked."""
    now_s = clock.now_s()
    seen_id = newest_id(inspection, entry.method) if entry.seen_id is None else entry.seen_id
    at_s = now_s if entry.at_s is None else entry.at_s
    step = InspectionStep(
        inspection_id=inspection.id,
        method=entry.method,
        outcome=entry.outcome,
        note=entry.note.strip(),
        seen_id=seen_id,
        at_s=at_s,
        received_s=now_s if at_s != now_s else None,
        by_id=user.id,
    )
    session.add(step)
    session.flush()
    session.expire(inspection, ["steps"])
    body: dict[str, str | int] = {"method": entry.method, "outcome": entry.outcome}
    if at_s != now_s:
        body["at_s"] = at_s
    if entry.method in contradictions(inspection):
        body["contradicts"] = "another step"
    log.add(session, "inspection.step", inspection.public_id, body, user, {"note": step.note} if step.note else None)
    return step


def reopen(session: Session, inspection: Inspection, method: str, user: Actor) -> None:
    """Reopen a step that is recorded as "none found"; other steps stay as they are."""
    step = current(inspection)[method]
    if step is not None and step.outcome == STEP_NONE_FOUND:
        add(session, inspection, StepEntry(method, STEP_REOPENED), user)


def _by_method(inspection: Inspection) -> dict[str, list[InspectionStep]]:
    rows: dict[str, list[InspectionStep]] = {}
    for step in inspection.steps:
        rows.setdefault(step.method, []).append(step)
    return rows
