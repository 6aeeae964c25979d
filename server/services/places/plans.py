"""
How often what has to be inspected, and what is due.

    intervals = plans.Intervals(session)             # the policies, once
    plans.refresh(session, [room.id], intervals)     # after an inspection, a new policy, a placed sensor

`Restroom.due_s` and `due_method` repeat what follows from the policies and the newest inspections, so that lists
and counts are answered by an index. Whatever changes one of these calls refresh().
"""

from collections import defaultdict, namedtuple

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.models.inspections import NOT_COMPLETED, Inspection, InspectionResult
from server.models.intake import Selftest
from server.models.places import EYE, LENS, PLANNED, RF, SELFTEST, Facility, Policy, Restroom
from server.models.sensors import Sensor
from server.services.audit import log
from server.services.errors import Refused
from server.services.people import access

# The law asks for two inspections a year (Public Toilets Act, article 12(1)); from 2027-02-12 also for malfunctions
# and false alarms of installed detection systems, which the self-test of fixed sensors answers.
LEGAL_DAYS = 183
MOST_DAYS = 3650
DAY_S = 86400
WEEK_S = 7 * DAY_S
MINUTES_A_RESTROOM = 30  # as newspapers watched it; for estimates of work only
CHUNK = 500
DONE_COLUMNS = {EYE: "eye_done_s", RF: "rf_done_s", LENS: "lens_done_s", SELFTEST: "selftest_done_s"}

# One method of one restroom. due_s None: not asked for here. done_s None: never.
Due = namedtuple("Due", ("method", "days", "done_s", "due_s", "overdue"))
# One week of work. start_s None: overdue already.
Week = namedtuple("Week", ("start_s", "restrooms", "minutes"))
# One line of a policy page. days None: nothing said at this scope; from_days: what holds then.
Said = namedtuple("Said", ("method", "days", "from_days"))


class Intervals:
    """The policies as they count now; asked for a restroom, answers {method: days}, 0 for "not asked for"."""

    def __init__(self, session: Session):
        self._said = {}
        for row in session.scalars(select(Policy).order_by(Policy.id)):
            self._said[_scope(row.organisation_id, row.facility_id, row.restroom_id), row.method] = row.days

    def of(self, organisation_id=None, facility_id=None, restroom_id=None) -> dict:
        """{method: days} where these apply; the narrowest scope that says something decides."""
        scopes = [
            ("restroom", restroom_id),
            ("facility", facility_id),
            ("organisation", organisation_id),
            ("all", None),
        ]
        found = {}
        for method in PLANNED:
            said = (self._said.get((scope, method)) for scope in scopes if scope[1] is not None or scope[0] == "all")
            found[method] = next((days for days in said if days is not None), LEGAL_DAYS)
        return found

    def at(self, organisation_id=None, facility_id=None, restroom_id=None) -> list[Said]:
        """What exactly this scope says, and what holds where it says nothing."""
        scope = _scope(organisation_id, facility_id, restroom_id)
        above = self.of(*_above(organisation_id, facility_id, restroom_id))
        return [Said(method, self._said.get((scope, method)), above[method]) for method in PLANNED]

    def first_due(self, organisation_id, now_s: int):
        """(due_s, method) of a restroom that was added now: at once, unless nothing is asked for."""
        asked = self.of(organisation_id)
        method = next((method for method in (EYE, RF, LENS) if asked[method]), None)
        return (now_s, method) if method else (None, None)


def _scope(organisation_id, facility_id, restroom_id):
    if restroom_id is not None:
        return "restroom", restroom_id
    if facility_id is not None:
        return "facility", facility_id
    return ("organisation", organisation_id) if organisation_id is not None else ("all", None)


def _above(organisation_id, facility_id, restroom_id):
    """The next wider scope; for "all" a scope that nobody speaks for, so that the law's interval shows."""
    if restroom_id is not None:
        return organisation_id, facility_id, None
    if facility_id is not None:
        return organisation_id, None, None
    return None, None, None


