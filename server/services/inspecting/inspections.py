"""Starting, doing, finishing and correcting inspections."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from ansim import messages
from server import clock, ids
from server.models.findings import OPEN, REFERRED, UNRESOLVED, Finding
from server.models.inspections import (
    NONE_FOUND,
    NOT_COMPLETED,
    OUTCOMES,
    RESULTS,
    STEP_NONE_FOUND,
    STEP_NOT_DONE,
    STEP_SUSPICIOUS,
    Inspection,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
)
from server.models.places import EYE, METHODS, RF, Facility, Restroom
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.findings import known_emitters
from server.services.inspecting import campaigns, checklists, coverage, participants, signatures
from server.services.people import access
from server.services.places import plans, visitor_requests
from server.services.sensors import commands
from server.services.sensors.enrolment import busy, last_selftest

# A sensor with a Wi-Fi uplink listens between uploads and hears a command only then; see `upload_every_s`
# in ansim/settings.py, whose default is a minute.
START_LIFETIME_S = 15 * 60
STOP_LIFETIME_S = 24 * 3600  # a sensor that was carried out of reach still learns that it is over
MAX_KNOWN = 64  # addresses that fit into the command; see ansim/downlink_rules.py


def start(session: Session, room: Restroom, user, sensors=(), people=()) -> Inspection:
    """
    Start an inspection and tell its sensors.

    people  others who take part, as {"name": ..., "agency": ...} or {"user": User}
    Raises Refused: restroom_retired, already_running, sensor_revoked(sensor), sensor_busy(sensor).
    """
    # Locked, so that two people who press the button at once start one inspection.
    room = session.get(Restroom, room.id, with_for_update=True, populate_existing=True)
    if room.retired_s is not None:
        raise Refused("restroom_retired")
    if room.running_inspection_id is not None:
        raise Refused("already_running")
    now_s = clock.now_s()
    taken = busy_sensors(session)
    for sensor in sensors:
        if sensor.revoked_s is not None:
            raise Refused("sensor_revoked", sensor=sensor.name)
        if sensor.id in taken:
            raise Refused("sensor_busy", sensor=sensor.name)
    started = begin(session, room, user, now_s)
    for person in people:
        participants.add(session, started, person, now_s)
    known = known_emitters.list_addresses(session, room.facility_id, now_s)[:MAX_KNOWN]
    for sensor in sensors:
        test = last_selftest(session, sensor)
        session.add(
            InspectionSensor(
                inspection_id=started.id,
                sensor_id=sensor.id,
                version=(sensor.info or {}).get("version", ""),
                selftest_id=test.id if test else None,
                chosen_s=now_s,
            )
        )
        args = {"inspection": started.public_id, "known": known}
        commands.send(session, sensor, messages.INSPECTION_START, args, user, START_LIFETIME_S)
    session.flush()
    body = {"restroom": room.public_id, "sensors": [sensor.name for sensor in sensors]}
    others = participants.aside(session, started) if people else None
    log.add(session, "inspection.started", started.public_id, body, user, others)
    return started


def begin(session: Session, room: Restroom, user, started_s: int) -> Inspection:
    """Add the inspection of a room that is locked and free; the caller writes it into the log."""
    campaign_id, team_id = campaigns.running_for(session, room, user)
    begun = Inspection(
        public_id=ids.new(12),
        restroom_id=room.id,
        started_s=started_s,
        started_by_id=user.id if user else None,
        checklist_id=checklists.current(session, session.get(Facility, room.facility_id)).id,
        campaign_id=campaign_id,
        team_id=team_id,
    )
    session.add(begun)
    session.flush()
    room.running_inspection_id = begun.id
    if user:
        participants.add(session, begun, {"user": user}, started_s)
    return begun


def inspection(session: Session, public_id: str) -> Inspection:
    """Return an inspection with everything its page shows. Raises NotFound."""
    wanted = select(Inspection).where(Inspection.public_id == ids.clean(public_id))
    wanted = wanted.options(
        joinedload(Inspection.restroom).joinedload(Restroom.facility).joinedload(Facility.organisation),
        joinedload(Inspection.started_by),
        selectinload(Inspection.people),
        selectinload(Inspection.steps).joinedload(InspectionStep.by),
        selectinload(Inspection.results).joinedload(InspectionResult.by),
        selectinload(Inspection.sensors).joinedload(InspectionSensor.sensor),
    )
    found = session.scalar(wanted)
    if found is None:
        raise NotFound("inspection")
    return found


def running(session: Session, user, limit: int = 20) -> list[Inspection]:
    """Inspections that run at a person's places: their own first, then the newest."""
    # By the restrooms, of which few are being inspected: a log has a million inspections that are over.
    wanted = select(Inspection).join(Restroom, Restroom.running_inspection_id == Inspection.id)
    wanted = access.within(wanted, user, Restroom.facility_id)
    mine = Inspection.started_by_id == (user.id if user else None)
    wanted = wanted.order_by(mine.desc(), Inspection.id.desc()).limit(limit)
    return list(session.scalars(wanted.options(joinedload(Inspection.restroom).joinedload(Restroom.facility))))


