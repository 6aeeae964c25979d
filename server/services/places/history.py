"""The inspections of a restroom, newest first, as its page lists them."""

from typing import NamedTuple

from sqlalchemy import case, func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from server.models.findings import GAPS, Finding
from server.models.inspections import Inspection, InspectionResult, InspectionSensor
from server.models.places import Restroom
from server.services import paging


class HistoryRow(NamedTuple):
    """
    people    names of those who took part
    sensors   names of the sensors used
    alarms    how many of its findings were alarms; notices: how many other one-way senders were noticed
    result    the result that counts, None while it runs
    coverage  RF coverage at the result, or None
    """

    inspection: Inspection
    people: list[str]
    sensors: list[str]
    alarms: int
    notices: int
    result: InspectionResult | None
    coverage: dict | None


def list_history(
    session: Session, restroom: Restroom, *, cursor: str | None = None, limit: int = 50
) -> paging.Page[HistoryRow]:
    """Return a restroom's inspections, newest first. Raises BadCursor."""
    query = select(Inspection).where(Inspection.restroom_id == restroom.id)
    before_id = paging.decode(cursor)
    if before_id is not None:
        query = query.where(Inspection.id < before_id)
    query = query.order_by(Inspection.id.desc()).limit(limit + 1)
    query = query.options(
        selectinload(Inspection.people),
        selectinload(Inspection.sensors).joinedload(InspectionSensor.sensor),
        selectinload(Inspection.results).joinedload(InspectionResult.by),
        joinedload(Inspection.started_by),
    )
    page = paging.cut(session.scalars(query).all(), limit)
    was_alarm = case((Finding.alarmed_s.is_not(None), 1), else_=0)
    counts = select(Finding.inspection_id, was_alarm, func.count(Finding.id)).group_by(Finding.inspection_id, was_alarm)
    counts = counts.where(Finding.inspection_id.in_([inspection.id for inspection in page.rows]))
    counts = counts.where(Finding.alarmed_s.is_not(None) | Finding.detector.not_in(GAPS))
    found = {(inspection_id, is_alarm): number for inspection_id, is_alarm, number in session.execute(counts)}
    rows = [_row(row, found.get((row.id, 1), 0), found.get((row.id, 0), 0)) for row in page.rows]
    return paging.Page(rows, page.next)


def _row(inspection, alarms, notices):
    result = inspection.results[-1] if inspection.results else None
    people = [person.name for person in inspection.people]
    sensors = [chosen.sensor.name for chosen in inspection.sensors]
    coverage = result.standing_coverage if result else None
    return HistoryRow(inspection, people, sensors, alarms, notices, result, coverage)