def set_policy(session: Session, user, method: str, days: int | None, organisation=None, facility=None, room=None):
    """
    Say how often; days 0 for "not asked for", None for "nothing said here any more". Refreshes what it concerns.

    The scope is the one thing given, or everything. Raises Refused: interval_bad.
    """
    if method not in PLANNED:
        raise ValueError(f"{method!r} is none of {', '.join(PLANNED)}")
    if days is not None and not 0 <= days <= MOST_DAYS:
        raise Refused("interval_bad", most=MOST_DAYS)
    added = Policy(
        organisation_id=organisation.id if organisation else None,
        facility_id=facility.id if facility else None,
        restroom_id=room.id if room else None,
        method=method,
        days=days,
        set_s=clock.now_s(),
        by_id=user.id if user else None,
    )
    session.add(added)
    session.flush()
    concerned = select(Restroom.id).where(Restroom.retired_s.is_(None))
    if room is not None:
        concerned = concerned.where(Restroom.id == room.id)
    elif facility is not None:
        concerned = concerned.where(Restroom.facility_id == facility.id)
    elif organisation is not None:
        concerned = concerned.join(Facility).where(Facility.organisation_id == organisation.id)
    # The inspections have not changed, so what was done need not be looked up again.
    _set_due(session, session.scalars(concerned).all(), Intervals(session))
    scope = room or facility or organisation
    log.add(session, "plan.set", scope.public_id if scope else "all", {"method": method, "days": days}, user)
    return added


def refresh(session: Session, room_ids, intervals: Intervals | None = None) -> None:
    """Work out again what was done in these restrooms and what is due."""
    room_ids = list(room_ids)
    for start in range(0, len(room_ids), CHUNK):
        chunk = room_ids[start : start + CHUNK]
        done = _done(session, chunk)
        for room in session.scalars(select(Restroom).where(Restroom.id.in_(chunk))):
            for method in (EYE, RF, LENS):
                setattr(room, DONE_COLUMNS[method], done.get((room.id, method)))
    session.flush()
    _set_due(session, room_ids, intervals or Intervals(session))


def due_of(room: Restroom, intervals: Intervals, has_sensor: bool, now_s: int) -> list[Due]:
    """Every method's state in one restroom; its facility must be loaded."""
    asked = intervals.of(room.facility.organisation_id, room.facility_id, room.id)
    return [
        Due(method, days, getattr(room, DONE_COLUMNS[method]), due_s, due_s is not None and due_s <= now_s)
        for method, days, due_s in _dues(room, asked, has_sensor)
    ]


def overdue(session: Session, user, now_s: int, within_s: int = 0, after=None, limit: int = 50, block=None):
    """
    Restrooms that are due before now_s + within_s, longest due first, their facilities loaded.

    after  (due_s, id) of the last row of the page before
    """
    wanted = _due_before(select(Restroom), user, now_s + within_s, block)
    if after is not None:
        wanted = wanted.where((Restroom.due_s > after[0]) | ((Restroom.due_s == after[0]) & (Restroom.id > after[1])))
        wanted = wanted.where(Restroom.due_s >= after[0])  # says to the database where in the index to begin
    wanted = wanted.options(joinedload(Restroom.facility).joinedload(Facility.organisation))
    return list(session.scalars(wanted.order_by(Restroom.due_s, Restroom.id).limit(limit)))


def count_overdue(session: Session, user, now_s: int, within_s: int = 0, block=None) -> int:
    """How many restrooms overdue() would give without a limit."""
    return session.scalar(_due_before(select(func.count(Restroom.id)), user, now_s + within_s, block))


def _due_before(query: Select, user, before_s, block) -> Select:
    query = access.within(query, user, Restroom.facility_id).where(Restroom.due_s <= before_s)
    return query.where(Restroom.block == block) if block else query


def with_sensors(session: Session, room_ids) -> set[int]:
    """Which of these restrooms have a fixed sensor."""
    placed = select(Sensor.restroom_id).where(Sensor.restroom_id.in_(list(room_ids)), Sensor.revoked_s.is_(None))
    return set(session.scalars(placed))


