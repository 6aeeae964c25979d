"""
Half-year reports for facility managers, districts and the ministry: inspections by method, results, dispositions.

    span = half_year(2026, 2, zone)
    report = make_report(session, user, span, Scope(organisation=...))     # .total and .rows, all Counts

The database counts in a handful of queries, however many rows there are.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import Select, String, case, cast, func, select
from sqlalchemy.orm import Session

from server import clock
from server.models.findings import DISPOSITIONS, GAPS, Disposition, Finding
from server.models.inspections import NONE_FOUND, NOT_COMPLETED, REOPENED, Inspection, InspectionResult
from server.models.places import METHODS, Facility, Organisation, Restroom
from server.services.errors import NotFound
from server.services.people import access

LEGAL_TIMES = 2  # inspections a year, Public Toilets Act art. 12(1); so one in half a year


class Span(NamedTuple):
    """
    half              1, 2, or 0 for the whole year
    since_s, until_s  its first second, and the first second after it
    """

    year: int
    half: int
    since_s: int
    until_s: int


class Scope(NamedTuple):
    """The place a report is about; all None: all places of the user."""

    organisation: Organisation | None = None
    facility: Facility | None = None
    restroom: Restroom | None = None


class Counts(NamedTuple):
    """
    place         the Organisation, Facility or Restroom that is counted; None for the total
    restrooms     restrooms in use now
    inspected     of them, those with at least one completed inspection in the span
    enough_times  of them, those inspected as often as the law demands in that span
    overdue       of them, those overdue now by their plans
    inspections   inspections finished in the span; none_found, not_completed, referred: by their current result;
                  reopened: "none found" was recorded, and something followed that is not settled
    eye, rf, lens inspections in which this method was done
    corrected     inspections whose result was corrected
    covered       inspections with an RF coverage; coverage_sum: their percentages added up
    alarms        findings that were alarms; open: without disposition; listed: closed as known emitters
    as_...        by their disposition: as_false, as_neighbour, as_known_emitter, as_unresolved, as_referred
    notices       one-way senders that never were alarms
    """

    place: Organisation | Facility | Restroom | None
    restrooms: int = 0
    inspected: int = 0
    enough_times: int = 0
    overdue: int = 0
    inspections: int = 0
    none_found: int = 0
    reopened: int = 0
    not_completed: int = 0
    referred: int = 0
    eye: int = 0
    rf: int = 0
    lens: int = 0
    corrected: int = 0
    covered: int = 0
    coverage_sum: int = 0
    alarms: int = 0
    open: int = 0
    listed: int = 0
    as_known_emitter: int = 0
    as_neighbour: int = 0
    as_false: int = 0
    as_unresolved: int = 0
    as_referred: int = 0
    notices: int = 0

    @property
    def judged(self) -> int:
        """Alarms with a disposition by a person."""
        return sum(getattr(self, f"as_{kind}") for kind in DISPOSITIONS)

    @property
    def false_permille(self) -> int | None:
        """False alarms among the judged, in thousandths; None while nothing is judged."""
        return self.as_false * 1000 // self.judged if self.judged else None

    @property
    def coverage_percent(self) -> int | None:
        """Mean RF coverage of the inspections that have one."""
        return self.coverage_sum // self.covered if self.covered else None

    @property
    def not_inspected(self) -> int:
        """Restrooms without an inspection in the span."""
        return self.restrooms - self.inspected

    def numbers(self) -> dict[str, int]:
        """Return {name: number}, without the place and coverage_sum."""
        return {name: getattr(self, name) for name in _NUMBERS if name != "coverage_sum"}


_NUMBERS = Counts._fields[1:]


class Report(NamedTuple):
    """
    by    what a row is: "organisation", "facility" or "restroom"
    rows  by name
    """

    span: Span
    scope: Scope
    made_s: int
    by: str
    total: Counts
    rows: list[Counts]


_Numbers = Iterator[tuple[int, str, int]]  # (row of the report, name in Counts, number to add)


def half_year(year: int, half: int, zone: ZoneInfo) -> Span:
    """Return the first (1) or second (2) half of a year, or all of it (0), in the site's time zone."""
    start = datetime(year, 7 if half == 2 else 1, 1, tzinfo=zone)
    end = datetime(year, 7, 1, tzinfo=zone) if half == 1 else datetime(year + 1, 1, 1, tzinfo=zone)
    return Span(year, half, int(start.timestamp()), int(end.timestamp()))


