"""Exceptions of the services."""


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
