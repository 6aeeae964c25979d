"""
What a person had seen of the log when they filled in a form, and whether others changed the same thing since.

    with edit_conflicts.form(newest_n):                # one request; newest_n: the newest entry when its form was made
        ...                                  # log.add() raises ChangedMeanwhile before it overwrites a newer change

Every change has an entry in the log about its object (the subject). An entry is refused if there is a newer one of the
same family, such as "restroom.", about the same subject. The exceptions are in NEWS: entries that add something beside
what others have written, and those whose rows keep both versions themselves (inspecting/conflicting_entries.py).
Entries of the program itself are never refused.
"""

import json
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field

from sqlalchemy import event, or_, select
from sqlalchemy.orm import Session

from server.models.audit import LogEntry, LogPersonal
from server.services.errors import Change, ChangedMeanwhile

# Kind of an entry that is added -> the kinds that a person must have seen before; the others: their whole family.
NEWS: dict[str, tuple[str, ...]] = {
    "campaign.acted": (),
    "campaign.member": (),
    "campaign.stop": (),
    "campaign.team": (),
    "hole.found": (),
    "hole.remark": (),
    "inspection.answered": (),
    "inspection.offline": (),
    "inspection.person": (),
    "inspection.signed": ("inspection.finished", "inspection.corrected", "inspection.reopened"),
    "inspection.started": (),
    "inspection.step": (),
    "inspection.sweep_assigned": (),
    "photo.taken": (),
    "restroom.asked": (),
}
MOST = 50  # changes that are shown
# Entries about an object that do not change what a form about it shows.
NO_NEWS = {"campaign.acted", "person.password", "person.recovery_code", "restroom.asked"}


@dataclass
class Form:
    """
    newest_n   the newest entry of the log when the form was made; None: the form does not say
    own        numbers of the entries that its handling has added
    committed  true if one of them was committed
    """

    newest_n: int | None
    own: list[int] = field(default_factory=list)
    committed: bool = False


_form: ContextVar[Form | None] = ContextVar("form", default=None)


@contextmanager
def form(newest_n: int | None) -> Iterator[Form]:
    """Handle a form that was made when `newest_n` was the newest entry."""
    token = _form.set(Form(newest_n))
    try:
        yield _form.get()  # type: ignore[misc]
    finally:
        _form.reset(token)


def check(session: Session, kind: str, subject: str) -> None:
    """
    Refuse an entry of this kind if the form had not shown the newest state of its subject.

    The caller holds the lock of the log's tip, so that of two forms that are sent at once the second one sees what the
    first has changed. Raises ChangedMeanwhile.
    """
    current = _form.get()
    if current is None or current.newest_n is None:
        return
    kinds = NEWS.get(kind)
    if kinds == ():
        return
    of_family = LogEntry.kind.startswith(kind.partition(".")[0] + ".", autoescape=True)
    _refuse_news(session, current, LogEntry.subject == subject, LogEntry.kind.in_(kinds) if kinds else of_family)


def check_families(session: Session, families: Iterable[str]) -> None:
    """Refuse a change of many objects if one of these families ("restroom.") has a newer entry. As check()."""
    current = _form.get()
    if current is not None and current.newest_n is not None:
        is_news = [LogEntry.kind.startswith(family, autoescape=True) for family in families]
        _refuse_news(session, current, or_(*is_news))


def _refuse_news(session, current, *conditions):
    query = select(LogEntry, LogPersonal.content).outerjoin(LogPersonal, LogPersonal.n == LogEntry.n)
    query = query.where(*conditions, LogEntry.n > current.newest_n, LogEntry.kind.not_in(NO_NEWS))
    rows = [row for row in session.execute(query.order_by(LogEntry.n).limit(MOST)) if row[0].n not in current.own]
    if rows:
        raise ChangedMeanwhile([_change(entry, json.loads(content) if content else {}) for entry, content in rows])


def note(session: Session, n: int) -> None:
    """Remember that the form's handling has added entry n."""
    current = _form.get()
    if current is not None:
        current.own.append(n)
        if len(current.own) == 1:
            event.listen(session, "after_commit", lambda _session: _commit(current), once=True)


def _commit(current):
    current.committed = True


def _change(entry, personal):
    by = personal.pop("by", {}).get("name", "")
    return Change(entry.kind, entry.at_s, by, {**json.loads(entry.body), **personal})
