"""
Inspection plans: the interval of each method, and which restrooms are due.

    intervals = due_dates.Intervals(session)                 # reads all policies once
    due_dates.refresh(session, [restroom.id], intervals)     # after an inspection, a new policy, a placed sensor

`Restroom.due_s` and `due_method` are derived from the policies and the newest inspections, so that an index answers
lists and counts. Code that changes either of them calls refresh().
"""

from collections import defaultdict
from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.models.inspections import NOT_COMPLETED, Inspection, InspectionResult
from server.models.intake import Selftest
from server.models.places import EYE, LENS, PLANNED, RF, SELFTEST, Facility, Organisation, Policy, Restroom
from server.models.sensors import Sensor
from server.services import paging
from server.services.audit import log
from server.services.errors import Refused
from server.services.people import access
from server.services.places import calendar_rules

# The law requires two inspections a year (Public Toilets Act, article 12(1)); from 2027-02-12 also of malfunctions
# and false alarms of installed detection systems, which the self-test of fixed sensors covers.
# An interval of up to LEGAL_DAYS also ends with the calendar's half-year: 183 days after 30 December is 1 July, and
# the first half would have passed without an inspection.
LEGAL_DAYS = 183
MOST_DAYS = 3650
DAY_S = 86400
WEEK_S = 7 * DAY_S
MINUTES_A_RESTROOM = 30  # as observed by newspapers; for estimates of work only
CHUNK = 500
GOLDEN_RATIO = 0.618034  # its multiples, modulo 1, spread evenly however many there are
DONE_COLUMNS = {EYE: "eye_done_s", RF: "rf_done_s", LENS: "lens_done_s", SELFTEST: "selftest_done_s"}


class Interval(NamedTuple):
    """How often a method is due: every `days` days (0: not required), or by one of calendar_rules.RULES."""

    days: int
    rule: str = ""

    @property
    def is_required(self) -> bool:
        return bool(self.days or self.rule)


class Due(NamedTuple):
    """One method of one restroom. due_s None: not required here. done_s None: never done."""

    method: str
    interval: Interval
    done_s: int | None
    due_s: int | None
    overdue: bool


class NeverInspected(NamedTuple):
    """What decides when the first inspection of a restroom is due; see due_s()."""

    source_id: int | None
    facility_id: int
    created_s: int


class Week(NamedTuple):
    """The work of one week. start_s None: already overdue."""

    start_s: int | None
    restrooms: int
    minutes: int


class Setting(NamedTuple):
    """The interval set at one scope; None: none is set. inherited: the one of the wider scope."""

    method: str
    own: Interval | None
    inherited: Interval


class Intervals:
    """The policies as they count now, or counted at a time in the past."""

    def __init__(self, session: Session, before_s: int | None = None):
        self._intervals: dict[tuple, Interval | None] = {}
        query = select(Policy).order_by(Policy.id)
        if before_s is not None:
            query = query.where(Policy.set_s < before_s)
        for row in session.scalars(query):
            interval = Interval(row.days or 0, row.rule) if row.days is not None or row.rule else None
            self._intervals[_scope(row.organisation_id, row.facility_id, row.restroom_id), row.method] = interval

    def of(
        self, organisation_id: int | None = None, facility_id: int | None = None, restroom_id: int | None = None
    ) -> dict[str, Interval]:
        """Return the interval of each method; the narrowest scope with one decides."""
        scopes = [
            scope
            for scope in (("restroom", restroom_id), ("facility", facility_id), ("organisation", organisation_id))
            if scope[1] is not None
        ]
        intervals = {}
        for method in PLANNED:
            candidates = (self._intervals.get((scope, method)) for scope in (*scopes, ("all", None)))
            intervals[method] = next((own for own in candidates if own is not None), Interval(LEGAL_DAYS))
        return intervals

    def at(
        self, organisation_id: int | None = None, facility_id: int | None = None, restroom_id: int | None = None
    ) -> list[Setting]:
        """Return what is set at exactly this scope, and what it inherits."""
        scope = _scope(organisation_id, facility_id, restroom_id)
        inherited = self.of(*_wider_scope(organisation_id, facility_id, restroom_id))
        return [Setting(method, self._intervals.get((scope, method)), inherited[method]) for method in PLANNED]

    def first_due(
        self, organisation_id: int | None, facility_id: int, now_s: int
    ) -> tuple[int, str] | tuple[None, None]:
        """Return (due_s, method) of a restroom that is imported now; (None, None) if nothing is required."""
        dues = [
            (_first_due_s(interval, now_s, facility_id), method)
            for method, interval in self.of(organisation_id).items()
            if interval.is_required and method != SELFTEST
        ]
        return min(dues, key=lambda due: due[0], default=(None, None))


