"""
Certificates of inspections: who inspected, when, how and how thoroughly, and what was not covered.

    certificate = certificates.build(session, inspection, photos.folder(settings))

A certificate shows the result that counts now. The record hash is what people signed (signatures.py), and the log
entry is where the audit chain has the result; with both a reader can check the document against the installation.
"""

import json
from pathlib import Path
from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.audit import LogEntry, LogHead
from server.models.inspections import (
    STEP_NOT_DONE,
    Inspection,
    InspectionPerson,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
    Signature,
)
from server.models.intake import Selftest
from server.models.photos import Hole, Photo
from server.services.audit import heads
from server.services.errors import Refused
from server.services.inspecting import checklists, holes, inspections, photos, result_validity, signatures


class Certificate(NamedTuple):
    """
    result       the InspectionResult that counts
    corrects     how many results there were before it
    not_done     methods that were not done
    selftests    each sensor with its last self-test before the inspection, or None
    signatures   Signatures under this result
    record_hash  hex, as the log entry of the result has it
    is_same      the record gives that hash today; not after names in it were erased
    entry        the LogEntry of this result; None for inspections from before there was a log
    head         the signed LogHead that covers the entry, or None
    answers      the points of the eye step's list, as they stand
    holes        found during the inspection, repaired or not, and older ones that were not repaired
    unsigned     people who took part and did not sign this result
    photos       of the inspection and of the holes found in it, oldest first
    changed      number of them that are not what was received, by the log's digests
    late         alarms that followed the result
    late_reports  suspicious things that people reported after it
    """

    inspection: Inspection
    result: InspectionResult
    corrects: int
    steps: dict[str, InspectionStep | None]
    not_done: list[str]
    selftests: list[tuple[InspectionSensor, Selftest | None]]
    signatures: list[Signature]
    record_hash: str
    is_same: bool
    entry: LogEntry | None
    head: LogHead | None
    answers: checklists.Progress
    holes: list[Hole]
    unsigned: list[InspectionPerson]
    photos: list[Photo]
    changed: int
    late: list[result_validity.LateAlarm]
    late_reports: list[result_validity.LateReport]


def build(session: Session, inspection: Inspection, photo_folder: Path) -> Certificate:
    """Return the certificate of an inspection from inspections.load(). Raises Refused: running."""
    if not inspection.results:
        raise Refused("running")
    result = inspection.results[-1]
    steps = inspections.standing_steps(inspection)
    kinds = ("inspection.finished", "inspection.corrected")
    query = select(LogEntry).where(LogEntry.subject == inspection.public_id, LogEntry.kind.in_(kinds))
    entry = session.scalar(query.order_by(LogEntry.n.desc()).limit(1))
    current_hash = signatures.record_hash(session, inspection, result)
    signed_hash = json.loads(entry.body).get("record_hash", current_hash) if entry else current_hash
    found = _holes(session, inspection)
    kept = _photos(session, inspection, found)
    signed = signatures.list_signatures(session, result)
    signed_ids = {signature.person_id for signature in signed}
    return Certificate(
        inspection=inspection,
        result=result,
        corrects=len(inspection.results) - 1,
        steps=steps,
        not_done=[
            method
            for method, step in steps.items()
            if method not in result.methods and (step is None or step.outcome == STEP_NOT_DONE)
        ],
        selftests=inspections.selftests_of(session, inspection),
        signatures=signed,
        record_hash=signed_hash,
        is_same=signed_hash == current_hash,
        entry=entry,
        head=heads.covering(session, entry.n) if entry else None,
        answers=checklists.load_progress(session, inspection),
        holes=found,
        unsigned=[person for person in inspection.people if person.id not in signed_ids],
        photos=kept,
        changed=len(photos.find_changed(session, photo_folder, kept)),
        late=result_validity.list_late_alarms(session, inspection),
        late_reports=result_validity.list_late_reports(session, inspection),
    )


def _holes(session, inspection):
    rows = holes.list_for_inspection(session, inspection)
    ended_s = inspection.finished_s or inspection.started_s
    return [hole for hole in rows if hole.inspection_id == inspection.id or hole.found_s <= ended_s]


def _photos(session, inspection, found):
    own = [hole.id for hole in found if hole.inspection_id == inspection.id]
    rows = [
        *photos.list_photos(session, inspection_id=inspection.id),
        *photos.list_photos(session, hole_id=own),
    ]
    return sorted({photo.id: photo for photo in rows}.values(), key=lambda photo: photo.id)
