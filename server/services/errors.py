"""Exceptions of the services."""

from typing import NamedTuple


class NotFound(Exception):
    """There is no such object, or this user may not see it."""


class Refused(Exception):
    """
    A rule does not allow the action.

    code    stable, such as "already_running"; server/wording/refusals.py has its text
    values  for the text, such as count=2
    """

    def __init__(self, code: str, **values):
        super().__init__(code if not values else f"{code} {values}")
        self.code = code
        self.values = values


class Change(NamedTuple):
    """
    A change that a person had not seen.

    kind  of its log entry, such as "restroom.changed"
    by    name of the person; "" for the program, or if it is forgotten
    body  what the entry says: {field: value}
    """

    kind: str
    at_s: int
    by: str
    body: dict


class ChangedMeanwhile(Exception):
    """Others have changed an object since the person saw it. changes: oldest first, at least one."""

    def __init__(self, changes: list[Change]):
        super().__init__(", ".join(change.kind for change in changes))
        self.changes = changes