def current_half(zone: ZoneInfo) -> tuple[int, int]:
    """Return (year, half) of today."""
    today = datetime.fromtimestamp(clock.now_s(), UTC).astimezone(zone)
    return today.year, 1 if today.month < 7 else 2


def list_organisations(session: Session, user) -> list[Organisation]:
    """Return the organisations that a user may have a report of, by name."""
    query = select(Organisation).order_by(Organisation.name, Organisation.id)
    return list(session.scalars(_with_facilities_of(query, user)))


def load_scope(session: Session, user, public_id: str) -> Scope:
    """Return the place with a public id as a Scope; "" is all places. Raises NotFound."""
    if not public_id:
        return Scope()
    organisation = select(Organisation).where(Organisation.public_id == public_id)
    facility = select(Facility).where(Facility.public_id == public_id)
    restroom = select(Restroom).where(Restroom.public_id == public_id)
    scope = Scope(
        session.scalar(_with_facilities_of(organisation, user)),
        session.scalar(access.within(facility, user, Facility.id)),
        session.scalar(access.within(restroom, user, Restroom.facility_id)),
    )
    if scope == Scope():
        raise NotFound("place")
    return scope


def _with_facilities_of(query: Select, user) -> Select:
    """Limit a query of organisations to those with a facility that the user may see."""
    if access.is_everywhere(user):
        return query
    return query.where(Organisation.id.in_(access.within(select(Facility.organisation_id), user, Facility.id)))


def make_report(session: Session, user, span: Span, scope: Scope) -> Report:
    """
    Return the report of a scope.

    Its rows are organisations for all places, facilities for an organisation, restrooms for a facility; for a restroom
    there is one row.
    """
    by, key = _grouping(scope)
    table: dict[int, dict[str, int]] = {}
    for numbers in (
        _restrooms(session, user, scope, key),
        _inspected(session, user, scope, key, span),
        _finished(session, user, scope, key, span),
        _reopened(session, user, scope, key, span),
        _findings(session, user, scope, key, span),
    ):
        for group, name, number in numbers:
            row = table.setdefault(group, dict.fromkeys(_NUMBERS, 0))
            row[name] += number
    total = {name: sum(row[name] for row in table.values()) for name in _NUMBERS}
    places = _places(session, by, table)
    by_name = sorted(places.items(), key=lambda item: (item[1].name, item[0]))
    rows = [Counts(place, **table[group]) for group, place in by_name]
    return Report(span, scope, clock.now_s(), by, Counts(None, **total), rows)


def _grouping(scope: Scope):
    if scope.restroom or scope.facility:
        return "restroom", Restroom.id
    return ("facility", Restroom.facility_id) if scope.organisation else ("organisation", Facility.organisation_id)


def _within(query: Select, user, scope: Scope) -> Select:
    """Limit a query that has Restroom and Facility joined."""
    if scope.restroom:
        query = query.where(Restroom.id == scope.restroom.id)
    elif scope.facility:
        query = query.where(Restroom.facility_id == scope.facility.id)
    elif scope.organisation:
        query = query.where(Facility.organisation_id == scope.organisation.id)
    return access.within(query, user, Restroom.facility_id)


def _restrooms(session: Session, user, scope: Scope, key) -> _Numbers:
    overdue_sum = func.sum(case((Restroom.due_s <= clock.now_s(), 1), else_=0))
    query = select(key, func.count(Restroom.id), overdue_sum).join(Facility, Facility.id == Restroom.facility_id)
    query = _within(query.where(Restroom.retired_s.is_(None)), user, scope)
    for group, number, overdue in session.execute(query.group_by(key)):
        yield group, "restrooms", number
        yield group, "overdue", overdue


def _in_span(query: Select, span: Span) -> Select:
    query = query.join(Restroom, Restroom.id == Inspection.restroom_id)
    query = query.join(Facility, Facility.id == Restroom.facility_id)
    return query.where(Inspection.finished_s >= span.since_s, Inspection.finished_s < span.until_s)


def _is_current():
    """Return the condition that a result is the newest of its inspection."""
    later = InspectionResult.__table__.alias("later")
    newest = select(func.max(later.c.id)).where(later.c.inspection_id == Inspection.id).scalar_subquery()
    return InspectionResult.id == newest


