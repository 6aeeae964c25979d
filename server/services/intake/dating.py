"""
When a report was made, for sensors that did not know the time when they made it.

A report carries the sensor's ticks since its start; a later CLOCK report of the same boot
says what time one of these ticks was. That dates every report of the boot.
"""

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from ansim import messages
from server.models.findings import Finding, FindingEvent, StimulusResult
from server.models.intake import Report, Selftest, Sweep

_REPORT = Report.__table__


def at_s(said_s, tick_ms: int, zero_s):
    """The sensor's own word; else from its ticks, if the time of tick 0 is known; else None."""
    if said_s is not None:
        return said_s
    return None if zero_s is None else zero_s + tick_ms // 1000


def learn(session: Session, new: list, boots: dict) -> None:
    """Take the time from CLOCK reports among `new` and date what is still undated of their boots."""
    learnt = {}
    for one in new:
        if one.message["kind"] == messages.CLOCK:
            body = one.message["body"]
            learnt[one.key[:2]] = body["time_s"] - body["at_tick_ms"] // 1000
    for key, zero_s in learnt.items():
        boots[key].zero_s = zero_s
        _date(session, *key, zero_s)


def _date(session, sensor_id, boot, zero_s):
    undated = select(Report.id, Report.tick_ms).where(
        Report.sensor_id == sensor_id, Report.boot == boot, Report.at_s.is_(None)
    )
    rows = [{"about": row, "at_s": zero_s + tick_ms // 1000} for row, tick_ms in session.execute(undated)]
    if not rows:
        return
    connection = session.connection()
    connection.execute(update(_REPORT).where(_REPORT.c.id == bindparam("about")), rows)
    for table in (Sweep.__table__, Selftest.__table__, FindingEvent.__table__, StimulusResult.__table__):
        connection.execute(update(table).where(table.c.report_id == bindparam("about")), rows)
    _date_findings(session, [row["about"] for row in rows])


def _date_findings(session, report_ids):
    findings = set()
    for start in range(0, len(report_ids), 500):
        wanted = select(FindingEvent.finding_id).where(FindingEvent.report_id.in_(report_ids[start : start + 500]))
        findings.update(session.scalars(wanted))
    for finding_id in findings:
        span = select(func.min(FindingEvent.at_s), func.max(FindingEvent.at_s))
        first_s, last_s = session.execute(span.where(FindingEvent.finding_id == finding_id)).one()
        session.execute(update(Finding).where(Finding.id == finding_id).values(first_at_s=first_s, last_at_s=last_s))
