"""
What a monitoring program asks about an installation, as numbers of the database.

    gauges.read(session, now_s, silent_after_s).sensors        # {"online": 240, "silent": 3, ...}

Each number is one indexed count. There is no label for a single sensor or restroom: a time series for each would cost
the monitoring more than the installation.
"""

from typing import NamedTuple

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from ansim.finding import LEVELS
from server.models.audit import LogHead, LogTip
from server.models.findings import OPEN, Finding
from server.models.intake import DeadLetter
from server.models.places import Restroom
from server.models.sensors import Command, Sensor
from server.services.outside import delivery_queue
from server.services.people.accounts import SYSTEM
from server.services.sensors import fleet


class Gauges(NamedTuple):
    """
    sensors           {state of fleet.STATES: count}, revoked ones left out
    findings          {level of ansim.finding.LEVELS: open findings}
    inspections       that run
    commands          that wait for their sensor
    deliveries        {"waiting", "dead"} of notifications
    dead_letters      kept messages that could not be stored
    last_seen_age_s   since the newest message of any sensor, to 5 s; None before the first
    log_entries       length of the log
    log_unsigned      entries behind its newest signed head
    log_head_age_s    age of the newest signed head; None before the first
    """

    sensors: dict[str, int]
    findings: dict[str, int]
    inspections: int
    commands: int
    deliveries: dict[str, int]
    dead_letters: int
    last_seen_age_s: int | None
    log_entries: int
    log_unsigned: int
    log_head_age_s: int | None


def read(session: Session, now_s: int, silent_after_s: int) -> Gauges:
    """Read all numbers."""

    def count(column, *conditions):
        return session.scalar(select(func.count(column)).where(*conditions)) or 0

    states = fleet.count_states(session, SYSTEM, now_s, silent_after_s)
    of_level = dict(
        session.execute(select(Finding.level, func.count()).where(Finding.status == OPEN).group_by(Finding.level)).all()
    )
    last_seen_s = session.scalar(select(func.max(Sensor.last_seen_s)))
    height = session.scalar(select(LogTip.n)) or 0
    head = session.execute(select(LogHead.n, LogHead.at_s).order_by(LogHead.n.desc()).limit(1)).first()
    return Gauges(
        sensors={state: states.get(state, 0) for state in fleet.STATES if state != fleet.REVOKED},
        findings={level: of_level.get(level, 0) for level in LEVELS},
        inspections=count(Restroom.running_inspection_id, Restroom.running_inspection_id.is_not(None)),
        commands=count(Command.id, Command.ended_s.is_(None), Command.expires_s > now_s),
        deliveries=delivery_queue.count_deliveries(session),
        dead_letters=count(DeadLetter.id),
        last_seen_age_s=None if last_seen_s is None else max(0, now_s - last_seen_s),
        log_entries=height,
        log_unsigned=height - (head.n if head else 0),
        log_head_age_s=max(0, now_s - head.at_s) if head else None,
    )
