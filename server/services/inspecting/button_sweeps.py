"""
Sweeps that a sensor's button started, before anybody had said where.

    for sweep in unassigned.waiting(session, user): ...
    unassigned.suggestions(session, user, sweep)                 # restrooms, the likeliest first
    unassigned.assign(session, sweep, user, room)                # to the inspection there, or a new one

A button's sweep carries an id that the sensor made up, so all its reports are known by (sensor, id). What comes in
after the assignment, because the sensor was out of reach, finds its inspection by the same pair.
"""

from collections import namedtuple

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.models.findings import Finding
from server.models.inspections import Inspection, InspectionSensor, SweepAssignment
from server.models.intake import Sweep
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.inspecting import coverage, inspections
from server.services.people import access, accounts
from server.services.sensors.enrolment import last_selftest, visible

NEAR_S = 3 * 3600  # a visit so long before or after says something about where the sensor was
DUE_SOON_S = 14 * 86400
MOST_SUGGESTIONS = 6
_SECOND = 1000

# ref         the id the sensor made up
# from_s      when it began to listen; None while its clock is not known
# findings    how many findings it made
# coverage    services.coverage.Coverage
Waiting = namedtuple("Waiting", ("sensor", "ref", "from_s", "to_s", "sweeps", "findings", "coverage"))

# why  "running", "fixed", "between", "same_building" or "due"; at_s: of the visit it is known from, or None
Suggestion = namedtuple("Suggestion", ("room", "why", "at_s"))


def waiting(session: Session, user, limit: int = 50) -> list[Waiting]:
    """Sweeps by button that belong to no inspection yet, newest first, as far as the person may inspect there."""
    grouped = select(
        Sweep.sensor_id,
        Sweep.inspection_ref,
        func.min(Sweep.at_s - (Sweep.to_ms - Sweep.from_ms) / _SECOND),
        func.max(Sweep.at_s),
        func.count(Sweep.report_id),
    )
    grouped = grouped.where(Sweep.inspection_id.is_(None), Sweep.inspection_ref != "")
    grouped = grouped.join(Sensor, Sensor.id == Sweep.sensor_id)
    grouped = visible(grouped, user)
    grouped = grouped.group_by(Sweep.sensor_id, Sweep.inspection_ref)
    rows = session.execute(grouped.order_by(func.max(Sweep.report_id).desc()).limit(limit)).all()
    if not rows:
        return []
    sensors = {one.id: one for one in session.scalars(select(Sensor).where(Sensor.id.in_([row[0] for row in rows])))}
    refs = [row[1] for row in rows]
    found = select(Finding.sensor_id, Finding.inspection_ref, func.count(Finding.id))
    found = found.where(Finding.inspection_ref.in_(refs)).group_by(Finding.sensor_id, Finding.inspection_ref)
    findings = {(sensor_id, ref): count for sensor_id, ref, count in session.execute(found)}
    columns = (Sweep.channels, Sweep.deaf_ms, Sweep.capabilities, Sweep.tables_full)
    heard = {}
    wanted = select(Sweep.sensor_id, Sweep.inspection_ref, *columns)
    for sensor_id, ref, *sweep in session.execute(wanted.where(Sweep.inspection_ref.in_(refs))):
        heard.setdefault((sensor_id, ref), []).append(sweep)
    return [
        Waiting(
            sensors[sensor_id],
            ref,
            int(from_s) if from_s is not None else None,
            to_s,
            count,
            findings.get((sensor_id, ref), 0),
            coverage.add_up(heard.get((sensor_id, ref), [])),
        )
        for sensor_id, ref, from_s, to_s, count in rows
    ]


def sweep(session: Session, user, sensor_name: str, ref: str) -> Waiting:
    """Return one waiting sweep. Raises NotFound; Refused: sweep_assigned."""
    taken = select(SweepAssignment.id).join(Sensor, Sensor.id == SweepAssignment.sensor_id)
    if session.scalar(taken.where(Sensor.name == sensor_name, SweepAssignment.inspection_ref == ref)):
        raise Refused("sweep_assigned")
    for one in waiting(session, user, limit=500):
        if (one.sensor.name, one.ref) == (sensor_name, ref):
            return one
    raise NotFound("sweep")


def suggestions(session: Session, user, one: Waiting) -> list[Suggestion]:
    """Restrooms where a sweep may have been made: by what ran then, by the sensor's place, by the visits around it."""
    found = {}

    def add(rooms, why):
        for room, at_s in rooms:
            if room.retired_s is None and access.may(session, user, accounts.INSPECT, room.facility_id):
                found.setdefault(room.id, Suggestion(room, why, at_s))

    if one.sensor.restroom_id is not None:
        add([(_room(session, one.sensor.restroom_id), None)], "fixed")
    if one.from_s is not None:
        visits = _visits(session, user, one)
        at_the_time = [(v.restroom, v.started_s) for v in visits if _overlaps(v, one)]
        add(at_the_time, "running")
        # The route: what is not inspected yet in the building the inspector was in just before or after.
        near = sorted(visits, key=lambda visit: abs(visit.started_s - one.from_s))
        buildings = list(dict.fromkeys(visit.restroom.facility_id for visit in near))[:3]
        seen = {visit.restroom_id for visit in visits}
        before = {visit.restroom.facility_id for visit in visits if visit.started_s <= one.from_s}
        after = {visit.restroom.facility_id for visit in visits if visit.started_s > one.from_s}
        for facility_id in buildings:
            nearest = next(visit.started_s for visit in near if visit.restroom.facility_id == facility_id)
            rooms = [room for room in _rooms(session, facility_id) if room.id not in seen]
            between = facility_id in before and facility_id in after
            add([(room, nearest) for room in rooms], "between" if between else "same_building")
    if len(found) < MOST_SUGGESTIONS:
        due = access.within(select(Restroom), user, Restroom.facility_id).options(joinedload(Restroom.facility))
        due = due.where(Restroom.due_s <= clock.now_s() + DUE_SOON_S, Restroom.retired_s.is_(None))
        add([(room, None) for room in session.scalars(due.order_by(Restroom.due_s).limit(MOST_SUGGESTIONS))], "due")
    return list(found.values())[:MOST_SUGGESTIONS]


