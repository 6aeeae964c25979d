"""
Which places a person may see and act on. Rights by role are in people.py; this says where they hold.

    query = access.within(select(Restroom), user, Restroom.facility_id)     # lists
    access.check(session, user, people.INSPECT, room.facility_id)           # one thing; raises NotFound
"""

from server.services import people
from server.services.errors import NotFound


def within(query, user, facility_id_column):
    """Return the query limited to the facilities this person may see. `user` None means the system itself: all."""
    return query


def may(session, user, right: str, facility_id: int | None) -> bool:
    """True if the person has this right at this facility (None: something that belongs to no facility)."""
    return people.may(user, right)


def check(session, user, right: str, facility_id: int | None) -> None:
    """Raise NotFound unless may(): a place of somebody else's does not exist for this person."""
    if not may(session, user, right, facility_id):
        raise NotFound("place")
