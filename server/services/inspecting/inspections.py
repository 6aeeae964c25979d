"""Start, record, finish and correct inspections."""

from collections.abc import Iterable, Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from ansim import messages
from server import clock, db, ids
from server.models.findings import Finding, blocking
from server.models.inspections import (
    NONE_FOUND,
    NOT_COMPLETED,
    OUTCOMES,
    REOPENED,
    RESULTS,
    STEP_NONE_FOUND,
    STEP_NOT_DONE,
    STEP_SUSPICIOUS,
    Inspection,
    InspectionResult,
    InspectionSensor,
    InspectionStep,
    OfflineVisit,
)
from server.models.intake import Selftest, Sweep
from server.models.outside import INSPECTION_CORRECTED, INSPECTION_FINISHED
from server.models.places import EYE, LENS, METHODS, RF, Facility, Restroom
from server.models.sensors import Sensor
from server.services import paging
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.findings import dispositions, known_emitters
from server.services.inspecting import campaigns, checklists, coverage, participants, signatures, steps
from server.services.outside import notifications
from server.services.people import access, accounts
from server.services.people.accounts import Actor
from server.services.places import due_dates, visitor_requests
from server.services.sensors import command_queue
from server.services.sensors.fleet import load_selftest, select_busy

RUNNING = "running"  # beside RESULTS, as a filter of list_inspections()

# A sensor with a Wi-Fi uplink listens between uploads and hears a command only then; see `upload_every_s`
# in ansim/settings.py, whose default is a minute.
START_LIFETIME_S = 15 * 60
STOP_LIFETIME_S = 24 * 3600  # a sensor that was carried out of reach still learns that it is over
MAX_KNOWN = 64  # addresses that fit into the command; see ansim/downlink_schemas.py


def load(session: Session, user: Actor, public_id: str, right: str = accounts.SEE) -> Inspection:
    """Return an inspection with everything its page shows. Raises NotFound, also without the right at its facility."""
    query = select(Inspection).where(Inspection.public_id == ids.clean(public_id))
    query = query.options(
        joinedload(Inspection.restroom).joinedload(Restroom.facility).joinedload(Facility.organisation),
        joinedload(Inspection.started_by),
        selectinload(Inspection.people),
        selectinload(Inspection.steps).joinedload(InspectionStep.by),
        selectinload(Inspection.results).joinedload(InspectionResult.by),
        selectinload(Inspection.sensors).joinedload(InspectionSensor.sensor),
    )
    inspection = session.scalar(query)
    if inspection is None or not access.may(session, user, right, inspection.restroom.facility_id):
        raise NotFound("inspection")
    return inspection


def list_inspections(
    session: Session,
    user: Actor,
    *,
    restroom: str = "",
    facility: str = "",
    result: str = "",
    since_s: int | None = None,
    until_s: int | None = None,
    cursor: str | None = None,
    limit: int = 50,
    newest_first: bool = False,
) -> paging.Page[Inspection]:
    """
    Return a page of inspections, oldest first, with restrooms and results.

    restroom, facility  public ids
    result              one of RESULTS, REOPENED or RUNNING, as it stands
    since_s, until_s    happened in [since_s, until_s): ended then or, if it runs, started then
    """
    query = select(Inspection).join(Restroom, Restroom.id == Inspection.restroom_id)
    query = access.within(query, user, Restroom.facility_id)
    query = query.options(
        joinedload(Inspection.restroom).joinedload(Restroom.facility),
        selectinload(Inspection.results).joinedload(InspectionResult.by),
    )
    if restroom:
        query = query.where(Restroom.public_id == ids.clean(restroom))
    if facility:
        facility_ids = select(Facility.id).where(Facility.public_id == ids.clean(facility))
        query = query.where(Restroom.facility_id.in_(facility_ids))
    if result:
        query = query.where(_has_result(result))
    if since_s is not None or until_s is not None:
        query = query.where(_happened_between(since_s or 0, paging.FOREVER_S if until_s is None else until_s))
    start_id = paging.decode(cursor)
    if start_id is not None:
        query = query.where(Inspection.id < start_id if newest_first else Inspection.id > start_id)
    query = query.order_by(Inspection.id.desc() if newest_first else Inspection.id).limit(limit + 1)
    return paging.cut(session.scalars(query).all(), limit)


