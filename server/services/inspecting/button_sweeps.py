"""
Sweeps that a sensor's button started, until a person assigns them to an inspection.

    for sweep in button_sweeps.list_waiting(session, user): ...
    button_sweeps.suggest_restrooms(session, user, sweep)       # the likeliest first
    button_sweeps.assign(session, sweep, user, room)            # to the inspection that runs there, or a new one

A button sweep has an id that the sensor generated, so (sensor, id) identifies all its reports. Reports that
arrive after the assignment, because the sensor was out of reach, find their inspection by the same pair.
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from server import clock, db
from server.models.findings import Finding
from server.models.inspections import Inspection, InspectionSensor, SweepAssignment
from server.models.intake import Sweep
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.inspecting import coverage, inspections
from server.services.people import access, accounts
from server.services.people.accounts import Actor
from server.services.places import due_dates
from server.services.sensors.fleet import within

NEAR_S = 3 * 3600  # an inspection so long before or after says something about where the sensor was
DUE_SOON_S = 14 * 86400
MOST_SUGGESTIONS = 6
_SECOND = 1000

# Why a restroom is suggested.
RUNNING, FIXED, BETWEEN, SAME_BUILDING, DUE = "running", "fixed", "between", "same_building", "due"


class Waiting(NamedTuple):
    """
    A button sweep that belongs to no inspection yet.

    ref       the id that the sensor generated
    from_s    when it began to listen; None while its clock is not known
    sweeps    how many sweep reports it sent
    findings  how many findings it made
    """

    sensor: Sensor
    ref: str
    from_s: int | None
    to_s: int | None
    sweeps: int
    findings: int
    coverage: coverage.Coverage


class Suggestion(NamedTuple):
    """A restroom where a sweep may have been made. at_s: start of the inspection that suggests it, or None."""

    room: Restroom
    why: str
    at_s: int | None


def list_waiting(session: Session, user: Actor, limit: int = 50) -> list[Waiting]:
    """Return the button sweeps without an inspection, of the sensors that a user may see, newest first."""
    query = select(
        Sweep.sensor_id,
        Sweep.inspection_ref,
        func.min(Sweep.at_s - (Sweep.to_ms - Sweep.from_ms) / _SECOND),
        func.max(Sweep.at_s),
        func.count(Sweep.report_id),
    )
    query = query.where(Sweep.inspection_id.is_(None), Sweep.inspection_ref != "")
    query = within(query.join(Sensor, Sensor.id == Sweep.sensor_id), user)
    query = query.group_by(Sweep.sensor_id, Sweep.inspection_ref)
    rows = session.execute(query.order_by(func.max(Sweep.report_id).desc()).limit(limit)).all()
    if not rows:
        return []
    sensor_ids = [row[0] for row in rows]
    sensors = {sensor.id: sensor for sensor in session.scalars(select(Sensor).where(Sensor.id.in_(sensor_ids)))}
    refs = [row[1] for row in rows]
    findings_query = select(Finding.sensor_id, Finding.inspection_ref, func.count(Finding.id))
    findings_query = findings_query.where(Finding.inspection_ref.in_(refs))
    findings_query = findings_query.group_by(Finding.sensor_id, Finding.inspection_ref)
    findings = {(sensor_id, ref): count for sensor_id, ref, count in session.execute(findings_query)}
    parts: dict[tuple[int, str], list] = {}
    parts_query = select(Sweep.sensor_id, Sweep.inspection_ref, *coverage.COLUMNS).where(Sweep.inspection_ref.in_(refs))
    for sensor_id, ref, *part in session.execute(parts_query):
        parts.setdefault((sensor_id, ref), []).append(part)
    return [
        Waiting(
            sensors[sensor_id],
            ref,
            int(from_s) if from_s is not None else None,
            to_s,
            count,
            findings.get((sensor_id, ref), 0),
            coverage.sum_sweeps(parts.get((sensor_id, ref), [])),
        )
        for sensor_id, ref, from_s, to_s, count in rows
    ]


def load(session: Session, user: Actor, sensor_name: str, ref: str) -> Waiting:
    """Return one waiting sweep. Raises NotFound, also for another's sensor; Refused: sweep_assigned."""
    assigned = select(SweepAssignment.id).join(Sensor, Sensor.id == SweepAssignment.sensor_id)
    assigned = within(assigned.where(Sensor.name == sensor_name, SweepAssignment.inspection_ref == ref), user)
    if session.scalar(assigned):
        raise Refused("sweep_assigned")
    for sweep in list_waiting(session, user, limit=500):
        if (sweep.sensor.name, sweep.ref) == (sensor_name, ref):
            return sweep
    raise NotFound("sweep")


