"""
Deadlines by the calendar: the days by which an inspection is due.

    calendar_rules.next_s(calendar_rules.HALF_YEARLY, done_s)  # the end of the half-year after the one it was done in

An inspection counts for one deadline, and the next one is due. A deadline's day is the last on which the inspection
is in time: the time returned is the midnight that ends it, in the site's time zone.
"""

from datetime import date, datetime, timedelta
from functools import lru_cache
from typing import NamedTuple
from zoneinfo import ZoneInfo

from dateutil import rrule

from server import clock

MONTHLY, QUARTERLY, HALF_YEARLY, SCHOOL_TERM = RULES = ("monthly", "quarterly", "half_yearly", "school_term")


class _Rule(NamedTuple):
    """
    recurrences  when the deadlines' days are (RFC 5545)
    lead_days    an inspection counts for a deadline if it is done at most so long before; None: since the one before
    """

    recurrences: tuple[dict, ...]
    lead_days: int | None


_LAST = {"freq": rrule.YEARLY, "bymonthday": -1}
_RULES = {
    MONTHLY: _Rule(({"freq": rrule.MONTHLY, "bymonthday": -1},), None),
    QUARTERLY: _Rule(({**_LAST, "bymonth": (3, 6, 9, 12)},), None),
    # Public Toilets Act, article 12(1): at least twice a year. A report counts the half-years of the calendar.
    HALF_YEARLY: _Rule(({**_LAST, "bymonth": (6, 12)},), None),
    # The first term begins on 1 March, the second in the second half of August (Enforcement Decree of the Elementary
    # and Secondary Education Act, article 44). An inspection in the holidays before it counts.
    SCHOOL_TERM: _Rule(({**_LAST, "bymonth": 2}, {"freq": rrule.YEARLY, "bymonth": 8, "bymonthday": 15}), 45),
}


def next_s(rule: str, done_s: int) -> int:
    """Return when the next inspection is due after one that was done then. rule: one of RULES."""
    return _next_s(rule, clock.local(done_s).date(), clock.zone())


def first_s(rule: str, since_s: int) -> int:
    """Return when the first inspection is due in a restroom that is in use since then."""
    return _end_s(_first_from(rule, clock.local(since_s).date()), clock.zone())


@lru_cache(maxsize=4096)
def _next_s(rule: str, day: date, zone: ZoneInfo) -> int:
    deadline, lead_days = _first_from(rule, day), _RULES[rule].lead_days
    if lead_days is None or day >= deadline - timedelta(days=lead_days):
        deadline = _first_from(rule, deadline + timedelta(days=1))
    return _end_s(deadline, zone)


@lru_cache(maxsize=4096)
def _first_from(rule: str, day: date) -> date:
    """Return the first deadline on this day or after it."""
    midnight = datetime(day.year, day.month, day.day)
    days = rrule.rruleset()
    for recurrence in _RULES[rule].recurrences:
        days.rrule(rrule.rrule(dtstart=midnight, **recurrence))
    deadline = days.after(midnight, inc=True)
    assert deadline is not None  # the rules have no end
    return deadline.date()


def _end_s(day: date, zone: ZoneInfo) -> int:
    following = day + timedelta(days=1)
    return int(datetime(following.year, following.month, following.day, tzinfo=zone).timestamp())
