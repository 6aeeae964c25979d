"""
Half-year reports for facility managers, districts and the ministry: inspections by method, results, dispositions.

    span = half_year(2026, 2, zone)
    report = make_report(session, user, span, Scope(organisation=...))     # .total and .rows, all Counts

The database counts in a handful of queries, however many rows there are.
"""

from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, String, case, cast, func, select
from sqlalchemy.orm import Session

from server import clock
from server.models.findings import DISPOSITIONS, GAPS, Disposition, Finding, happened_between
from server.models.inspections import NONE_FOUND, NOT_COMPLETED, REOPENED, Inspection, InspectionResult
from server.models.places import METHODS, Facility, Organisation, Restroom
from server.services.errors import NotFound
from server.services.people import access
from server.services.places import due_dates, names, periods_of_use

LEGAL_TIMES = 2  # inspections a year, Public Toilets Act art. 12(1); so one in half a year


VERSION = 2  # of what the columns count, in docs/reports.md; files state it


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
    restrooms     restrooms that were in use in the span
    inspected     of them, those with at least one completed inspection in the span
    enough_times  of them, those inspected as often as the law demands in that span
    overdue       of them, those overdue by their plans at the end of the span, or now if it has not ended
    inspections   inspections finished in the span; none_found, not_completed, referred: by their current result;
                  reopened: "none found" was recorded, and something followed that is not settled
    eye, rf, lens inspections in which this method was done
    corrected     inspections whose result was corrected
    provisional   inspections whose RF step rests on a sensor whose last sweep is missing
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
    provisional: int = 0
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
        return _rounded(self.as_false * 1000, self.judged)

    @property
    def coverage_percent(self) -> int | None:
        """Mean RF coverage of the inspections that have one."""
        return _rounded(self.coverage_sum, self.covered)

    @property
    def not_inspected(self) -> int:
        """Restrooms without an inspection in the span."""
        return self.restrooms - self.inspected

    def numbers(self) -> dict[str, int]:
        """Return {name: number}, without the place and coverage_sum."""
        return {name: getattr(self, name) for name in _NUMBERS if name != "coverage_sum"}


_NUMBERS = Counts._fields[1:]


def _rounded(total: int, number: int) -> int | None:
    """Return the quotient, halves rounded up; None without a number."""
    return (2 * total + number) // (2 * number) if number else None


class _Population(NamedTuple):
    """
    The restrooms of a report.

    key  what the rows are grouped by
    """

    user: Any
    scope: Scope
    span: Span
    uses: periods_of_use.Uses
    key: ColumnElement[int]

    def of(self, query: Select) -> Select:
        """Limit a query that has Restroom joined."""
        query = query.join(Facility, Facility.id == Restroom.facility_id)
        query = query.outerjoin(self.uses.of_past, self.uses.of_past.c.restroom_id == Restroom.id)
        if self.scope.restroom:
            query = query.where(Restroom.id == self.scope.restroom.id)
        elif self.scope.facility:
            query = query.where(Restroom.facility_id == self.scope.facility.id)
        elif self.scope.organisation:
            query = query.where(self.uses.owner == self.scope.organisation.id)
        return access.within(query, self.user, Restroom.facility_id)

    def inspected(self, query: Select) -> Select:
        """Limit a query of Inspection to those that ended in the span."""
        query = self.of(query.join(Restroom, Restroom.id == Inspection.restroom_id))
        return query.where(Inspection.finished_s >= self.span.since_s, Inspection.finished_s < self.span.until_s)


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
    by, population = _population(user, span, scope)
    table: dict[int, dict[str, int]] = {}
    for count in (_restrooms, _overdue, _inspected, _finished, _reopened, _findings):
        for group, name, number in count(session, population):
            row = table.setdefault(group, dict.fromkeys(_NUMBERS, 0))
            row[name] += number
    total = {name: sum(row[name] for row in table.values()) for name in _NUMBERS}
    places = _places(session, by, table)
    by_name = sorted(places.items(), key=lambda item: (names.natural_key(item[1].name), item[0]))
    rows = [Counts(place, **table[group]) for group, place in by_name]
    return Report(span, scope, clock.now_s(), by, Counts(None, **total), rows)


def _population(user, span: Span, scope: Scope) -> tuple[str, _Population]:
    """Return what a row of the report is, and the restrooms that it counts."""
    of_span = periods_of_use.between(span.since_s, span.until_s)
    by: str = "organisation"
    key: Any = of_span.owner
    if scope.restroom or scope.facility:
        by, key = "restroom", Restroom.id
    elif scope.organisation:
        by, key = "facility", Restroom.facility_id
    return by, _Population(user, scope, span, of_span, key)


def _restrooms(session: Session, population: _Population) -> _Numbers:
    query = population.of(select(population.key, func.count(Restroom.id)).select_from(Restroom))
    for group, number in session.execute(query.where(population.uses.in_use).group_by(population.key)):
        yield group, "restrooms", number


def _overdue(session: Session, population: _Population) -> _Numbers:
    """Count the restrooms overdue now, by the columns that lists use; or, for a span that is over, at its end."""
    if population.span.until_s <= clock.now_s():
        yield from _overdue_then(session, population)
        return
    query = population.of(select(population.key, func.count(Restroom.id)).select_from(Restroom))
    query = query.where(population.uses.in_use, due_dates.is_due(clock.now_s()))
    for group, number in session.execute(query.group_by(population.key)):
        yield group, "overdue", number