def suggest_restrooms(session: Session, user: Actor, sweep: Waiting) -> list[Suggestion]:
    """
    Return restrooms where a sweep may have been made, the likeliest first.

    They come from the sensor's place, what ran at the time, the inspections around it, and what is due.
    """
    suggestions: dict[int, Suggestion] = {}

    def add(rooms: Iterable[tuple[Restroom | None, int | None]], why: str) -> None:
        for room, at_s in rooms:
            if room and room.retired_s is None and access.may(session, user, accounts.INSPECT, room.facility_id):
                suggestions.setdefault(room.id, Suggestion(room, why, at_s))

    if sweep.sensor.restroom_id is not None:
        add([(_room(session, sweep.sensor.restroom_id), None)], FIXED)
    if sweep.from_s is not None:
        inspections_near = _inspections_near(session, user, sweep.sensor, sweep.from_s)
        overlapping = [row for row in inspections_near if _overlaps(row, sweep)]
        add([(row.restroom, row.started_s) for row in overlapping], RUNNING)
        # The route: what is not inspected yet in the building the inspector was in just before or after.
        by_distance = sorted(inspections_near, key=lambda row: abs(row.started_s - (sweep.from_s or 0)))
        inspected = {row.restroom_id for row in inspections_near}
        before = {row.restroom.facility_id for row in inspections_near if row.started_s <= sweep.from_s}
        after = {row.restroom.facility_id for row in inspections_near if row.started_s > sweep.from_s}
        nearest_s: dict[int, int] = {}
        for row in by_distance:
            nearest_s.setdefault(row.restroom.facility_id, row.started_s)
        for facility_id, started_s in list(nearest_s.items())[:3]:
            rooms = [room for room in _rooms(session, facility_id) if room.id not in inspected]
            is_between = facility_id in before and facility_id in after
            add([(room, started_s) for room in rooms], BETWEEN if is_between else SAME_BUILDING)
    if len(suggestions) < MOST_SUGGESTIONS:
        due = access.within(select(Restroom), user, Restroom.facility_id).options(joinedload(Restroom.facility))
        due = due.where(due_dates.is_due(clock.now_s() + DUE_SOON_S), Restroom.retired_s.is_(None))
        add([(room, None) for room in session.scalars(due.order_by(Restroom.due_s).limit(MOST_SUGGESTIONS))], DUE)
    return list(suggestions.values())[:MOST_SUGGESTIONS]


def _inspections_near(session, user, sensor, at_s):
    """Return the inspections around a time in which the sensor took part, or which the user started."""
    with_sensor = select(InspectionSensor.inspection_id).where(InspectionSensor.sensor_id == sensor.id)
    is_related = Inspection.id.in_(with_sensor)
    if user.id is not None:
        is_related = is_related | (Inspection.started_by_id == user.id)
    query = select(Inspection).where(Inspection.started_s.between(at_s - NEAR_S, at_s + NEAR_S), is_related)
    query = query.options(joinedload(Inspection.restroom).joinedload(Restroom.facility))
    return list(session.scalars(query.order_by(Inspection.started_s).limit(50)))


def _overlaps(inspection, sweep):
    ends_after = (inspection.finished_s or clock.now_s()) >= sweep.from_s
    return inspection.started_s <= (sweep.to_s or sweep.from_s) and ends_after


def _room(session, restroom_id):
    return session.scalar(select(Restroom).where(Restroom.id == restroom_id).options(joinedload(Restroom.facility)))


def _rooms(session, facility_id):
    query = select(Restroom).where(Restroom.facility_id == facility_id, Restroom.retired_s.is_(None))
    return session.scalars(query.options(joinedload(Restroom.facility)).order_by(Restroom.sort_key).limit(20)).all()


def assign(session: Session, sweep: Waiting, user: Actor, room: Restroom) -> Inspection:
    """
    Assign a sweep to the inspection that runs in a restroom, or to a new one that began with the sweep.

    The sensor takes part in the inspection from then on, so its RF step can be recorded, and later reports are added.
    Raises NotFound without the right there; Refused: sweep_assigned, restroom_retired.
    """
    access.check(session, user, accounts.INSPECT, room.facility_id)
    room = db.lock_row(session, room)
    if room.retired_s is not None:
        raise Refused("restroom_retired")
    is_part = (Sweep.sensor_id == sweep.sensor.id, Sweep.inspection_ref == sweep.ref)
    if not session.scalar(select(func.count(Sweep.report_id)).where(*is_part, Sweep.inspection_id.is_(None))):
        raise Refused("sweep_assigned")
    now_s = clock.now_s()
    inspection = inspections.running_in(session, room)
    if inspection is not None:
        inspection.started_s = min(inspection.started_s, sweep.from_s or inspection.started_s)
    else:
        inspection = inspections.create(session, room, user, sweep.from_s or now_s)
        body = {"restroom": room.public_id, "sensors": [], "by_button": True}
        log.add(session, "inspection.started", inspection.public_id, body, user)
    takes_part = select(InspectionSensor.id).where(
        InspectionSensor.inspection_id == inspection.id, InspectionSensor.sensor_id == sweep.sensor.id
    )
    if not session.scalar(takes_part):
        inspections.add_sensor(session, inspection, sweep.sensor, now_s, sweep.from_s, sweep.to_s)
        session.flush()
    session.execute(update(Sweep).where(*is_part).values(inspection_id=inspection.id))
    its_findings = (Finding.sensor_id == sweep.sensor.id, Finding.inspection_ref == sweep.ref)
    values = {"inspection_id": inspection.id, "restroom_id": room.id, "changed_s": now_s}
    moved = session.execute(update(Finding).where(*its_findings).values(**values))
    finding_count = moved.rowcount  # type: ignore[attr-defined]  # an UPDATE returns a CursorResult, which has it
    session.add(
        SweepAssignment(
            sensor_id=sweep.sensor.id,
            inspection_ref=sweep.ref,
            inspection_id=inspection.id,
            sweeps=sweep.sweeps,
            from_s=sweep.from_s,
            to_s=sweep.to_s,
            at_s=now_s,
            by_id=user.id,
        )
    )
    session.flush()
    body = {"sensor": sweep.sensor.name, "sweep": sweep.ref, "sweeps": sweep.sweeps, "findings": finding_count}
    log.add(session, "inspection.sweep_assigned", inspection.public_id, body, user)
    return inspection