def _happened_between(since_s, until_s):
    ended = (Inspection.finished_s >= since_s) & (Inspection.finished_s < until_s)
    runs = Inspection.finished_s.is_(None) & (Inspection.started_s >= since_s) & (Inspection.started_s < until_s)
    return ended | runs


def _has_result(result):
    if result == RUNNING:
        return Inspection.id == Restroom.running_inspection_id
    if result == REOPENED:
        return (Inspection.result == NONE_FOUND) & (Inspection.unsettled > 0)
    stands = Inspection.result == result
    return stands & (Inspection.unsettled == 0) if result == NONE_FOUND else stands


def list_running(session: Session, user: Actor, limit: int = 20) -> list[Inspection]:
    """
    Return the unfinished inspections that a user may see: the user's own first, then the newest.

    Those that run in a restroom, and those of offline visits that wait for their result.
    """
    # By the restrooms, of which few are being inspected: a log has a million inspections that are over.
    running = select(Restroom.running_inspection_id).where(Restroom.running_inspection_id.is_not(None))
    handed_over = select(OfflineVisit.inspection_id)
    query = select(Inspection).join(Restroom, Restroom.id == Inspection.restroom_id)
    query = query.where(Inspection.id.in_(running.union(handed_over)), Inspection.result.is_(None))
    query = access.within(query, user, Restroom.facility_id)
    is_own = Inspection.started_by_id == user.id
    query = query.order_by(is_own.desc(), Inspection.id.desc()).limit(limit)
    return list(session.scalars(query.options(joinedload(Inspection.restroom).joinedload(Restroom.facility))))


def running_in(session: Session, room: Restroom) -> Inspection | None:
    """Return the inspection that runs in a restroom, if any."""
    return session.get(Inspection, room.running_inspection_id) if room.running_inspection_id else None


def list_findings(session: Session, inspection: Inspection) -> list[Finding]:
    """Return the inspection's findings, strongest first."""
    query = select(Finding).where(Finding.inspection_id == inspection.id).options(joinedload(Finding.sensor))
    return list(session.scalars(query.order_by(Finding.score_max.desc(), Finding.id)))


def start(
    session: Session, room: Restroom, user: Actor, sensors: Sequence[Sensor] = (), people: Iterable[dict] = ()
) -> Inspection:
    """
    Start an inspection and command its sensors to start.

    people  others who take part, as {"name": ..., "agency": ...} or {"user": User}
    Raises Refused: restroom_retired, already_running, sensor_revoked(sensor), sensor_busy(sensor).
    """
    # Locked, so that two people who press the button at once start one inspection.
    room = db.lock_row(session, room)
    if room.retired_s is not None:
        raise Refused("restroom_retired")
    if room.running_inspection_id is not None:
        raise Refused("already_running")
    now_s = clock.now_s()
    busy_ids = set(session.scalars(select_busy()))
    for sensor in sensors:
        if sensor.revoked_s is not None:
            raise Refused("sensor_revoked", sensor=sensor.name)
        if sensor.id in busy_ids:
            raise Refused("sensor_busy", sensor=sensor.name)
    inspection = create(session, room, user, now_s)
    people = list(people)
    for person in people:
        participants.add(session, inspection, person, now_s)
    known = known_emitters.list_addresses(session, room.facility_id, now_s)[:MAX_KNOWN]
    for sensor in sensors:
        add_sensor(session, inspection, sensor, now_s)
        args = {"inspection": inspection.public_id, "known": known}
        command_queue.send(session, sensor, messages.INSPECTION_START, args, user, START_LIFETIME_S)
    session.flush()
    body = {"restroom": room.public_id, "sensors": [sensor.name for sensor in sensors]}
    personal = participants.personal_fields(session, inspection) if people else None
    log.add(session, "inspection.started", inspection.public_id, body, user, personal)
    return inspection


