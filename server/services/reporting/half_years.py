"""
Reports for facility managers, districts and the ministry: what was inspected in half a year, how, and what came of it.

    span = half_year(2026, 2, zone)
    report = report_of(session, user, span, Scope(organisation=...))     # .total and .rows, all Counts

Everything is counted by the database in a handful of queries, however many rows there are.
(services/reports.py is something else: what sensors report.)
"""

from collections import namedtuple
from datetime import UTC, datetime
from zoneinfo import ZoneInfo

from sqlalchemy import String, case, cast, func, select
from sqlalchemy.orm import Session

from ansim.finding import ALARM_SCORE
from server import clock
from server.models.findings import DISPOSITIONS, Disposition, Finding
from server.models.inspections import NOT_COMPLETED, RESULTS, Inspection, InspectionResult
from server.models.places import METHODS, Facility, Organisation, Restroom
from server.services.errors import NotFound
from server.services.people import access

LEGAL_TIMES = 2  # a year, Public Toilets Act art. 12(1); so once in half a year

# year, half  half 0 is the whole year
# since_s, until_s  from the first moment to the first moment after it
Span = namedtuple("Span", ("year", "half", "since_s", "until_s"))

# What a report is about: one of these, or nothing for all the places a person may see.
Scope = namedtuple("Scope", ("organisation", "facility", "restroom"), defaults=(None, None, None))

_NUMBERS = (
    *("restrooms", "inspected", "enough_times", "overdue", "inspections", *RESULTS, *METHODS),
    *("corrected", "covered", "coverage_sum", "alarms", "open", "listed", *(f"as_{kind}" for kind in DISPOSITIONS)),
)


class Counts(namedtuple("Counts", ("what", *_NUMBERS))):
    """
    what          the Organisation, Facility or Restroom this is about; None for the total
    restrooms     that are in use now
    inspected     of them, inspected in the time: at least one inspection that was completed
    enough_times  of them, as often as the law asks for in that time
    overdue       of them, overdue now, by their plans
    inspections   finished in the time; none_found, not_completed, referred: by the result that counts
    eye, rf, lens inspections in which this was done
    corrected     inspections whose result was corrected
    covered       inspections with an RF coverage, coverage_sum their percentages added up
    alarms        findings that reached the alarm score; open: not judged yet; listed: known devices, closed by the list
    as_...        judged so by a person: as_false, as_neighbour, as_known_emitter, as_unresolved, as_referred
    """

    @property
    def judged(self) -> int:
        """Alarms that a person has decided about."""
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
        """Restrooms without an inspection in the time."""
        return self.restrooms - self.inspected


# by     what the rows are: "organisation", "facility" or "restroom"
# rows   Counts, by name
Report = namedtuple("Report", ("span", "scope", "made_s", "by", "total", "rows"))


def half_year(year: int, half: int, zone: ZoneInfo) -> Span:
    """The first (1) or second (2) half of a year, or all of it (0), in the site's time zone."""
    start = datetime(year, 7 if half == 2 else 1, 1, tzinfo=zone)
    end = datetime(year, 7, 1, tzinfo=zone) if half == 1 else datetime(year + 1, 1, 1, tzinfo=zone)
    return Span(year, half, int(start.timestamp()), int(end.timestamp()))


def current_half(zone: ZoneInfo) -> tuple[int, int]:
    """(year, half) of today."""
    today = datetime.fromtimestamp(clock.now_s(), UTC).astimezone(zone)
    return today.year, 1 if today.month < 7 else 2


def organisations(session: Session, user) -> list[Organisation]:
    """The organisations that a person may have a report of, by name."""
    wanted = select(Organisation).order_by(Organisation.name, Organisation.id)
    if not _sees_everything(user):
        mine = access.within(select(Facility.organisation_id), user, Facility.id)
        wanted = wanted.where(Organisation.id.in_(mine))
    return list(session.scalars(wanted))


def _sees_everything(user):
    return user is None or getattr(user, "everywhere", False)


def find(session: Session, user, public_id: str) -> Scope:
    """What a public id names, as a Scope; "" is everything. Raises NotFound, also for somebody else's place."""
    if not public_id:
        return Scope()
    for name, table, facility_id in (
        ("organisation", Organisation, Facility.id),
        ("facility", Facility, Facility.id),
        ("restroom", Restroom, Restroom.facility_id),
    ):
        wanted = select(table).where(table.public_id == public_id)
        if table is Organisation:
            mine = access.within(select(Facility.organisation_id), user, facility_id)
            wanted = (
                wanted.where(Organisation.id.in_(mine)) if not getattr(user, "everywhere", user is None) else wanted
            )
        else:
            wanted = access.within(wanted, user, facility_id)
        found = session.scalar(wanted)
        if found is not None:
            return Scope(**{name: found})
    raise NotFound("place")


def report_of(session: Session, user, span: Span, scope: Scope) -> Report:
    """
    Count. The rows are organisations for everything, facilities for an organisation, restrooms for a facility;
    for one restroom there is one row.
    """
    by, key = _grouping(scope)
    table = {}
    for numbers in (
        _restrooms(session, user, scope, key),
        _visited(session, user, scope, key, span),
        _finished(session, user, scope, key, span),
        _findings(session, user, scope, key, span),
    ):
        for group, name, number in numbers:
            row = table.setdefault(group, dict.fromkeys(_NUMBERS, 0))
            row[name] += number
    total = {name: sum(row[name] for row in table.values()) for name in _NUMBERS}
    places = _places(session, by, table)
    rows = [Counts(places[group], **row) for group, row in table.items() if group in places]
    rows.sort(key=lambda row: (row.what.name, row.what.id))
    return Report(span, scope, clock.now_s(), by, Counts(None, **total), rows)


