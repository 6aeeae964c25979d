"""What pages show of a restroom beyond its columns."""

from typing import NamedTuple

from flask_babel import gettext

from server import i18n
from server.models.places import Restroom
from server.services.places import due_dates
from server.wording import vocabulary


class Due(NamedTuple):
    """
    due_s    when the next inspection is due; None: at once, or (not overdue) never
    overdue  it is, or no complete inspection is known
    text     the same in a few words
    """

    due_s: int | None
    overdue: bool
    text: str


def due(room: Restroom, now_s: int) -> Due:
    """Return when the next inspection of a restroom is due, by its plan."""
    if room.due_s is None:
        return Due(None, False, gettext("Nothing planned"))
    if room.due_s > now_s:
        return Due(room.due_s, False, gettext("By %(day)s", day=i18n.short_day(room.due_s - 1)))
    assert room.due_method, "set together with due_s"
    done_s = {method: getattr(room, column) for method, column in due_dates.DONE_COLUMNS.items()}
    if done_s[room.due_method] is not None:
        return Due(room.due_s, True, gettext("Overdue: %(method)s", method=vocabulary.PLANNED[room.due_method]))
    if any(done_s.values()):
        return Due(None, True, gettext("Due now: %(method)s", method=vocabulary.PLANNED[room.due_method]))
    return Due(None, True, gettext("Due now"))