def create(session: Session, room: Restroom, user: Actor, started_s: int, runs: bool = True) -> Inspection:
    """
    Add an inspection to a restroom that is locked. The caller writes it into the log.

    runs  it is the one that people at the door join, so the restroom has to be free; else it only waits for its result
    """
    campaign_id, team_id = campaigns.running_for(session, room, user)
    inspection = Inspection(
        public_id=ids.new(12),
        restroom_id=room.id,
        started_s=started_s,
        started_by_id=user.id,
        checklist_id=checklists.current(session, session.get_one(Facility, room.facility_id)).id,
        campaign_id=campaign_id,
        team_id=team_id,
    )
    session.add(inspection)
    session.flush()
    if runs:
        room.running_inspection_id = inspection.id
    if user is not accounts.SYSTEM:
        participants.add(session, inspection, {"user": user}, started_s)
    return inspection


def add_sensor(
    session: Session,
    inspection: Inspection,
    sensor: Sensor,
    chosen_s: int,
    started_s: int | None = None,
    stopped_s: int | None = None,
) -> None:
    """Let a sensor take part, with its firmware's version and its last self-test at this moment."""
    selftest = load_selftest(session, sensor)
    session.add(
        InspectionSensor(
            inspection_id=inspection.id,
            sensor_id=sensor.id,
            version=(sensor.info or {}).get("version", ""),
            selftest_id=selftest.id if selftest else None,
            chosen_s=chosen_s,
            started_s=started_s,
            stopped_s=stopped_s,
        )
    )


def selftests_of(session: Session, inspection: Inspection) -> list[tuple[InspectionSensor, Selftest | None]]:
    """Return each sensor of an inspection with its last self-test at the moment it was chosen."""
    selftest_ids = [used.selftest_id for used in inspection.sensors if used.selftest_id]
    query = select(Selftest).where(Selftest.id.in_(selftest_ids))
    rows = {row.id: row for row in session.scalars(query)} if selftest_ids else {}
    return [(used, rows.get(used.selftest_id or 0)) for used in inspection.sensors]


def current_steps(inspection: Inspection) -> dict[str, InspectionStep | None]:
    """Return the step that counts of each method: {"eye": InspectionStep or None, ...}."""
    return steps.current(inspection)


def standing_steps(inspection: Inspection) -> dict[str, InspectionStep | None]:
    """Return current_steps() for readers: without a step "none found" beside which something is not settled."""
    rows = steps.current(inspection)
    if inspection.standing_result == REOPENED:
        is_late = inspection.reopened_s is not None  # what people saw speaks against the steps that people did
        doubted = [RF] * (inspection.unsettled > is_late) + [EYE, LENS] * is_late
        for method in doubted:
            step = rows[method]
            if step is not None and step.outcome == STEP_NONE_FOUND:
                rows[method] = None
    return rows


def why_step_not_clear(session: Session, inspection: Inspection, method: str) -> Refused | None:
    """
    Return why a method's step cannot be recorded as "none found" now, None if it can.

    RF: no_sensor, coverage_too_low(missing), open_findings(count). Eye: checklist_open(count),
    checklist_suspicious(count).
    """
    if method == EYE:
        return checklists.why_not_clear(session, inspection)
    if method != RF:
        return None
    if not _has_sensors(session, inspection):
        return Refused("no_sensor")
    covered = _coverage_summary(session, inspection)
    if not covered["enough"]:
        return Refused("coverage_too_low", missing=covered["missing"])
    return _why_findings_block(session, inspection)


def why_not_none_found(session: Session, inspection: Inspection) -> Refused | None:
    """
    Return why the inspection's result cannot be "none found" now, None if it can.

    suspicious_step, step_contested, open_findings(count), nothing_done, and for every step that is recorded as "none
    found", or was until it was reopened, the reasons of why_step_not_clear().
    """
    outcomes = {method: step.outcome for method, step in current_steps(inspection).items() if step}
    if STEP_SUSPICIOUS in outcomes.values():
        return Refused("suspicious_step")
    if steps.contradictions(inspection):
        return Refused("step_contested")
    refusal = _why_findings_block(session, inspection)
    if refusal:
        return refusal
    clear = [method for method, outcome in outcomes.items() if outcome == STEP_NONE_FOUND]
    refusals = (why_step_not_clear(session, inspection, method) for method in (*clear, *steps.reopened(inspection)))
    refusal = next((refusal for refusal in refusals if refusal), None)
    return refusal or (None if clear else Refused("nothing_done"))


