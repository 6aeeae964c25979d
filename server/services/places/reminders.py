"""Reminders of overdue inspections: one per building, repeated weekly while it stays overdue."""

from collections.abc import Callable

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.places import Facility, Restroom
from server.services.places import due_dates

AGAIN_S = 7 * due_dates.DAY_S
BATCH = 500


def remind(session: Session, now_s: int, enqueue: Callable) -> int:
    """
    Enqueue a notification for every building with overdue restrooms and no recent reminder; return how many.

    enqueue  notifications.enqueue
    """
    due_dates.refresh_selftests(session)
    query = select(Restroom.facility_id, func.count(Restroom.id), func.min(Restroom.due_s))
    query = query.join(Facility).where(due_dates.is_due(now_s))
    query = query.where(Facility.reminded_s.is_(None) | (Facility.reminded_s <= now_s - AGAIN_S))
    overdue = session.execute(query.group_by(Restroom.facility_id).order_by(Restroom.facility_id)).all()
    for start in range(0, len(overdue), BATCH):
        batch = {facility_id: (count, since_s) for facility_id, count, since_s in overdue[start : start + BATCH]}
        for facility in session.scalars(select(Facility).where(Facility.id.in_(batch))):
            count, since_s = batch[facility.id]
            days = (now_s - (since_s or now_s)) // due_dates.DAY_S
            enqueue(
                session,
                "inspection_overdue",
                facility.id,
                facility.public_id,
                name=facility.name,
                count=count,
                days=days,
            )
            facility.reminded_s = now_s
        session.flush()
    return len(overdue)
