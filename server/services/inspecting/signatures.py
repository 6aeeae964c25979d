"""
Signatures under an inspection's result.

    signatures.sign_drawn(session, one, person, user, strokes)       # drawn on the phone
    signatures.sign_password(session, one, person, user, "Kim Mina", password)

What is signed is the record: its canonical JSON holds everything the page shows, and the signature keeps its
SHA-256. A correction is another record, so it wants its own signatures.
"""

import hashlib

from sqlalchemy import select
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.models.checklists import Checklist
from server.models.inspections import (
    DRAWN,
    PASSWORD,
    Inspection,
    InspectionPerson,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
    Signature,
)
from server.models.intake import Selftest
from server.models.people import User
from server.models.photos import Photo
from server.models.places import Restroom
from server.services.audit import canonical, log
from server.services.errors import NotFound, Refused
from server.services.inspecting import checklists
from server.services.people import accounts

WIDTH = 1000  # of the pad, in the units of the strokes; HEIGHT goes with it
HEIGHT = 400
MOST_STROKES = 200
MOST_NUMBERS = 12_000
LEAST_POINTS = 8  # fewer are a slip of the finger
LEAST_SPAN = 60


def record(session: Session, one: Inspection, result: InspectionResult) -> dict:
    """Return everything one result stands for, as canonical JSON can hold it."""
    room = session.get(Restroom, one.restroom_id)
    steps = select(InspectionStep).where(InspectionStep.inspection_id == one.id, InspectionStep.at_s <= result.at_s)
    persons = select(InspectionPerson).where(InspectionPerson.inspection_id == one.id)
    used = select(InspectionSensor).where(InspectionSensor.inspection_id == one.id)
    used = used.options(joinedload(InspectionSensor.sensor))
    photos = select(Photo.sha256).where(Photo.inspection_id == one.id).order_by(Photo.id)
    chosen = session.get(Checklist, one.checklist_id) if one.checklist_id else None
    sensors = []
    for row in session.scalars(used.order_by(InspectionSensor.id)):
        test = session.get(Selftest, row.selftest_id) if row.selftest_id else None
        tested = {"passed": test.passed, "at_s": test.at_s or test.received_s} if test else None
        sensors.append({"name": row.sensor.name, "version": row.version, "selftest": tested})
    return {
        "inspection": one.public_id,
        "restroom": room.public_id,
        "started_s": one.started_s,
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
        "checklist": [chosen.public_id, chosen.version] if chosen else None,
        "answers": [
            [line.stall, line.item["key"], line.answer, line.note] for line in checklists.progress(session, one).lines
        ],
        "photos": list(session.scalars(photos)),
        "people": [[person.name, person.agency] for person in session.scalars(persons.order_by(InspectionPerson.id))],
        "sensors": sensors,
    }


def record_hash(session: Session, one: Inspection, result: InspectionResult) -> str:
    """The SHA-256 of record(), hex: what people sign, and what a certificate prints."""
    return hashlib.sha256(canonical.text(record(session, one, result)).encode()).hexdigest()


def sign_drawn(session: Session, one: Inspection, person: InspectionPerson, user, strokes) -> Signature:
    """
    Sign by drawing.

    strokes  [[x, y, x, y, ...], ...]: whole numbers, x 0..WIDTH, y 0..HEIGHT
    Raises Refused: running, signed_already(name), signature_empty.
    """
    strokes = _clean(strokes)
    return _sign(session, one, person, user, DRAWN, person.name, strokes)


def sign_password(session: Session, one: Inspection, person: InspectionPerson, user, name: str, password: str):
    """
    Sign by typing one's name and the password of one's account.

    Raises Refused: running, signed_already(name), signature_name_wrong, signature_password_wrong, no_account.
    """
    account = session.get(User, person.user_id) if person.user_id else None
    if account is None:
        raise Refused("no_account")
    if _plain(name) != _plain(account.name):
        raise Refused("signature_name_wrong")
    try:
        accounts.authenticate(session, account.login, password)
    except accounts.BadLogin:
        raise Refused("signature_password_wrong") from None
    return _sign(session, one, person, user, PASSWORD, account.name, None)


def signatures_of(session: Session, one: Inspection) -> list[Signature]:
    """All signatures of an inspection, oldest first."""
    return list(session.scalars(select(Signature).where(Signature.inspection_id == one.id).order_by(Signature.id)))


def person(session: Session, one: Inspection, person_id: int) -> InspectionPerson:
    """Return somebody who took part. Raises NotFound."""
    found = session.get(InspectionPerson, person_id)
    if found is None or found.inspection_id != one.id:
        raise NotFound("person")
    return found


def path(strokes) -> str:
    """Strokes as the `d` of an SVG path in a box of WIDTH x HEIGHT."""
    parts = []
    for stroke in strokes or ():
        points = [f"{stroke[at]} {stroke[at + 1]}" for at in range(0, len(stroke) - 1, 2)]
        parts.append("M" + "L".join(points))
    return "".join(parts)


def _sign(session, one, person, user, kind, name, strokes):
    one = session.get(Inspection, one.id, with_for_update=True, populate_existing=True)
    newest = select(InspectionResult).where(InspectionResult.inspection_id == one.id)
    result = session.scalar(newest.order_by(InspectionResult.id.desc()).limit(1))
    if result is None:
        raise Refused("running")
    signed = select(Signature.id).where(Signature.result_id == result.id, Signature.person_id == person.id)
    if session.scalar(signed):
        raise Refused("signed_already", name=person.name)
    digest = record_hash(session, one, result)
    content = {"record": digest, "person": [person.id, name], "kind": kind, "strokes": strokes}
    added = Signature(
        inspection_id=one.id,
        result_id=result.id,
        person_id=person.id,
        kind=kind,
        name=name,
        strokes=strokes,
        record_hash=digest,
        hash=hashlib.sha256(canonical.text(content).encode()).hexdigest(),
        at_s=clock.now_s(),
        by_id=user.id if user else None,
    )
    session.add(added)
    session.flush()
    body = {"record_hash": digest, "signature": added.hash, "kind": kind}
    log.add(session, "inspection.signed", one.public_id, body, user, {"name": name})
    return added


def _clean(strokes):
    """Check strokes that came from outside; a pad that nobody drew on is no signature."""
    if not isinstance(strokes, list) or len(strokes) > MOST_STROKES:
        raise Refused("signature_empty")
    numbers = 0
    for stroke in strokes:
        if not isinstance(stroke, list) or len(stroke) % 2:
            raise Refused("signature_empty")
        numbers += len(stroke)
        if numbers > MOST_NUMBERS or not all(type(one) is int and 0 <= one <= WIDTH for one in stroke):
            raise Refused("signature_empty")
    strokes = [stroke for stroke in strokes if len(stroke) >= 4]
    xs = [x for stroke in strokes for x in stroke[::2]]
    ys = [y for stroke in strokes for y in stroke[1::2]]
    if len(xs) < LEAST_POINTS or max(max(xs) - min(xs), max(ys) - min(ys)) < LEAST_SPAN or max(ys) > HEIGHT:
        raise Refused("signature_empty")
    return strokes


def _plain(name):
    return "".join(name.casefold().split())