def _scope(organisation_id, facility_id, restroom_id):
    if restroom_id is not None:
        return "restroom", restroom_id
    if facility_id is not None:
        return "facility", facility_id
    return ("organisation", organisation_id) if organisation_id is not None else ("all", None)


def _wider_scope(organisation_id, facility_id, restroom_id):
    """Return the next wider scope; "all" is its own."""
    if restroom_id is not None:
        return organisation_id, facility_id, None
    if facility_id is not None:
        return organisation_id, None, None
    return None, None, None


def set_policy(
    session: Session,
    user,
    method: str,
    days: int | None,
    organisation: Organisation | None = None,
    facility: Facility | None = None,
    restroom: Restroom | None = None,
    rule: str = "",
) -> Policy:
    """
    Set the interval of a method for one organisation, facility or restroom, or (none of them given) for everything.

    days  0: not required; None: a calendar rule holds or, without one, nothing is set at this scope any more
    rule  one of calendar_rules.RULES, or ""

    The restrooms concerned are refreshed. Raises Refused: interval_bad.
    """
    if method not in PLANNED:
        raise ValueError(f"{method!r} is none of {', '.join(PLANNED)}")
    if rule and (rule not in calendar_rules.RULES or days is not None):
        raise ValueError(
            f"{rule!r} is none of {', '.join(calendar_rules.RULES)}, or there is an interval in days beside it"
        )
    if days is not None and not 0 <= days <= MOST_DAYS:
        raise Refused("interval_bad", most=MOST_DAYS)
    policy = Policy(
        organisation_id=organisation.id if organisation else None,
        facility_id=facility.id if facility else None,
        restroom_id=restroom.id if restroom else None,
        method=method,
        days=days,
        rule=rule,
        set_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(policy)
    session.flush()
    query = select(Restroom.id).where(Restroom.retired_s.is_(None))
    if restroom is not None:
        query = query.where(Restroom.id == restroom.id)
    elif facility is not None:
        query = query.where(Restroom.facility_id == facility.id)
    elif organisation is not None:
        query = query.join(Facility).where(Facility.organisation_id == organisation.id)
    # The inspections have not changed, so that the times of the newest ones stay.
    _set_due(session, session.scalars(query).all(), Intervals(session))
    scope = restroom or facility or organisation
    body = {"method": method, "days": days, "rule": rule}
    log.add(session, "plan.set", scope.public_id if scope else "all", body, user)
    return policy


def refresh(session: Session, restroom_ids: Iterable[int], intervals: Intervals | None = None) -> None:
    """Derive again when each method was last done in these restrooms, and what is due."""
    restroom_ids = list(restroom_ids)
    for start in range(0, len(restroom_ids), CHUNK):
        chunk = restroom_ids[start : start + CHUNK]
        done = _load_done(session, chunk)
        for restroom in session.scalars(select(Restroom).where(Restroom.id.in_(chunk))):
            for method in (EYE, RF, LENS):
                setattr(restroom, DONE_COLUMNS[method], done.get((restroom.id, method)))
    session.flush()
    _set_due(session, restroom_ids, intervals or Intervals(session))


def list_methods(restroom: Restroom, intervals: Intervals, has_sensor: bool, now_s: int) -> list[Due]:
    """Return the state of every method in one restroom; its facility must be loaded."""
    of_methods = intervals.of(restroom.facility.organisation_id, restroom.facility_id, restroom.id)
    return [
        Due(method, interval, getattr(restroom, DONE_COLUMNS[method]), due_s, due_s is not None and due_s <= now_s)
        for method, interval, due_s in _dues(restroom, of_methods, has_sensor)
    ]


def list_due(
    session: Session,
    user,
    now_s: int,
    *,
    within_s: int = 0,
    block: str = "",
    cursor: str | None = None,
    limit: int = 50,
) -> paging.Page[Restroom]:
    """
    Return restrooms that are due before now_s + within_s, longest due first, with facility and organisation.

    Raises BadCursor.
    """
    query = _filter_due(select(Restroom), user, now_s + within_s, block)
    cursor_id = paging.decode(cursor)
    if cursor_id is not None:
        row = access.within(select(Restroom.due_s).where(Restroom.id == cursor_id), user, Restroom.facility_id)
        position = session.execute(row).one_or_none()
        if position is None:
            raise paging.BadCursor("cursor")
        due_s = position[0]
        if due_s is not None:  # else it has been inspected meanwhile: the list begins again
            query = query.where((Restroom.due_s > due_s) | ((Restroom.due_s == due_s) & (Restroom.id > cursor_id)))
            query = query.where(Restroom.due_s >= due_s)  # tells the database where in the index to begin
    query = query.options(joinedload(Restroom.facility).joinedload(Facility.organisation))
    return paging.cut(session.scalars(query.order_by(Restroom.due_s, Restroom.id).limit(limit + 1)).all(), limit)


def count_due(session: Session, user, now_s: int, *, within_s: int = 0, block: str = "") -> int:
    """Return how many restrooms list_due() has on all pages together."""
    return session.scalar(_filter_due(select(func.count(Restroom.id)), user, now_s + within_s, block)) or 0


def is_due(at_s: int) -> ColumnElement[bool]:
    """Return the condition that a restroom is overdue at a time. Lists, maps, routes, reminders and reports use it."""
    return Restroom.due_s <= at_s


def _filter_due(query: Select, user, before_s: int, block: str) -> Select:
    query = access.within(query, user, Restroom.facility_id).where(is_due(before_s))
    return query.where(Restroom.block == block) if block else query


def list_fixed_sensors(session: Session, restroom: Restroom) -> list[Sensor]:
    """Return the sensors that are fixed in a restroom."""
    query = select(Sensor).where(Sensor.restroom_id == restroom.id, Sensor.revoked_s.is_(None))
    return list(session.scalars(query.order_by(Sensor.name)))


def list_workload(session: Session, user, now_s: int, weeks: int = 8) -> list[Week]:
    """Return what is overdue already, as the first row, and what becomes due in each of the coming weeks."""
    overdue = count_due(session, user, now_s)
    rows = [Week(None, overdue, overdue * MINUTES_A_RESTROOM)]
    week = (Restroom.due_s - now_s) // WEEK_S
    query = access.within(select(week.label("week"), func.count(Restroom.id)), user, Restroom.facility_id)
    query = query.where(Restroom.due_s > now_s, Restroom.due_s < now_s + weeks * WEEK_S).group_by("week")
    counts = {int(number): count for number, count in session.execute(query)}
    for number in range(weeks):
        count = counts.get(number, 0)
        rows.append(Week(now_s + number * WEEK_S, count, count * MINUTES_A_RESTROOM))
    return rows


def refresh_selftests(session: Session) -> None:
    """Take over the newest passed self-tests of fixed sensors; ingest stores them without touching the restrooms."""
    query = select(Sensor.restroom_id, Sensor.id, func.max(func.coalesce(Selftest.at_s, Selftest.received_s)))
    query = query.outerjoin(Selftest, (Selftest.sensor_id == Sensor.id) & Selftest.passed)
    query = query.where(Sensor.restroom_id.is_not(None), Sensor.revoked_s.is_(None))
    newest = defaultdict(list)
    for restroom_id, _, at_s in session.execute(query.group_by(Sensor.restroom_id, Sensor.id)):
        newest[restroom_id].append(at_s)
    tested = set(session.scalars(select(Restroom.id).where(Restroom.selftest_done_s.is_not(None))))
    restroom_ids = tested | set(newest)
    for restroom_id in restroom_ids:
        times = newest.get(restroom_id, [None])
        # The sensor that has been without one for longest decides.
        restroom = session.get_one(Restroom, restroom_id)
        restroom.selftest_done_s = None if None in times else min(times)
    session.flush()
    _set_due(session, restroom_ids, Intervals(session))


def _set_due(session, restroom_ids, intervals):
    restroom_ids = list(restroom_ids)
    for start in range(0, len(restroom_ids), CHUNK):
        chunk = restroom_ids[start : start + CHUNK]
        query = select(Sensor.restroom_id).where(Sensor.restroom_id.in_(chunk), Sensor.revoked_s.is_(None))
        with_sensor = set(session.scalars(query))
        restrooms = select(Restroom).where(Restroom.id.in_(chunk)).options(joinedload(Restroom.facility))
        for restroom in session.scalars(restrooms):
            of_methods = intervals.of(restroom.facility.organisation_id, restroom.facility_id, restroom.id)
            dues = _dues(restroom, of_methods, restroom.id in with_sensor)
            due = [(due_s, method) for method, _, due_s in dues if due_s is not None]
            first = min(due, key=lambda pair: pair[0], default=(None, None))
            restroom.due_s, restroom.due_method = first if restroom.retired_s is None else (None, None)
        session.flush()


def _dues(restroom, of_methods, has_sensor):
    """Yield (method, Interval, due_s or None)."""
    for method in PLANNED:
        interval = of_methods[method] if method != SELFTEST or has_sensor else Interval(0)
        done_s = getattr(restroom, DONE_COLUMNS[method])
        yield method, interval, due_s(interval, done_s, restroom) if interval.is_required else None


def due_s(interval: Interval, done_s: int | None, restroom: Restroom | NeverInspected) -> int:
    """
    Return from when on a method that is required is overdue, given when it was last done (None: never).

    A restroom that was added by hand is due at once. Imported ones are spread over the time in which the first
    inspection is due.
    """
    if done_s is not None:
        return _limit_s(interval, done_s, calendar_rules.next_s)
    if restroom.source_id is None:
        return restroom.created_s
    return _first_due_s(interval, restroom.created_s, restroom.facility_id)


def _limit_s(interval, from_s, next_s):
    """Return the earlier of the interval's end and the deadline. next_s: calendar_rules.next_s or first_s."""
    if interval.rule:
        return next_s(interval.rule, from_s)
    end_s = from_s + interval.days * DAY_S
    return min(end_s, next_s(calendar_rules.HALF_YEARLY, from_s)) if interval.days <= LEGAL_DAYS else end_s


def _first_due_s(interval, created_s, facility_id):
    """Return the due time of an imported restroom that was never inspected; the rooms of a building share it."""
    limit_s = _limit_s(interval, created_s, calendar_rules.first_s)
    return created_s + int((limit_s - created_s) * (facility_id * GOLDEN_RATIO % 1))


def _load_done(session, restroom_ids):
    """Return {(restroom id, method): when it was last done, in an inspection that was completed}."""
    newest = select(InspectionResult.inspection_id, func.max(InspectionResult.id).label("id"))
    newest = newest.join(Inspection).where(Inspection.restroom_id.in_(restroom_ids))
    newest = newest.group_by(InspectionResult.inspection_id).subquery()
    query = select(Inspection.restroom_id, Inspection.finished_s, InspectionResult.methods)
    query = query.join(newest, newest.c.inspection_id == Inspection.id)
    query = query.join(InspectionResult, InspectionResult.id == newest.c.id)
    query = query.where(InspectionResult.result != NOT_COMPLETED).order_by(Inspection.finished_s)
    done = {}
    for restroom_id, finished_s, methods in session.execute(query):
        done.update({(restroom_id, method): finished_s for method in methods})
    return done
