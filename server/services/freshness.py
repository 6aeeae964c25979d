"""
Marks: short texts that change when the content of a page changes.

A page requests its fragment with its current mark; the same mark in the answer means that nothing is new.
"""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.findings import Disposition, Finding, FindingEvent
from server.models.inspections import Inspection, InspectionResult, InspectionSensor, InspectionStep
from server.models.intake import Sweep
from server.models.places import Restroom
from server.models.sensors import Command, Sensor


def inspection_mark(session: Session, inspection: Inspection) -> str:
    """Changes with the inspection's findings, sweeps, steps, results, and its sensors' states."""
    events = select(func.max(FindingEvent.id)).join(Finding).where(Finding.inspection_id == inspection.id)
    # The page also shows the restroom's earlier findings that are open.
    is_shown = (Finding.inspection_id == inspection.id) | (Finding.restroom_id == inspection.restroom_id)
    dispositions = select(func.max(Disposition.id)).join(Finding).where(is_shown)
    parts = [
        events.scalar_subquery(),
        dispositions.scalar_subquery(),
        _newest(Sweep, inspection, Sweep.report_id),
        _newest(InspectionStep, inspection),
        _newest(InspectionResult, inspection),
    ]
    mark = _mark(session, parts)
    sensors = select(Sensor.id, Sensor.state, Sensor.silent_s, InspectionSensor.started_s, InspectionSensor.stopped_s)
    sensors = sensors.join(InspectionSensor).where(InspectionSensor.inspection_id == inspection.id).order_by(Sensor.id)
    for row in session.execute(sensors):
        mark += "." + "-".join(str(part or 0) for part in row)
    return mark


def findings_mark(session: Session) -> str:
    """Changes with every finding event and disposition."""
    return _mark(session, [select(func.max(t.id)).scalar_subquery() for t in (FindingEvent, Disposition)])


def restroom_mark(session: Session, room: Restroom) -> str:
    """Changes when an inspection of the room starts or ends, or a finding there changes."""
    events = select(func.max(FindingEvent.id)).join(Finding).where(Finding.restroom_id == room.id)
    dispositions = select(func.max(Disposition.id)).join(Finding).where(Finding.restroom_id == room.id)
    results = select(func.max(InspectionResult.id)).join(Inspection).where(Inspection.restroom_id == room.id)
    inspections = select(func.max(Inspection.id)).where(Inspection.restroom_id == room.id)
    return _mark(session, [part.scalar_subquery() for part in (events, dispositions, results, inspections)])


def sensors_mark(session: Session) -> str:
    """Changes whenever a sensor was heard (to 10 s) or a command was added or answered."""
    seen = select(func.max(Sensor.last_seen_s) / 10).scalar_subquery()
    states = select(func.max(Sensor.state_s)).scalar_subquery()
    silent = select(func.max(Sensor.silent_s)).scalar_subquery()
    sent = select(func.max(Command.id)).scalar_subquery()
    ended = select(func.max(Command.ended_s)).scalar_subquery()
    return _mark(session, [seen, states, silent, sent, ended])


def _newest(table, inspection, column=None):
    newest = select(func.max(table.id if column is None else column))
    return newest.where(table.inspection_id == inspection.id).scalar_subquery()


def _mark(session, parts):
    return ".".join(str(int(value or 0)) for value in session.execute(select(*parts)).one())
