"""
Uses: when restrooms were in use, and under which organisation. Reports of the past count by them.

    periods_of_use.begin_again(session, [restroom], now_s)           # back into use, after it was retired
    periods_of_use.move(session, restrooms, organisation_id, now_s)  # the facility's former organisation: its use ends
    of_period = periods_of_use.between(since_s, until_s)             # for a query with Restroom and Facility joined
"""

from collections.abc import Iterable
from typing import NamedTuple

from sqlalchemy import ColumnElement, Subquery, case, func, select
from sqlalchemy.orm import Session

from server.models.places import Facility, Restroom, RestroomUse


class Uses(NamedTuple):
    """
    goes_on  the use of Restroom's own columns was in the period
    owner    row number of the organisation that had a restroom last in the period
    in_use   the restroom was in use at some time in the period
    of_past  outer-joined by its restroom_id to Restroom.id
    """

    goes_on: ColumnElement[bool]
    owner: ColumnElement[int]
    in_use: ColumnElement[bool]
    of_past: Subquery


def begin_again(session: Session, restrooms: Iterable[Restroom], now_s: int) -> None:
    """Put retired restrooms back into use; those in use stay as they are."""
    for restroom in restrooms:
        if restroom.retired_s is not None:
            _end(session, restroom, restroom.facility.organisation_id, restroom.retired_s, now_s)
            restroom.retired_s = None


def move(session: Session, restrooms: Iterable[Restroom], organisation_id: int, now_s: int) -> None:
    """End the use of restrooms whose facility moves from this organisation to another."""
    for restroom in restrooms:
        _end(session, restroom, organisation_id, now_s if restroom.retired_s is None else restroom.retired_s, now_s)


def _end(session, restroom, organisation_id, to_s, now_s):
    from_s = restroom.created_s if restroom.use_since_s is None else restroom.use_since_s
    if from_s < to_s:
        session.add(RestroomUse(restroom_id=restroom.id, organisation_id=organisation_id, from_s=from_s, to_s=to_s))
    restroom.use_since_s = now_s


def between(since_s: int, until_s: int) -> Uses:
    """Return the columns and conditions for the period [since_s, until_s)."""
    newest = func.row_number().over(partition_by=RestroomUse.restroom_id, order_by=RestroomUse.id.desc())
    past = select(RestroomUse.restroom_id, RestroomUse.organisation_id, newest.label("place"))
    past = past.where(RestroomUse.from_s < until_s, RestroomUse.to_s > since_s).subquery()
    of_past = select(past.c.restroom_id, past.c.organisation_id).where(past.c.place == 1).subquery()
    began_s = func.coalesce(Restroom.use_since_s, Restroom.created_s)
    lasts = Restroom.retired_s.is_(None) | ((Restroom.retired_s > since_s) & (Restroom.retired_s > began_s))
    goes_on = (began_s < until_s) & lasts
    in_use = goes_on | of_past.c.restroom_id.is_not(None)
    owner_then = func.coalesce(of_past.c.organisation_id, Facility.organisation_id)
    owner = case((goes_on, Facility.organisation_id), else_=owner_then)
    return Uses(goes_on, owner, in_use, of_past)
