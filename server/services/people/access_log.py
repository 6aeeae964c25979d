"""
The access log: which user saw or exported which personal or finding record, and sign-ins.

    record(sessions, user, SAW_FINDING, finding.public_id)

It is not part of the chained log: it is about readers, it is kept for a shorter time, and a page view must not wait
for the chain.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.db import Sessions
from server.models.people import AccessEvent, User
from server.services import paging
from server.services.errors import NotFound
from server.services.people import access, accounts

SAW_INSPECTION, SAW_FINDING, SAW_PERSON, SAW_LOG = "saw_inspection", "saw_finding", "saw_person", "saw_log"
EXPORTED, SIGNED_IN, SIGN_IN_FAILED = "exported", "signed_in", "sign_in_failed"
KINDS = (SAW_INSPECTION, SAW_FINDING, SAW_PERSON, SAW_LOG, EXPORTED, SIGNED_IN, SIGN_IN_FAILED)
ONCE_IN_S = 600  # another look of the same user at the same record within this time is not recorded


def record(sessions: Sessions, user: User, kind: str, subject: str) -> None:
    """Record an access in a transaction of its own. Looks are recorded once in ONCE_IN_S, exports every time."""
    now_s = clock.now_s()
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    if kind.startswith("saw_"):
        same = select(AccessEvent.id).where(
            AccessEvent.subject == subject,
            AccessEvent.kind == kind,
            AccessEvent.user_id == user.id,
            AccessEvent.at_s > now_s - ONCE_IN_S,
        )
        with sessions() as session:
            if session.scalar(same.limit(1)) is not None:
                return
    with sessions.begin() as session:
        add(session, user.id, kind, subject)


def add(session: Session, user_id: int | None, kind: str, subject: str, token_id: int | None = None) -> None:
    """Record an access within the caller's transaction. user_id: None for the system itself."""
    session.add(AccessEvent(at_s=clock.now_s(), user_id=user_id, token_id=token_id, kind=kind, subject=subject[:64]))


def list_events(
    session: Session,
    user,
    person: User | None = None,
    subject: str = "",
    before_id: int | None = None,
    limit: int = 50,
) -> paging.Page[tuple[AccessEvent, User | None]]:
    """
    Return access events with their users, newest first. Raises NotFound unless `user` administers everything.

    person, subject  only events of this user, about this public id
    before_id        only events before this row number
    """
    if not (accounts.may(user, accounts.ADMINISTER) and access.is_everywhere(user)):
        raise NotFound("access log")
    query = select(AccessEvent, User).outerjoin(User, User.id == AccessEvent.user_id)
    if person is not None:
        query = query.where(AccessEvent.user_id == person.id)
    if subject:
        query = query.where(AccessEvent.subject == subject)
    if before_id is not None:
        query = query.where(AccessEvent.id < before_id)
    rows = session.execute(query.order_by(AccessEvent.id.desc()).limit(limit + 1))
    return paging.cut([(event, user) for event, user in rows], limit, key=lambda row: row[0].id)
