"""
Notifications: the outbox.

    notifications.enqueue(session, "finding_new", facility.id, finding.public_id, room="...")   # where it happens
    notifications.spread(session, zone)                                                         # server/notify.py

enqueue() only writes a row, in the transaction of the event itself, so no notification is lost and none is about
something that was rolled back. The notifying process makes one delivery for each subscription that covers it
(delivery_queue.py).
"""

from zoneinfo import ZoneInfo

from sqlalchemy import delete, select
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.db import execute_count, insert
from server.models.outside import KINDS, Delivery, KeptAnswer, Notification, Subscription
from server.services.outside import delivery_queue, subscriptions

SPREAD = 500  # most notifications in one transaction
KEPT_S = 90 * 86400
KEPT_ANSWER_S = 86400
_AHEAD_S = 60  # a later time is of a clock that was set back since


def enqueue(session: Session, kind: str, facility_id: int | None, subject: str, **facts) -> Notification:
    """
    Write a notification into the outbox, in the caller's transaction.

    kind     one of models.outside.KINDS
    subject  the public id of what it is about, or a sensor's name
    facts    values for its sentence (wording/notifications.py), JSON-able; no names of people, no hardware addresses
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    notification = Notification(
        kind=kind, facility_id=facility_id, subject=subject[:64], facts=facts, at_s=clock.now_s()
    )
    session.add(notification)
    return notification


def has_work(session: Session) -> bool:
    """True if there is something to spread or to send. Takes no lock."""
    due = select(Delivery.id).where(Delivery.ended_s.is_(None), delivery_queue.is_due(clock.now_s()))
    fresh = select(Notification.id).where(Notification.spread_s.is_(None))
    return any(session.scalar(query.limit(1)) is not None for query in (fresh, due))


def is_recent(session: Session, kind: str, subject: str, within_s: int) -> bool:
    """True if a notification of this kind about this subject was enqueued in the last `within_s` seconds."""
    same = (
        Notification.kind == kind,
        Notification.subject == subject,
        Notification.at_s > clock.now_s() - within_s,
        Notification.at_s <= clock.now_s() + _AHEAD_S,
    )
    return session.scalar(select(Notification.id).where(*same).limit(1)) is not None


def spread(session: Session, zone: ZoneInfo) -> int:
    """Make the deliveries of notifications that have none yet; return how many notifications there were."""
    now_s = clock.now_s()
    fresh = select(Notification).where(Notification.spread_s.is_(None)).order_by(Notification.id).limit(SPREAD)
    notifications = list(session.scalars(fresh.options(joinedload(Notification.facility))))
    if not notifications:
        return 0
    running = list(session.scalars(select(Subscription).where(Subscription.ended_s.is_(None))))
    rows = [
        {
            "notice_id": notification.id,
            "subscription_id": subscription.id,
            "due_s": subscriptions.due_s(subscription, notification.at_s, zone),
        }
        for notification in notifications
        for subscription in running
        if subscriptions.covers(subscription, notification)
    ]
    if rows:
        # Repeating this after a crash adds nothing.
        session.execute(insert(session, Delivery).on_conflict_do_nothing(), rows)
    for notification in notifications:
        notification.spread_s = now_s
    return len(notifications)


def delete_old(session: Session) -> int:
    """Delete old notifications with their deliveries, and old kept answers; return how many notifications."""
    now_s = clock.now_s()
    old = select(Notification.id).where(Notification.at_s < now_s - KEPT_S)
    session.execute(delete(Delivery).where(Delivery.notice_id.in_(old)))
    session.execute(delete(KeptAnswer).where(KeptAnswer.made_s < now_s - KEPT_ANSWER_S))
    return execute_count(session, delete(Notification).where(Notification.at_s < now_s - KEPT_S))