def _grouping(scope):
    if scope.restroom or scope.facility:
        return "restroom", Restroom.id
    return ("facility", Restroom.facility_id) if scope.organisation else ("organisation", Facility.organisation_id)


def _within(wanted, user, scope):
    """Limit a query that has Restroom and Facility joined."""
    if scope.restroom:
        wanted = wanted.where(Restroom.id == scope.restroom.id)
    elif scope.facility:
        wanted = wanted.where(Restroom.facility_id == scope.facility.id)
    elif scope.organisation:
        wanted = wanted.where(Facility.organisation_id == scope.organisation.id)
    return access.within(wanted, user, Restroom.facility_id)


def _restrooms(session, user, scope, key):
    late = func.sum(case((Restroom.due_s <= clock.now_s(), 1), else_=0))
    wanted = select(key, func.count(Restroom.id), late).join(Facility, Facility.id == Restroom.facility_id)
    wanted = _within(wanted.where(Restroom.retired_s.is_(None)), user, scope)
    for group, number, overdue in session.execute(wanted.group_by(key)):
        yield group, "restrooms", number
        yield group, "overdue", overdue


def _in_time(wanted, span):
    wanted = wanted.join(Restroom, Restroom.id == Inspection.restroom_id)
    wanted = wanted.join(Facility, Facility.id == Restroom.facility_id)
    return wanted.where(Inspection.finished_s >= span.since_s, Inspection.finished_s < span.until_s)


def _newest():
    """The result that counts: no later one of the same inspection."""
    later = InspectionResult.__table__.alias("later")
    newest = select(func.max(later.c.id)).where(later.c.inspection_id == Inspection.id).scalar_subquery()
    return InspectionResult.id == newest


def _visited(session, user, scope, key, span):
    """How many restrooms were inspected at all, and often enough."""
    done = cast(InspectionResult.methods, String)
    inner = select(key.label("grp"), func.count(Inspection.id).label("times")).select_from(Inspection)
    inner = _in_time(inner.join(InspectionResult, _newest()), span).where(
        done != "[]", InspectionResult.result != NOT_COMPLETED
    )
    inner = _within(inner.where(Restroom.retired_s.is_(None)), user, scope)
    inner = inner.group_by(Restroom.id, key).subquery()
    needed = LEGAL_TIMES if span.half == 0 else LEGAL_TIMES // 2
    often = func.sum(case((inner.c.times >= needed, 1), else_=0))
    for group, number, enough in session.execute(select(inner.c.grp, func.count(), often).group_by(inner.c.grp)):
        yield group, "inspected", number
        yield group, "enough_times", enough


def _finished(session, user, scope, key, span):
    """Inspections by result and by what was done. There are few combinations of methods, so they group well."""
    done = cast(InspectionResult.methods, String)
    percent = InspectionResult.coverage["percent"].as_integer()
    first = InspectionResult.__table__.alias("first")
    earlier = select(first.c.id).where(first.c.inspection_id == Inspection.id, first.c.id < InspectionResult.id)
    corrected = func.sum(case((earlier.exists(), 1), else_=0))
    columns = (key, InspectionResult.result, done)
    wanted = select(*columns, func.count(), func.count(percent), func.coalesce(func.sum(percent), 0), corrected)
    wanted = _in_time(wanted.select_from(Inspection).join(InspectionResult, _newest()), span)
    for group, result, methods, number, covered, added, mended in session.execute(
        _within(wanted, user, scope).group_by(*columns)
    ):
        yield group, "inspections", number
        yield group, result, number
        yield group, "corrected", mended
        yield group, "covered", covered
        yield group, "coverage_sum", added
        for method in METHODS:
            if f'"{method}"' in methods:
                yield group, method, number


def _findings(session, user, scope, key, span):
    judged = select(Disposition.id).where(Disposition.finding_id == Finding.id, Disposition.by_id.is_not(None))
    listed = case((Finding.known_emitter_id.is_not(None) & ~judged.exists(), 1), else_=0)
    columns = (key, Finding.disposition, listed)
    wanted = select(*columns, func.count(Finding.id)).join(Restroom, Restroom.id == Finding.restroom_id)
    wanted = wanted.join(Facility, Facility.id == Restroom.facility_id)
    wanted = wanted.where(Finding.created_s >= span.since_s, Finding.created_s < span.until_s)
    wanted = _within(wanted.where(Finding.score_max >= ALARM_SCORE), user, scope)
    for group, disposition, by_list, number in session.execute(wanted.group_by(*columns)):
        yield group, "alarms", number
        kind = "listed" if by_list else f"as_{disposition}" if disposition in DISPOSITIONS else "open"
        yield group, kind, number


def _places(session, by, table):
    """{row number: place} of a report's rows."""
    model = {"organisation": Organisation, "facility": Facility, "restroom": Restroom}[by]
    found, numbers = {}, sorted(table)
    for start in range(0, len(numbers), 900):
        for one in session.scalars(select(model).where(model.id.in_(numbers[start : start + 900]))):
            found[one.id] = one
    return found
