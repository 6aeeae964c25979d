"""
Who saw or exported which personal or finding record, and who signed in.

    note(sessions, user, SAW_FINDING, one.public_id)

It is not part of the chained log: it is about readers, is kept for a shorter time, and a page view must not wait
for the chain.
"""

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.models.people import User
from server.models.privacy import AccessEvent

SAW_INSPECTION, SAW_FINDING, SAW_PERSON, SAW_LOG = "saw_inspection", "saw_finding", "saw_person", "saw_log"
EXPORTED, SIGNED_IN, SIGN_IN_FAILED = "exported", "signed_in", "sign_in_failed"
KINDS = (SAW_INSPECTION, SAW_FINDING, SAW_PERSON, SAW_LOG, EXPORTED, SIGNED_IN, SIGN_IN_FAILED)
ONCE_IN_S = 600  # looking at the same thing again within this time is the same look


def note(sessions, user: User, kind: str, subject: str) -> None:
    """Write down that somebody saw something; sessions: the session factory. Exports are written down every time."""
    now_s = clock.now_s()
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    if kind.startswith("saw_"):
        seen = select(AccessEvent.id).where(
            AccessEvent.subject == subject,
            AccessEvent.kind == kind,
            AccessEvent.user_id == user.id,
            AccessEvent.at_s > now_s - ONCE_IN_S,
        )
        with sessions() as session:
            if session.scalar(seen.limit(1)) is not None:
                return
    with sessions.begin() as session:
        add(session, user.id, kind, subject)


def add(session: Session, user_id: int | None, kind: str, subject: str, token_id: int | None = None) -> None:
    """note() within a transaction of the caller's."""
    session.add(AccessEvent(at_s=clock.now_s(), user_id=user_id, token_id=token_id, kind=kind, subject=subject[:64]))


def events(session: Session, user: User | None = None, subject: str = "", before_id=None, limit: int = 50):
    """[(AccessEvent, User or None), ...], newest first."""
    wanted = select(AccessEvent, User).outerjoin(User, User.id == AccessEvent.user_id)
    if user is not None:
        wanted = wanted.where(AccessEvent.user_id == user.id)
    if subject:
        wanted = wanted.where(AccessEvent.subject == subject)
    if before_id is not None:
        wanted = wanted.where(AccessEvent.id < before_id)
    return [tuple(row) for row in session.execute(wanted.order_by(AccessEvent.id.desc()).limit(limit))]