def running_in(session: Session, room: Restroom) -> Inspection | None:
    """The inspection that runs in a restroom, if any."""
    return session.get(Inspection, room.running_inspection_id) if room.running_inspection_id else None


def findings_of(session: Session, one: Inspection) -> list[Finding]:
    """The inspection's findings, strongest first."""
    wanted = select(Finding).where(Finding.inspection_id == one.id).options(joinedload(Finding.sensor))
    return list(session.scalars(wanted.order_by(Finding.score_max.desc(), Finding.id)))


def current_steps(one: Inspection) -> dict:
    """The step that counts of each method, or None: {"eye": InspectionStep | None, ...}."""
    current = dict.fromkeys(METHODS)
    for step in one.steps:
        current[step.method] = step
    return current


def record_step(session: Session, one: Inspection, method: str, outcome: str, user, note: str = "") -> InspectionStep:
    """
    Record what one method came to.

    Raises Refused: finished, reason_needed (not done, or suspicious, without a note), and for a clear RF step
    no_sensor, coverage_too_low(missing), open_findings(count); for a clear eye step checklist_open(count),
    checklist_suspicious(count).
    """
    _check_word(method, METHODS)
    _check_word(outcome, OUTCOMES)
    one = _locked(session, one)
    if one.result is not None:
        raise Refused("finished")
    if outcome in (STEP_NOT_DONE, STEP_SUSPICIOUS) and not note.strip():
        raise Refused("reason_needed")
    if method == RF and outcome == STEP_NONE_FOUND:
        _check_rf(session, one)
    if method == EYE and outcome == STEP_NONE_FOUND:
        checklists.check_done(session, one)
    step = InspectionStep(
        inspection_id=one.id,
        method=method,
        outcome=outcome,
        note=note.strip(),
        at_s=clock.now_s(),
        by_id=user.id if user else None,
    )
    session.add(step)
    session.flush()
    body, said = {"method": method, "outcome": outcome}, {"note": step.note} if step.note else None
    log.add(session, "inspection.step", one.public_id, body, user, said)
    return step


def finish(session: Session, one: Inspection, user, result: str, reason: str = "", note: str = "") -> InspectionResult:
    """
    Record the result, free the restroom and the sensors.

    Raises Refused: finished, reason_needed (for not_completed and referred), and for none_found
    nothing_done, suspicious_step, coverage_too_low(missing), open_findings(count).
    """
    one = _locked(session, one)
    if one.result is not None:
        raise Refused("finished")
    added = _add_result(session, one, user, result, reason, note)
    room = session.get(Restroom, one.restroom_id, with_for_update=True, populate_existing=True)
    one.finished_s = added.at_s
    room.running_inspection_id = None
    room.last_inspection_id = one.id
    room.last_inspected_s = added.at_s
    room.last_result = result
    if result != NOT_COMPLETED:
        visitor_requests.answer(session, one)
    session.flush()
    plans.refresh(session, [room.id])
    for chosen in session.scalars(select(InspectionSensor).where(InspectionSensor.inspection_id == one.id)):
        commands.withdraw(session, chosen.sensor, messages.INSPECTION_START)
        args = {"inspection": one.public_id}
        commands.send(session, chosen.sensor, messages.INSPECTION_STOP, args, user, STOP_LIFETIME_S)
    _tell(session, "inspection.finished", one, added, user)
    return added


