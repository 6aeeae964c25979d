"""
Signatures under an inspection's result.

    signatures.sign_drawn(session, inspection, person, user, strokes)       # drawn on the phone
    signatures.sign_typed(session, inspection, person, user, "Lee Seojun")  # the person typed the name there
    signatures.sign_password(session, inspection, person, user)             # accounts.confirm() asked for the password

Only the user who is signed in signs with a password. Others draw or type their name on the same device, and the
signature says who held it: `by_id`, which is also part of what the log has.

People sign the record: its canonical JSON has everything that the page shows, and the signature stores its SHA-256. A
correction makes another record, which needs its own signatures.
"""

import hashlib

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload

from server import clock, db
from server.models.inspections import (
    DRAWN,
    PASSWORD,
    TYPED,
    Inspection,
    InspectionPerson,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
    Signature,
)
from server.models.intake import Selftest
from server.models.photos import Photo
from server.models.places import Restroom
from server.services.audit import canonical, log
from server.services.errors import Refused
from server.services.inspecting import checklists
from server.services.people.accounts import Actor

WIDTH = 1000  # of the pad, in the units of the strokes; HEIGHT goes with it
HEIGHT = 400
MOST_STROKES = 200
MOST_NUMBERS = 12_000
LEAST_POINTS = 8  # fewer are a slip of the finger
LEAST_SPAN = 60


def record(session: Session, inspection: Inspection, result: InspectionResult) -> dict:
    """Return the whole record of an inspection with one of its results, as values of canonical JSON."""
    room = session.get_one(Restroom, inspection.restroom_id)
    stored_s = func.coalesce(InspectionStep.received_s, InspectionStep.at_s)
    steps = select(InspectionStep).where(InspectionStep.inspection_id == inspection.id, stored_s <= result.at_s)
    people = select(InspectionPerson).where(InspectionPerson.inspection_id == inspection.id)
    used_sensors = select(InspectionSensor).where(InspectionSensor.inspection_id == inspection.id)
    used_sensors = used_sensors.options(joinedload(InspectionSensor.sensor))
    photos = select(Photo.sha256).where(Photo.inspection_id == inspection.id).order_by(Photo.id)
    progress = checklists.load_progress(session, inspection)
    sensors = []
    for used in session.scalars(used_sensors.order_by(InspectionSensor.id)):
        test = session.get(Selftest, used.selftest_id) if used.selftest_id else None
        selftest = {"passed": test.passed, "at_s": test.at_s or test.received_s} if test else None
        sensors.append({"name": used.sensor.name, "version": used.version, "selftest": selftest})
    content = {
        "inspection": inspection.public_id,
        "restroom": room.public_id,
        "started_s": inspection.started_s,
        "at_s": result.at_s,
        "result": result.result,
        "methods": list(result.methods),
        "reason": result.reason,
        "note": result.note,
        "coverage": result.coverage,
        "steps": [
            [step.method, step.outcome, step.note, step.at_s]
            for step in session.scalars(steps.order_by(InspectionStep.id))
        ],
        "checklist": [progress.checklist.public_id, progress.checklist.version] if progress.checklist else None,
        "answers": [[line.stall, line.item["key"], line.answer, line.note] for line in progress.lines],
        "photos": list(session.scalars(photos)),
        "people": [[person.name, person.agency] for person in session.scalars(people.order_by(InspectionPerson.id))],
        "sensors": sensors,
    }
    contested = [
        [line.stall, line.item["key"], [[row.answer, row.note, row.at_s] for row in line.contested]]
        for line in progress.lines
        if line.contested
    ]
    if contested:
        content["contested"] = contested
    return content


def record_hash(session: Session, inspection: Inspection, result: InspectionResult) -> str:
    """Return the SHA-256 of record(), hex: people sign it, and certificates print it."""
    return hashlib.sha256(canonical.text(record(session, inspection, result)).encode()).hexdigest()