def _visits(session, user, one):
    """Inspections around a sweep: of the same sensor, or started by the person who asks."""
    with_it = select(InspectionSensor.inspection_id).where(InspectionSensor.sensor_id == one.sensor.id)
    mine = Inspection.id.in_(with_it)
    if user is not None:
        mine = mine | (Inspection.started_by_id == user.id)
    wanted = select(Inspection).where(Inspection.started_s.between(one.from_s - NEAR_S, one.from_s + NEAR_S), mine)
    wanted = wanted.options(joinedload(Inspection.restroom).joinedload(Restroom.facility))
    return list(session.scalars(wanted.order_by(Inspection.started_s).limit(50)))


def _overlaps(visit, one):
    return visit.started_s <= (one.to_s or one.from_s) and (visit.finished_s or clock.now_s()) >= one.from_s


def _room(session, restroom_id):
    return session.scalar(select(Restroom).where(Restroom.id == restroom_id).options(joinedload(Restroom.facility)))


def _rooms(session, facility_id):
    wanted = select(Restroom).where(Restroom.facility_id == facility_id, Restroom.retired_s.is_(None))
    return session.scalars(wanted.options(joinedload(Restroom.facility)).order_by(Restroom.sort_key).limit(20)).all()


def assign(session: Session, one: Waiting, user, room: Restroom) -> Inspection:
    """
    Give a sweep to the inspection that runs in a restroom, or to a new one that began with the sweep.

    The sensor takes part in it from then on, so its RF step can be recorded and what it says later is added.
    Raises NotFound without the right there; Refused: sweep_assigned, restroom_retired.
    """
    access.check(session, user, accounts.INSPECT, room.facility_id)
    room = session.get(Restroom, room.id, with_for_update=True, populate_existing=True)
    if room.retired_s is not None:
        raise Refused("restroom_retired")
    mine = (Sweep.sensor_id == one.sensor.id, Sweep.inspection_ref == one.ref)
    if not session.scalar(select(func.count(Sweep.report_id)).where(*mine, Sweep.inspection_id.is_(None))):
        raise Refused("sweep_assigned")
    now_s = clock.now_s()
    if room.running_inspection_id is not None:
        inspection = session.get(Inspection, room.running_inspection_id)
        inspection.started_s = min(inspection.started_s, one.from_s or inspection.started_s)
    else:
        inspection = _begin(session, room, user, one.from_s or now_s)
    _add_sensor(session, inspection, one, now_s)
    session.execute(update(Sweep).where(*mine).values(inspection_id=inspection.id))
    about = (Finding.sensor_id == one.sensor.id, Finding.inspection_ref == one.ref)
    moved = session.execute(
        update(Finding).where(*about).values(inspection_id=inspection.id, restroom_id=room.id, changed_s=now_s)
    ).rowcount
    session.add(
        SweepAssignment(
            sensor_id=one.sensor.id,
            inspection_ref=one.ref,
            inspection_id=inspection.id,
            sweeps=one.sweeps,
            from_s=one.from_s,
            to_s=one.to_s,
            at_s=now_s,
            by_id=user.id if user else None,
        )
    )
    session.flush()
    body = {"sensor": one.sensor.name, "sweep": one.ref, "sweeps": one.sweeps, "findings": moved}
    log.add(session, "inspection.sweep_assigned", inspection.public_id, body, user)
    return inspection


def _begin(session, room, user, started_s):
    added = inspections.begin(session, room, user, started_s)
    body = {"restroom": room.public_id, "sensors": [], "by_button": True}
    log.add(session, "inspection.started", added.public_id, body, user)
    return added


def _add_sensor(session, inspection, one, now_s):
    mine = select(InspectionSensor.id).where(
        InspectionSensor.inspection_id == inspection.id, InspectionSensor.sensor_id == one.sensor.id
    )
    if session.scalar(mine):
        return
    test = last_selftest(session, one.sensor)
    session.add(
        InspectionSensor(
            inspection_id=inspection.id,
            sensor_id=one.sensor.id,
            version=(one.sensor.info or {}).get("version", ""),
            selftest_id=test.id if test else None,
            chosen_s=now_s,
            started_s=one.from_s,
            stopped_s=one.to_s,
        )
    )
    session.flush()
