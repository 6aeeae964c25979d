"""
Reports as submitted: frozen, with their SHA-256 in the log.

    row = submitted_reports.freeze(session, user, report)
    submitted_reports.thaw(row)                                  # the Report as it was
    submitted_reports.list_changed(submitted_reports.thaw(row), report)    # rows whose numbers differ today
"""

import hashlib
import json
from typing import Any, NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.models.reporting import FrozenReport
from server.services.audit import canonical, log
from server.services.errors import NotFound, Refused
from server.services.people import access
from server.services.reporting.half_years import VERSION, Counts, Report, Scope, Span

_FIELDS = Counts._fields[1:]


class _Place(NamedTuple):
    """A place by the names that it had."""

    public_id: str
    name: str
    name_en: str


def freeze(session: Session, user, report: Report) -> FrozenReport:
    """Keep a report as it is. Raises Refused: period_runs, if its period has not ended."""
    if report.span.until_s > report.made_s:
        raise Refused("period_runs")
    place = _place_of(report.scope)
    content = canonical.text(
        {
            "version": VERSION,
            "span": list(report.span),
            "made_s": report.made_s,
            "by": report.by,
            "scope": [_frozen(one) for one in report.scope],
            "total": _numbers(report.total),
            "rows": [{"place": _frozen(row.place), "numbers": _numbers(row)} for row in report.rows],
        }
    )
    row = FrozenReport(
        of=place.public_id if place else "",
        year=report.span.year,
        half=report.span.half,
        content=content,
        sha256=hashlib.sha256(content.encode()).hexdigest(),
        at_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(row)
    session.flush()
    body = {"of": row.of, "year": row.year, "half": row.half, "sha256": row.sha256}
    log.add(session, "report.frozen", row.public_id, body, user)
    return row


def load(session: Session, user, public_id: str) -> FrozenReport:
    """Return a frozen report. Raises NotFound, also for users who neither made it nor may see all places."""
    row = session.scalar(select(FrozenReport).where(FrozenReport.public_id == public_id))
    if row is None or not _may_see(row, user):
        raise NotFound("report")
    return row


def list_frozen(session: Session, user, report: Report) -> list[FrozenReport]:
    """Return the frozen reports of the same places and period that a user may see, newest first."""
    place = _place_of(report.scope)
    query = select(FrozenReport).where(FrozenReport.of == (place.public_id if place else ""))
    query = query.where(FrozenReport.year == report.span.year, FrozenReport.half == report.span.half)
    return [row for row in session.scalars(query.order_by(FrozenReport.id.desc())) if _may_see(row, user)]


def thaw(row: FrozenReport) -> Report:
    """Return the report as it was submitted."""
    content = json.loads(row.content)
    rows = [_counts(one["place"], one["numbers"]) for one in content["rows"]]
    scope = Scope(*(_thawed(one) for one in content["scope"]))
    total = _counts(None, content["total"])
    return Report(Span(*content["span"]), scope, content["made_s"], content["by"], total, rows)


def list_changed(before: Report, after: Report) -> list[tuple[Counts | None, Counts | None]]:
    """
    Return the rows that differ between two reports of the same scope, as (before, after).

    None stands for a place that one of the reports does not have.
    """
    old, new = ({row.place.public_id: row for row in report.rows if row.place} for report in (before, after))
    pairs = [(old.get(key), new.get(key)) for key in [*old, *(new.keys() - old.keys())]]
    return [(one, other) for one, other in pairs if one is None or other is None or _numbers(one) != _numbers(other)]


def _may_see(row, user):
    return access.is_everywhere(user) or row.by_id == user.id


def _place_of(scope):
    return next((place for place in scope if place is not None), None)


def _frozen(place):
    return None if place is None else [place.public_id, place.name, place.name_en]


def _thawed(values) -> Any:
    return None if values is None else _Place(*values)


def _numbers(counts):
    return {name: getattr(counts, name) for name in _FIELDS}


def _counts(place, numbers):
    # A column that was added since counts nothing.
    return Counts(_thawed(place), **{name: numbers.get(name, 0) for name in _FIELDS})