def _overdue_then(session: Session, population: _Population) -> _Numbers:
    """
    Count the restrooms in use at the end of the span that were overdue then, by the policies of that time.

    Self-tests are left out: they are not kept as long as inspections.
    """
    until_s = population.span.until_s
    done: dict[tuple[int, str], int] = {}
    query = population.of(
        _completed(select(Restroom.id, cast(InspectionResult.methods, String), func.max(Inspection.finished_s)))
    )
    query = query.where(Inspection.finished_s < until_s).group_by(Restroom.id, cast(InspectionResult.methods, String))
    for restroom_id, methods, finished_s in session.execute(query):
        for method in METHODS:
            if f'"{method}"' in methods:
                done[restroom_id, method] = max(finished_s, done.get((restroom_id, method), 0))
    at_end = periods_of_use.between(until_s - 1, until_s)
    columns = (Restroom.id, Restroom.facility_id, Restroom.source_id, Restroom.created_s)
    query = population.of(select(population.key, at_end.owner, *columns).select_from(Restroom))
    query = query.outerjoin(at_end.of_past, at_end.of_past.c.restroom_id == Restroom.id).where(at_end.in_use)
    intervals = due_dates.Intervals(session, before_s=until_s)
    for group, organisation_id, restroom_id, facility_id, source_id, created_s in session.execute(query):
        place = due_dates.NeverInspected(source_id, facility_id, created_s)
        of_methods = intervals.of(organisation_id, facility_id, restroom_id)
        is_overdue = any(
            of_methods[method].is_required
            and due_dates.due_s(of_methods[method], done.get((restroom_id, method)), place) <= until_s
            for method in METHODS
        )
        if is_overdue:
            yield group, "overdue", 1


def _completed(query: Select) -> Select:
    """Return a query of inspections that were completed by at least one method, joined with result and restroom."""
    query = query.select_from(Inspection).join(Restroom, Restroom.id == Inspection.restroom_id)
    query = query.join(InspectionResult, _is_current())
    return query.where(cast(InspectionResult.methods, String) != "[]", InspectionResult.result != NOT_COMPLETED)


def _is_current():
    """Return the condition that a result is the newest of its inspection."""
    later = InspectionResult.__table__.alias("later")
    newest = select(func.max(later.c.id)).where(later.c.inspection_id == Inspection.id).scalar_subquery()
    return InspectionResult.id == newest


def _inspected(session: Session, population: _Population) -> _Numbers:
    """Count the restrooms that were inspected at all, and often enough."""
    span = population.span
    inner = _completed(select(population.key.label("grp"), func.count(Inspection.id).label("times")))
    inner = population.of(inner).where(Inspection.finished_s >= span.since_s, Inspection.finished_s < span.until_s)
    inner = inner.where(population.uses.in_use).group_by(Restroom.id, population.key).subquery()
    needed = LEGAL_TIMES if span.half == 0 else LEGAL_TIMES // 2
    enough_sum = func.sum(case((inner.c.times >= needed, 1), else_=0))
    for group, number, enough in session.execute(select(inner.c.grp, func.count(), enough_sum).group_by(inner.c.grp)):
        yield group, "inspected", number
        yield group, "enough_times", enough


def _finished(session: Session, population: _Population) -> _Numbers:
    """Count inspections by result and methods. There are few combinations of methods, so they are grouped by them."""
    done = cast(InspectionResult.methods, String)
    final = InspectionResult.final_coverage["percent"].as_integer()
    percent = func.coalesce(final, InspectionResult.coverage["percent"].as_integer())
    is_provisional = done.contains('"rf"') & (Inspection.listening > 0)
    provisional = func.sum(case((is_provisional, 1), else_=0))
    first = InspectionResult.__table__.alias("first")
    earlier = select(first.c.id).where(first.c.inspection_id == Inspection.id, first.c.id < InspectionResult.id)
    corrected = func.sum(case((earlier.exists(), 1), else_=0))
    columns = (population.key, InspectionResult.result, done)
    sums = (func.count(), func.count(percent), func.coalesce(func.sum(percent), 0), corrected, provisional)
    query = select(*columns, *sums)
    query = population.inspected(query.select_from(Inspection).join(InspectionResult, _is_current()))
    for group, result, methods, number, covered, coverage_sum, corrected_count, provisional_count in session.execute(
        query.group_by(*columns)
    ):
        yield group, "provisional", provisional_count
        yield group, "inspections", number
        yield group, result, number
        yield group, "corrected", corrected_count
        yield group, "covered", covered
        yield group, "coverage_sum", coverage_sum
        for method in METHODS:
            if f'"{method}"' in methods:
                yield group, method, number


def _reopened(session: Session, population: _Population) -> _Numbers:
    """Move the inspections whose "none found" does not stand from that column to their own."""
    query = population.inspected(select(population.key, func.count(Inspection.id)).select_from(Inspection))
    query = query.where(Inspection.result == NONE_FOUND, Inspection.unsettled > 0)
    for group, number in session.execute(query.group_by(population.key)):
        yield group, NONE_FOUND, -number
        yield group, REOPENED, number


def _findings(session: Session, population: _Population) -> _Numbers:
    judged = select(Disposition.id).where(Disposition.finding_id == Finding.id, Disposition.automatic.is_(False))
    listed = case((Finding.known_emitter_id.is_not(None) & ~judged.exists(), 1), else_=0)
    was_alarm = case((Finding.alarmed_s.is_not(None), 1), else_=0)
    columns = (population.key, Finding.disposition, listed, was_alarm)
    query = select(*columns, func.count(Finding.id)).select_from(Finding)
    query = population.of(query.join(Restroom, Restroom.id == Finding.restroom_id))
    query = query.where(happened_between(population.span.since_s, population.span.until_s))
    query = query.where(Finding.alarmed_s.is_not(None) | Finding.detector.not_in(GAPS))
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