def _inspected(session: Session, user, scope: Scope, key, span: Span) -> _Numbers:
    """Count the restrooms that were inspected at all, and often enough."""
    done = cast(InspectionResult.methods, String)
    inner = select(key.label("grp"), func.count(Inspection.id).label("times")).select_from(Inspection)
    inner = _in_span(inner.join(InspectionResult, _is_current()), span).where(
        done != "[]", InspectionResult.result != NOT_COMPLETED
    )
    inner = _within(inner.where(Restroom.retired_s.is_(None)), user, scope)
    inner = inner.group_by(Restroom.id, key).subquery()
    needed = LEGAL_TIMES if span.half == 0 else LEGAL_TIMES // 2
    enough_sum = func.sum(case((inner.c.times >= needed, 1), else_=0))
    for group, number, enough in session.execute(select(inner.c.grp, func.count(), enough_sum).group_by(inner.c.grp)):
        yield group, "inspected", number
        yield group, "enough_times", enough


def _finished(session: Session, user, scope: Scope, key, span: Span) -> _Numbers:
    """Count inspections by result and methods. There are few combinations of methods, so they are grouped by them."""
    done = cast(InspectionResult.methods, String)
    percent = InspectionResult.coverage["percent"].as_integer()
    first = InspectionResult.__table__.alias("first")
    earlier = select(first.c.id).where(first.c.inspection_id == Inspection.id, first.c.id < InspectionResult.id)
    corrected = func.sum(case((earlier.exists(), 1), else_=0))
    columns = (key, InspectionResult.result, done)
    query = select(*columns, func.count(), func.count(percent), func.coalesce(func.sum(percent), 0), corrected)
    query = _in_span(query.select_from(Inspection).join(InspectionResult, _is_current()), span)
    for group, result, methods, number, covered, coverage_sum, corrected_count in session.execute(
        _within(query, user, scope).group_by(*columns)
    ):
        yield group, "inspections", number
        yield group, result, number
        yield group, "corrected", corrected_count
        yield group, "covered", covered
        yield group, "coverage_sum", coverage_sum
        for method in METHODS:
            if f'"{method}"' in methods:
                yield group, method, number


def _reopened(session: Session, user, scope: Scope, key, span: Span) -> _Numbers:
    """Move the inspections whose "none found" does not stand from that column to their own."""
    query = _in_span(select(key, func.count(Inspection.id)).select_from(Inspection), span)
    query = query.where(Inspection.result == NONE_FOUND, Inspection.unsettled > 0)
    for group, number in session.execute(_within(query, user, scope).group_by(key)):
        yield group, NONE_FOUND, -number
        yield group, REOPENED, number


def _findings(session: Session, user, scope: Scope, key, span: Span) -> _Numbers:
    judged = select(Disposition.id).where(Disposition.finding_id == Finding.id, Disposition.by_id.is_not(None))
    listed = case((Finding.known_emitter_id.is_not(None) & ~judged.exists(), 1), else_=0)
    was_alarm = case((Finding.alarmed_s.is_not(None), 1), else_=0)
    columns = (key, Finding.disposition, listed, was_alarm)
    query = select(*columns, func.count(Finding.id)).join(Restroom, Restroom.id == Finding.restroom_id)
    query = query.join(Facility, Facility.id == Restroom.facility_id)
    query = query.where(Finding.created_s >= span.since_s, Finding.created_s < span.until_s)
    query = _within(query.where(Finding.alarmed_s.is_not(None) | Finding.detector.not_in(GAPS)), user, scope)
    for group, disposition, by_list, is_alarm, number in session.execute(query.group_by(*columns)):
        if not is_alarm:
            yield group, "notices", number
            continue
        yield group, "alarms", number
        kind = "listed" if by_list else f"as_{disposition}" if disposition in DISPOSITIONS else "open"
        yield group, kind, number


def _places(session: Session, by: str, ids: Iterable[int]) -> dict[int, Organisation | Facility | Restroom]:
    """Return {row number: place} of a report's rows."""
    model = {"organisation": Organisation, "facility": Facility, "restroom": Restroom}[by]
    places, sorted_ids = {}, sorted(ids)
    for start in range(0, len(sorted_ids), 900):
        for place in session.scalars(select(model).where(model.id.in_(sorted_ids[start : start + 900]))):
            places[place.id] = place
    return places