def count_blocking_findings(session: Session, inspection: Inspection) -> int:
    """Count the findings that rule out "none found": not judged, unresolved, or referred to the police."""
    query = select(func.count(Finding.id)).where(Finding.inspection_id == inspection.id, blocking())
    return session.scalar(query) or 0


def record_step(
    session: Session,
    inspection: Inspection,
    method: str,
    outcome: str,
    user: Actor,
    note: str = "",
    seen_id: int | None = None,
    at_s: int | None = None,
) -> InspectionStep:
    """
    Record the outcome of one method.

    seen_id  row number of the newest step of this method that the person saw; None: all there are
    at_s     when the step was done; None: now
    Raises Refused: finished, reason_needed (not done, or suspicious, or "none found" in place of "suspicious", without
    a note), and for "none found" the reasons of why_step_not_clear().
    """
    _check_word(method, METHODS)
    _check_word(outcome, OUTCOMES)
    inspection = db.lock_row(session, inspection)
    if inspection.result is not None:
        raise Refused("finished")
    before = steps.current(inspection)[method]
    settles = before is not None and before.outcome == STEP_SUSPICIOUS and outcome != STEP_SUSPICIOUS
    has_seen = before is not None and (seen_id is None or seen_id >= before.id)
    unexplained = not note.strip() or (settles and before is not None and note.strip() == before.note)
    if unexplained and (outcome in (STEP_NOT_DONE, STEP_SUSPICIOUS) or (settles and has_seen)):
        raise Refused("reason_needed")
    refusal = why_step_not_clear(session, inspection, method) if outcome == STEP_NONE_FOUND else None
    if refusal:
        raise refusal
    return steps.add(session, inspection, steps.StepEntry(method, outcome, note, seen_id, at_s), user)


def finish(
    session: Session, inspection: Inspection, user: Actor, result: str, reason: str = "", note: str = ""
) -> InspectionResult:
    """
    Record the result, and release the restroom and the sensors.

    Raises Refused: finished, reason_needed (for not_completed and referred), and for none_found the reasons of
    why_not_none_found().
    """
    inspection = db.lock_row(session, inspection)
    if inspection.result is not None:
        raise Refused("finished")
    _reopen_steps(session, inspection, user)
    row = _add_result(session, inspection, user, result, reason, note)
    room = db.lock_row(session, inspection.restroom)
    finished_s = inspection.finished_s = _ended_s(session, inspection, row.at_s)
    if room.running_inspection_id == inspection.id:
        room.running_inspection_id = None
    if room.last_inspected_s is None or room.last_inspected_s <= finished_s:
        room.last_inspection_id = inspection.id
        room.last_inspected_s = inspection.finished_s
        room.last_result = result
    if result != NOT_COMPLETED:
        visitor_requests.answer(session, inspection)
    session.flush()
    due_dates.refresh(session, [room.id])
    used_sensors = select(InspectionSensor).where(InspectionSensor.inspection_id == inspection.id)
    for used in session.scalars(used_sensors):
        command_queue.withdraw(session, used.sensor, messages.INSPECTION_START)
        args = {"inspection": inspection.public_id}
        command_queue.send(session, used.sensor, messages.INSPECTION_STOP, args, user, STOP_LIFETIME_S)
    dispositions.forget_notices(session, inspection.id)
    _log_result(session, "inspection.finished", inspection, row, user)
    return row


def correct(
    session: Session,
    inspection: Inspection,
    user: Actor,
    result: str,
    reason: str,
    note: str = "",
    outcomes: Mapping[str, str] | None = None,
) -> InspectionResult:
    """
    Add a result that replaces the one before.

    outcomes  {method: outcome} of the steps to correct, each a further entry with the same reason
    Raises Refused: running, and those of finish().
    """
    inspection = db.lock_row(session, inspection)
    if inspection.result is None:
        raise Refused("running")
    if not reason.strip():
        raise Refused("reason_needed")
    for method, outcome in (outcomes or {}).items():
        _check_word(method, METHODS)
        _check_word(outcome, OUTCOMES)
        refusal = why_step_not_clear(session, inspection, method) if outcome == STEP_NONE_FOUND else None
        if refusal:
            raise refusal
        steps.add(session, inspection, steps.StepEntry(method, outcome, reason), user)
    _reopen_steps(session, inspection, user)
    row = _add_result(session, inspection, user, result, reason, note)
    room = db.lock_row(session, inspection.restroom)
    if room.last_inspection_id == inspection.id:
        room.last_result = result
    session.flush()
    if result == NOT_COMPLETED:
        visitor_requests.reopen(session, inspection)
    else:
        visitor_requests.answer(session, inspection)
    due_dates.refresh(session, [room.id])
    _log_result(session, "inspection.corrected", inspection, row, user)
    return row


