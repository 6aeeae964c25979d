"""
What waits at the places of a user, in numbers: the content of the start page.

    overview.load(session, user, now_s, silent_after_s)      # an Overview
    overview.count_by_week(session, user, now_s)             # finished inspections, week by week
"""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from server.models.inspections import Inspection
from server.models.places import Restroom
from server.models.sensors import Sensor
from server.services.findings import findings
from server.services.inspecting import holes, inspections
from server.services.people import access
from server.services.places import due_dates, visitor_requests
from server.services.sensors import fleet

WEEK_S = 7 * 86400


class Overview(NamedTuple):
    """
    restrooms  in use; sensors: enrolled and not revoked, of which `silent` are offline or silent
    findings   open alarms; requests: restrooms with an open request of visitors; holes: not repaired
    running    inspections without a result; overdue, soon: restrooms due now, and within a week from now
    inspected  inspections that ended in the last seven days
    """

    restrooms: int
    sensors: int
    silent: int
    findings: int
    running: int
    overdue: int
    soon: int
    requests: int
    holes: int
    inspected: int


class WeekCount(NamedTuple):
    """A week that begins at start_s, and the inspections that ended in it."""

    start_s: int
    inspections: int


def load(session: Session, user, now_s: int, silent_after_s: int) -> Overview:
    """Return the numbers at the places of a user."""
    in_use = select(func.count(Restroom.id)).where(Restroom.retired_s.is_(None))
    states = fleet.count_states(session, user, now_s, silent_after_s)
    overdue = due_dates.count_due(session, user, now_s)
    return Overview(
        restrooms=session.scalar(access.within(in_use, user, Restroom.facility_id)) or 0,
        sensors=sum(count for state, count in states.items() if state != fleet.REVOKED),
        silent=states.get(fleet.SILENT, 0) + states.get(fleet.OFFLINE, 0),
        findings=findings.count_open(session, user),
        running=len(inspections.list_running(session, user, limit=100)),
        overdue=overdue,
        soon=due_dates.count_due(session, user, now_s, within_s=WEEK_S) - overdue,
        requests=visitor_requests.count_open(session, user),
        holes=holes.count_open(session, user),
        inspected=count_by_week(session, user, now_s, weeks=1)[0].inspections,
    )


def count_by_week(session: Session, user, now_s: int, weeks: int = 8) -> list[WeekCount]:
    """Return the inspections that ended in each of the last weeks, the present one last; a week is seven times 24 h."""
    since_s = now_s - weeks * WEEK_S
    week = (Inspection.finished_s - since_s - 1) // WEEK_S
    query = select(week.label("week"), func.count(Inspection.id))
    query = query.join(Restroom, Restroom.id == Inspection.restroom_id)
    query = query.where(Inspection.finished_s > since_s, Inspection.finished_s <= now_s).group_by("week")
    counts = dict(session.execute(access.within(query, user, Restroom.facility_id)).all())
    return [WeekCount(since_s + number * WEEK_S, counts.get(number, 0)) for number in range(weeks)]


def has_sensor(session: Session) -> bool:
    """Return whether a sensor was ever enrolled here."""
    return session.scalar(select(Sensor.id).limit(1)) is not None
