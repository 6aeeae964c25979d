"""
Date the reports of sensors that did not know the time when they made them.

A report carries the sensor's ticks since its start. A later CLOCK report of the same boot gives
the time at one of these ticks, which dates every report of the boot.
"""

from sqlalchemy import Table, bindparam, func, select, update
from sqlalchemy.orm import Session

from ansim import messages
from server.models.base import Base
from server.models.findings import Finding, FindingEvent, StimulusResult
from server.models.intake import Report, Selftest, Sweep
from server.services.intake.bulk_sql import Boot
from server.services.intake.received_report import NewReport

AHEAD_S = 60  # clocks that are set by NTP differ by less
_DATED = (Sweep, Selftest, FindingEvent, StimulusResult)  # models with a report_id whose at_s is the report's


def report_time(at_s: int | None, tick_ms: int, zero_s: int | None, received_s: int) -> int | None:
    """
    Return when a report was made, not after it was received; None if that is not known.

    at_s    the sensor's own time, if it knew it
    zero_s  time of tick 0 of the boot, if known

    A time that has not come yet by more than AHEAD_S is one of a wrong clock. The report's body keeps it, and the
    sensor's page shows by how much the clock differs.
    """
    if at_s is None and zero_s is not None:
        at_s = zero_s + tick_ms // 1000
    if at_s is not None and at_s > received_s + AHEAD_S:
        return received_s
    return at_s


def apply_clock_reports(session: Session, new: list[NewReport], boots: dict[tuple[int, int], Boot]) -> None:
    """Take the time from CLOCK reports among `new`, and date the reports of their boots that have no time yet."""
    zeros = {}
    for report in new:
        if report.message["kind"] == messages.CLOCK:
            body = report.message["body"]
            zeros[report.key[:2]] = body["time_s"] - body["at_tick_ms"] // 1000
    for (sensor_id, boot), zero_s in zeros.items():
        boots[sensor_id, boot].zero_s = zero_s
        _date_boot(session, sensor_id, boot, zero_s)


def _date_boot(session, sensor_id, boot, zero_s):
    undated = select(Report.id, Report.tick_ms, Report.received_s).where(
        Report.sensor_id == sensor_id, Report.boot == boot, Report.at_s.is_(None)
    )
    rows = [
        {"row_id": row_id, "at_s": report_time(None, tick_ms, zero_s, received_s)}
        for row_id, tick_ms, received_s in session.execute(undated)
    ]
    if not rows:
        return
    connection = session.connection()
    report = _table(Report)
    connection.execute(update(report).where(report.c.id == bindparam("row_id")), rows)
    for model in _DATED:
        table = _table(model)
        connection.execute(update(table).where(table.c.report_id == bindparam("row_id")), rows)
    _date_findings(session, [row["row_id"] for row in rows])


def _date_findings(session, report_ids):
    finding_ids = set()
    for start in range(0, len(report_ids), 500):
        query = select(FindingEvent.finding_id).where(FindingEvent.report_id.in_(report_ids[start : start + 500]))
        finding_ids.update(session.scalars(query))
    for finding_id in finding_ids:
        span = select(func.min(FindingEvent.at_s), func.max(FindingEvent.at_s))
        first_s, last_s = session.execute(span.where(FindingEvent.finding_id == finding_id)).one()
        session.execute(update(Finding).where(Finding.id == finding_id).values(first_at_s=first_s, last_at_s=last_s))


def _table(model: type[Base]) -> Table:
    return model.metadata.tables[model.__tablename__]