def _ended_s(session: Session, inspection: Inspection, now_s: int) -> int:
    """
    Return when an inspection ended: now or, if a phone handed it over, at the last of its visits, steps and sweeps.

    An RF step is recorded after the sweeps it rests on, so that these are what counts.
    """
    ended_s = session.scalar(select(func.max(OfflineVisit.ended_s)).where(OfflineVisit.inspection_id == inspection.id))
    if ended_s is None:
        return now_s
    swept_s = session.scalar(select(func.max(Sweep.at_s)).where(Sweep.inspection_id == inspection.id))
    online = (step for step in inspection.steps if not step.received_s)
    times = [swept_s if step.method == RF and swept_s else step.at_s for step in online]
    return min(max(ended_s, swept_s or 0, *times), now_s)


def _reopen_steps(session, inspection, user):
    """Reopen the steps whose "none found" does not hold any more, so that no record says both."""
    if checklists.why_not_clear(session, inspection):
        steps.reopen(session, inspection, EYE, user)
    if _why_findings_block(session, inspection):
        steps.reopen(session, inspection, RF, user)


def _add_result(session, inspection, user, result, reason, note):
    _check_word(result, RESULTS)
    outcomes = {method: step.outcome for method, step in current_steps(inspection).items() if step}
    if result == NONE_FOUND:
        refusal = why_not_none_found(session, inspection)
        if refusal:
            raise refusal
        methods = [method for method, outcome in outcomes.items() if outcome == STEP_NONE_FOUND]
    else:
        methods = [method for method, outcome in outcomes.items() if outcome != STEP_NOT_DONE]
        if not reason.strip():
            raise Refused("reason_needed")
    covered = _coverage_summary(session, inspection) if _has_sensors(session, inspection) else None
    row = InspectionResult(
        inspection_id=inspection.id,
        result=result,
        methods=methods,
        reason=reason.strip(),
        note=note.strip(),
        coverage=covered,
        at_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(row)
    inspection.result = result
    inspection.reopened_s = None
    session.flush()
    session.expire(inspection, ["unsettled"])
    return row


def _coverage_summary(session, inspection):
    """Return the coverage of the sweeps, or what an earlier result established if retention has deleted some since."""
    established = [row.standing_coverage for row in inspection.results if row.standing_coverage]
    return max((coverage.of_inspection(session, inspection).summary(), *established), key=lambda row: row["sweeps"])


def _log_result(session, kind, inspection, row, user):
    body = {"result": row.result, "methods": row.methods, "coverage": row.coverage}
    body["record_hash"] = signatures.record_hash(session, inspection, row)
    # Reason and note are free text, in which people may be named.
    personal = {name: text for name, text in (("reason", row.reason), ("note", row.note)) if text}
    log.add(session, kind, inspection.public_id, body, user, personal)
    room = inspection.restroom
    notifications.enqueue(
        session,
        INSPECTION_FINISHED if kind == "inspection.finished" else INSPECTION_CORRECTED,
        room.facility_id,
        inspection.public_id,
        restroom=room.name,
        restroom_id=room.public_id,
        result=row.result,
        methods=row.methods,
    )


def _why_findings_block(session, inspection):
    count = count_blocking_findings(session, inspection)
    return Refused("open_findings", count=count) if count else None


def _has_sensors(session, inspection):
    query = select(InspectionSensor.id).where(InspectionSensor.inspection_id == inspection.id).limit(1)
    return session.scalar(query) is not None


def _check_word(word, words):
    if word not in words:
        raise ValueError(f"{word!r} is none of {', '.join(words)}")
