"""The inspections of a restroom, newest first, as its page lists them."""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session, joinedload, selectinload

from server.models.findings import Finding
from server.models.inspections import Inspection, InspectionResult, InspectionSensor
from server.models.places import Restroom
from server.services import paging


class HistoryRow(NamedTuple):
    """
    people    names of those who took part
    sensors   names of the sensors used
    findings  how many findings it has
    result    the result that counts, None while it runs
    coverage  RF coverage at the result, or None
    """

    inspection: Inspection
    people: list[str]
    sensors: list[str]
    findings: int
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
    counts = select(Finding.inspection_id, func.count(Finding.id)).group_by(Finding.inspection_id)
    counts = counts.where(Finding.inspection_id.in_([inspection.id for inspection in page.rows]))
    findings = dict(session.execute(counts).all())
    return paging.Page([_row(inspection, findings.get(inspection.id, 0)) for inspection in page.rows], page.next)


def _row(inspection, findings):
    result = inspection.results[-1] if inspection.results else None
    people = [person.name for person in inspection.people]
    sensors = [chosen.sensor.name for chosen in inspection.sensors]
    return HistoryRow(inspection, people, sensors, findings, result, result.coverage if result else None)
