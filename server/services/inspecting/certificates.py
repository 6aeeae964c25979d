"""
What an inspection's certificate says: who looked when, how, and how thoroughly, and what was not looked at.

    paper = paper_of(session, one)

It rests on the result that counts now. The record's hash is what people signed (services/signatures.py), and the log
entry is where the chained log tells of it; with both a reader can check the paper against the installation.
"""

from collections import namedtuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.audit import LogEntry
from server.models.inspections import STEP_NOT_DONE, Inspection
from server.models.intake import Selftest
from server.models.places import METHODS
from server.services.audit import heads
from server.services.errors import Refused
from server.services.inspecting import inspections, signatures

# result       the InspectionResult that counts; corrects: how many there were before it
# steps        {method: InspectionStep or None}
# not_done     methods that were not done
# selftests    [(InspectionSensor, Selftest or None), ...]
# signatures   Signatures under this result
# record_hash  hex
# entry        the LogEntry of this result, or None for inspections from before there was a log
# head         the signed LogHead that covers it, or None
Paper = namedtuple(
    "Paper",
    (
        *("inspection", "result", "corrects", "steps", "not_done", "selftests", "signatures", "record_hash"),
        *("entry", "head"),
    ),
)


def paper_of(session: Session, one: Inspection) -> Paper:
    """Return the certificate of a finished inspection, as inspections.inspection() loads it. Raises Refused: running."""
    if not one.results:
        raise Refused("running")
    result = one.results[-1]
    steps = inspections.current_steps(one)
    numbers = [used.selftest_id for used in one.sensors if used.selftest_id]
    tests = {test.id: test for test in session.scalars(select(Selftest).where(Selftest.id.in_(numbers)))}
    kinds = ("inspection.finished", "inspection.corrected")
    told = select(LogEntry).where(LogEntry.subject == one.public_id, LogEntry.kind.in_(kinds))
    entry = session.scalar(told.order_by(LogEntry.n.desc()).limit(1))
    return Paper(
        inspection=one,
        result=result,
        corrects=len(one.results) - 1,
        steps=steps,
        not_done=[
            method
            for method in METHODS
            if method not in result.methods and (steps[method] is None or steps[method].outcome == STEP_NOT_DONE)
        ],
        selftests=[(used, tests.get(used.selftest_id)) for used in one.sensors],
        signatures=[row for row in signatures.signatures_of(session, one) if row.result_id == result.id],
        record_hash=signatures.record_hash(session, one, result),
        entry=entry,
        head=heads.covering(session, entry.n) if entry else None,
    )
