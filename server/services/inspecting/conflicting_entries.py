"""
Entries of several people about the same point: which of them count, and which contradict each other.

    standing(rows)                  # the entries that no later entry has replaced
    seen_by(rows, seen_id)          # the entries that counted when a person saw the point

An entry replaces those that its author had seen (`seen_id`), whenever it arrives. Two entries whose authors had not
seen each other's both stand. If they say different things, a person who sees both has to settle it.
"""

from collections.abc import Sequence
from typing import TypeVar

from server.models.checklists import ChecklistAnswer
from server.models.inspections import InspectionStep

# With `id`, the row number, and `seen_id`, that of the newest entry of the same point that its author had seen, else 0.
EntryType = TypeVar("EntryType", ChecklistAnswer, InspectionStep)


def standing(rows: Sequence[EntryType]) -> list[EntryType]:
    """Return the entries of one point that are not replaced, oldest first."""
    replaced_id = max((row.seen_id for row in rows), default=0)
    return [row for row in rows if row.id > replaced_id]


def seen_by(rows: Sequence[EntryType], seen_id: int) -> list[EntryType]:
    """Return the entries of one point that stood when `seen_id` was its newest."""
    return standing([row for row in rows if row.id <= seen_id])


def newest_id(rows: Sequence[ChecklistAnswer] | Sequence[InspectionStep]) -> int:
    """Return the row number of the newest entry of one point; 0 without any."""
    return max((row.id for row in rows), default=0)
