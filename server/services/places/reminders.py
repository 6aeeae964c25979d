"""Telling people what is overdue: once a building, and again after a week while it stays so."""

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.places import Facility, Restroom
from server.services.places import plans

AGAIN_S = 7 * plans.DAY_S
BATCH = 500


def remind(session: Session, now_s: int, tell) -> int:
    """
    Tell of every building with overdue restrooms that was not told of lately; return how many.

    tell  notices.tell
    """
    plans.refresh_selftests(session)
    late = select(Restroom.facility_id, func.count(Restroom.id), func.min(Restroom.due_s))
    late = late.join(Facility).where(Restroom.due_s <= now_s)
    late = late.where(Facility.reminded_s.is_(None) | (Facility.reminded_s <= now_s - AGAIN_S))
    told = session.execute(late.group_by(Restroom.facility_id).order_by(Restroom.facility_id)).all()
    for start in range(0, len(told), BATCH):
        part = {facility_id: (count, since_s) for facility_id, count, since_s in told[start : start + BATCH]}
        for facility in session.scalars(select(Facility).where(Facility.id.in_(part))):
            count, since_s = part[facility.id]
            days = (now_s - since_s) // plans.DAY_S
            tell(
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
    return len(told)