def fixed_sensors(session: Session, room: Restroom) -> list[Sensor]:
    """The sensors that hang in a restroom."""
    wanted = select(Sensor).where(Sensor.restroom_id == room.id, Sensor.revoked_s.is_(None))
    return list(session.scalars(wanted.order_by(Sensor.name)))


def workload(session: Session, user, now_s: int, weeks: int = 8) -> list[Week]:
    """How many restrooms become due in each of the coming weeks; the first row is what is overdue already."""
    week = (Restroom.due_s - now_s) // WEEK_S
    rows = []
    late = count_overdue(session, user, now_s)
    rows.append(Week(None, late, late * MINUTES_A_RESTROOM))
    coming = access.within(select(week.label("week"), func.count(Restroom.id)), user, Restroom.facility_id)
    coming = coming.where(Restroom.due_s > now_s, Restroom.due_s < now_s + weeks * WEEK_S).group_by("week")
    counts = {int(number): count for number, count in session.execute(coming)}
    for number in range(weeks):
        count = counts.get(number, 0)
        rows.append(Week(now_s + number * WEEK_S, count, count * MINUTES_A_RESTROOM))
    return rows


def refresh_selftests(session: Session) -> None:
    """Take over the fixed sensors' newest passed self-tests. They come through ingest, which has no time for this."""
    tests = select(Sensor.restroom_id, Sensor.id, func.max(func.coalesce(Selftest.at_s, Selftest.received_s)))
    tests = tests.outerjoin(Selftest, (Selftest.sensor_id == Sensor.id) & Selftest.passed)
    tests = tests.where(Sensor.restroom_id.is_not(None), Sensor.revoked_s.is_(None))
    newest = defaultdict(list)
    for restroom_id, _, at_s in session.execute(tests.group_by(Sensor.restroom_id, Sensor.id)):
        newest[restroom_id].append(at_s)
    had = set(session.scalars(select(Restroom.id).where(Restroom.selftest_done_s.is_not(None))))
    for restroom_id in had | set(newest):
        times = newest.get(restroom_id, [None])
        # The sensor that is longest without one decides.
        room = session.get(Restroom, restroom_id)
        room.selftest_done_s = None if None in times else min(times)
    session.flush()
    _set_due(session, had | set(newest), Intervals(session))


def _set_due(session, room_ids, intervals):
    room_ids = list(room_ids)
    for start in range(0, len(room_ids), CHUNK):
        chunk = room_ids[start : start + CHUNK]
        sensed = with_sensors(session, chunk)
        rooms = select(Restroom).where(Restroom.id.in_(chunk)).options(joinedload(Restroom.facility))
        for room in session.scalars(rooms):
            asked = intervals.of(room.facility.organisation_id, room.facility_id, room.id)
            due = [(due_s, method) for method, _, due_s in _dues(room, asked, room.id in sensed) if due_s is not None]
            first = min(due, key=lambda one: one[0], default=(None, None))
            room.due_s, room.due_method = first if room.retired_s is None else (None, None)
        session.flush()


def _dues(room, asked, has_sensor):
    for method in PLANNED:
        days = asked[method] if method != SELFTEST or has_sensor else 0
        done_s = getattr(room, DONE_COLUMNS[method])
        due_s = None
        if days:
            due_s = done_s + days * DAY_S if done_s is not None else room.created_s
        yield method, days, due_s


def _done(session, room_ids):
    """{(restroom id, method): when it was last done, in an inspection that was completed}."""
    newest = select(InspectionResult.inspection_id, func.max(InspectionResult.id).label("id"))
    newest = newest.join(Inspection).where(Inspection.restroom_id.in_(room_ids))
    newest = newest.group_by(InspectionResult.inspection_id).subquery()
    rows = select(Inspection.restroom_id, Inspection.finished_s, InspectionResult.methods)
    rows = rows.join(newest, newest.c.inspection_id == Inspection.id)
    rows = rows.join(InspectionResult, InspectionResult.id == newest.c.id)
    rows = rows.where(InspectionResult.result != NOT_COMPLETED).order_by(Inspection.finished_s)
    done = {}
    for restroom_id, finished_s, methods in session.execute(rows):
        done.update({(restroom_id, method): finished_s for method in methods})
    return done