def correct(session: Session, one: Inspection, user, result: str, reason: str, note: str = "") -> InspectionResult:
    """Add a result that counts instead of the one before. Raises Refused: running, and finish()'s."""
    one = _locked(session, one)
    if one.result is None:
        raise Refused("running")
    if not reason.strip():
        raise Refused("reason_needed")
    added = _add_result(session, one, user, result, reason, note)
    room = session.get(Restroom, one.restroom_id, with_for_update=True, populate_existing=True)
    if room.last_inspection_id == one.id:
        room.last_result = result
    session.flush()
    plans.refresh(session, [room.id])
    _tell(session, "inspection.corrected", one, added, user)
    return added


def blocking_findings(session: Session, one: Inspection) -> int:
    """How many findings forbid to say that none was found: not judged, unresolved, or with the police."""
    undecided = (Finding.status == OPEN) | Finding.disposition.in_((UNRESOLVED, REFERRED))
    return session.scalar(select(func.count(Finding.id)).where(Finding.inspection_id == one.id, undecided))


def busy_sensors(session: Session) -> set[int]:
    """Row numbers of the sensors that take part in a running inspection."""
    return set(session.scalars(busy()))


def _add_result(session, one, user, result, reason, note):
    _check_word(result, RESULTS)
    steps = current_steps(one)
    if result == NONE_FOUND:
        methods = [method for method in METHODS if steps[method] and steps[method].outcome == STEP_NONE_FOUND]
        if any(step and step.outcome == STEP_SUSPICIOUS for step in steps.values()):
            raise Refused("suspicious_step")
        if not methods:
            raise Refused("nothing_done")
        if RF in methods:
            _check_rf(session, one)
        if EYE in methods:
            checklists.check_done(session, one)
        blocking = blocking_findings(session, one)
        if blocking:
            raise Refused("open_findings", count=blocking)
    else:
        methods = [method for method in METHODS if steps[method] and steps[method].outcome != STEP_NOT_DONE]
        if not reason.strip():
            raise Refused("reason_needed")
    has_sensors = session.scalar(
        select(func.count(InspectionSensor.id)).where(InspectionSensor.inspection_id == one.id)
    )
    added = InspectionResult(
        inspection_id=one.id,
        result=result,
        methods=methods,
        reason=reason.strip(),
        note=note.strip(),
        coverage=coverage.of_inspection(session, one).summary() if has_sensors else None,
        at_s=clock.now_s(),
        by_id=user.id if user else None,
    )
    session.add(added)
    one.result = result
    session.flush()
    return added


def _tell(session, kind, one, added, user):
    """Write a result into the log. Reason and note are free words, in which people may be named."""
    body = {"result": added.result, "methods": added.methods, "coverage": added.coverage}
    body["record_hash"] = signatures.record_hash(session, one, added)
    words = {name: text for name, text in (("reason", added.reason), ("note", added.note)) if text}
    log.add(session, kind, one.public_id, body, user, words)


def _check_rf(session, one):
    if not session.scalar(select(func.count(InspectionSensor.id)).where(InspectionSensor.inspection_id == one.id)):
        raise Refused("no_sensor")
    covered = coverage.of_inspection(session, one)
    if not covered.enough:
        raise Refused("coverage_too_low", missing=covered.missing)
    blocking = blocking_findings(session, one)
    if blocking:
        raise Refused("open_findings", count=blocking)


def _locked(session, one):
    return session.get(Inspection, one.id, with_for_update=True, populate_existing=True)


def _check_word(word, words):
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