def sign_drawn(
    session: Session, inspection: Inspection, person: InspectionPerson, user: Actor, strokes: object
) -> Signature:
    """
    Sign by drawing.

    strokes  [[x, y, x, y, ...], ...]: whole numbers, x 0..WIDTH, y 0..HEIGHT
    Raises Refused: running, signed_already(name), signature_empty.
    """
    return _sign(session, inspection, person, user, DRAWN, person.name, _clean(strokes))


def sign_typed(session: Session, inspection: Inspection, person: InspectionPerson, user: Actor, name: str) -> Signature:
    """
    Sign by typing one's name.

    Raises Refused: running, signed_already(name), signature_name_wrong.
    """
    if _normalise(name) != _normalise(person.name):
        raise Refused("signature_name_wrong")
    return _sign(session, inspection, person, user, TYPED, person.name, None)


def sign_password(session: Session, inspection: Inspection, person: InspectionPerson, user: Actor) -> Signature:
    """
    Sign as the user who is signed in and has just confirmed the password (accounts.confirm()).

    Raises Refused: running, signed_already(name), signature_not_own.
    """
    if person.user_id is None or person.user_id != user.id:
        raise Refused("signature_not_own")
    return _sign(session, inspection, person, user, PASSWORD, person.name, None)


def list_signatures(session: Session, result: InspectionResult) -> list[Signature]:
    """Return the signatures under a result, oldest first."""
    query = select(Signature).where(Signature.result_id == result.id)
    query = query.options(joinedload(Signature.person), joinedload(Signature.by))
    return list(session.scalars(query.order_by(Signature.id)))


def svg_path(strokes: list[list[int]] | None) -> str:
    """Return strokes as the `d` of an SVG path in a box of WIDTH x HEIGHT."""
    parts = []
    for stroke in strokes or ():
        points = [f"{stroke[index]} {stroke[index + 1]}" for index in range(0, len(stroke) - 1, 2)]
        parts.append("M" + "L".join(points))
    return "".join(parts)


def _sign(session, inspection, person, user, kind, name, strokes):
    inspection = db.lock_row(session, inspection)
    newest = select(InspectionResult).where(InspectionResult.inspection_id == inspection.id)
    result = session.scalar(newest.order_by(InspectionResult.id.desc()).limit(1))
    if result is None:
        raise Refused("running")
    earlier = select(Signature.id).where(Signature.result_id == result.id, Signature.person_id == person.id)
    if session.scalar(earlier):
        raise Refused("signed_already", name=person.name)
    digest = record_hash(session, inspection, result)
    content = {"record": digest, "person": [person.id, name], "kind": kind, "strokes": strokes}
    signature = Signature(
        inspection_id=inspection.id,
        result_id=result.id,
        person_id=person.id,
        kind=kind,
        name=name,
        strokes=strokes,
        record_hash=digest,
        hash=hashlib.sha256(canonical.text(content).encode()).hexdigest(),
        at_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(signature)
    session.flush()
    # The log's "by" is the user who held the device.
    body = {"record_hash": digest, "signature": signature.hash, "kind": kind, "own_device": person.user_id == user.id}
    log.add(session, "inspection.signed", inspection.public_id, body, user, {"name": name})
    return signature


def _clean(strokes):
    """Check strokes from outside and drop dots; raise Refused: signature_empty if too little remains."""
    if not isinstance(strokes, list) or len(strokes) > MOST_STROKES:
        raise Refused("signature_empty")
    count = 0
    for stroke in strokes:
        if not isinstance(stroke, list) or len(stroke) % 2:
            raise Refused("signature_empty")
        count += len(stroke)
        if count > MOST_NUMBERS or not all(type(number) is int and 0 <= number <= WIDTH for number in stroke):
            raise Refused("signature_empty")
    strokes = [stroke for stroke in strokes if len(stroke) >= 4]
    xs = [x for stroke in strokes for x in stroke[::2]]
    ys = [y for stroke in strokes for y in stroke[1::2]]
    if len(xs) < LEAST_POINTS or max(max(xs) - min(xs), max(ys) - min(ys)) < LEAST_SPAN or max(ys) > HEIGHT:
        raise Refused("signature_empty")
    return strokes


def _normalise(name):
    return "".join(name.casefold().split())
