"""
Notifications: the outbox, and the deliveries by webhook or by Apprise (mail and about a hundred other services).

    notifications.enqueue(session, "finding_new", facility.id, finding.public_id, room="...")   # where it happens
    notifications.spread(session, zone);  notifications.claim(session);  ...                    # server/notify.py

enqueue() only writes a row, in the transaction of the event itself, so no notification is lost and none is about
something that was rolled back. The notifying process makes one delivery for each subscription that covers it and sends
it at least once. A failed delivery is retried after growing pauses and then given up; the notifications page shows it.
"""

from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.db import execute_count, insert
from server.models.outside import KINDS, Delivery, KeptAnswer, Notification, Subscription
from server.services.errors import NotFound
from server.services.outside import subscriptions

# Pause after each failed attempt; after the last one the delivery is given up. The sum is a day and a half: a
# weekend's outage of a mail relay is over by then, and older news is better read on the page.
PAUSES_S = (30, 120, 600, 3600, 4 * 3600, 12 * 3600, 18 * 3600)
LEASE_S = 180  # an attempt that has not ended by then died with its process; longer than all its timeouts together
BATCH = 50  # most notifications in one message
SPREAD = 500  # most notifications in one transaction
KEPT_S = 90 * 86400
KEPT_ANSWER_S = 86400


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


def list_deliveries(session: Session, user, limit: int = 50, failed: bool = False) -> list[Delivery]:
    """Return the newest deliveries of the user's subscriptions; failed: only those given up or being retried."""
    query = select(Delivery).join(Subscription).order_by(Delivery.id.desc()).limit(limit)
    if failed:
        query = query.where(Delivery.sent == 0, Delivery.tries > 0)
    query = subscriptions.manageable(_load_parts(query), user)
    return list(session.scalars(query))


def retry(session: Session, user, delivery_id: int) -> None:
    """Start a delivery that was given up again, with all its attempts. Raises NotFound."""
    delivery = session.get(Delivery, delivery_id)
    if delivery is None or delivery.sent or delivery.ended_s is None:
        raise NotFound("delivery")
    subscriptions.load(session, user, delivery.subscription.public_id)
    delivery.ended_s, delivery.tries, delivery.due_s = None, 0, clock.now_s()


def has_work(session: Session) -> bool:
    """True if there is something to spread or to send. Takes no lock."""
    due = select(Delivery.id).where(Delivery.ended_s.is_(None), Delivery.due_s <= clock.now_s())
    fresh = select(Notification.id).where(Notification.spread_s.is_(None))
    return any(session.scalar(query.limit(1)) is not None for query in (fresh, due))


def is_recent(session: Session, kind: str, subject: str, within_s: int) -> bool:
    """True if a notification of this kind about this subject was enqueued in the last `within_s` seconds."""
    same = (
        Notification.kind == kind,
        Notification.subject == subject,
        Notification.at_s > clock.now_s() - within_s,
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


def claim(session: Session) -> list[Delivery]:
    """
    Return the deliveries to send now to one subscription, at most BATCH, oldest first; [] if nothing is due.

    They are leased for LEASE_S: if the process dies while it sends, they are sent again.
    """
    now_s = clock.now_s()
    waiting = (Delivery.ended_s.is_(None), Delivery.due_s <= now_s)
    first = session.scalar(select(Delivery).where(*waiting).order_by(Delivery.due_s, Delivery.id).limit(1))
    if first is None:
        return []
    query = select(Delivery).where(*waiting, Delivery.subscription_id == first.subscription_id)
    query = _load_parts(query.order_by(Delivery.id).limit(BATCH))
    # A second notifying process on PostgreSQL skips what this one has claimed.
    deliveries = list(session.scalars(query.with_for_update(skip_locked=True, of=Delivery)))
    for delivery in deliveries:
        delivery.tries += 1
        delivery.due_s = now_s + LEASE_S
    return deliveries


def settle(session: Session, claimed: list[Delivery], error: str = "", zone: ZoneInfo | None = None) -> None:
    """
    Record that a claimed batch was sent, or why it was not.

    zone  the site's, so that no retry falls into quiet hours; None: quiet hours do not matter
    """
    now_s = clock.now_s()
    for delivery in session.scalars(select(Delivery).where(Delivery.id.in_([row.id for row in claimed]))):
        if delivery.ended_s is not None:
            continue
        delivery.error = error[:200]
        if not error:
            delivery.ended_s, delivery.sent = now_s, 1
        elif delivery.tries > len(PAUSES_S):
            delivery.ended_s = now_s
        else:
            delivery.due_s = now_s + PAUSES_S[delivery.tries - 1]
            if zone is not None:
                delivery.due_s = subscriptions.after_quiet_hours(delivery.subscription, delivery.due_s, zone)


def delete_old(session: Session) -> int:
    """Delete old notifications with their deliveries, and old kept answers; return how many notifications."""
    now_s = clock.now_s()
    old = select(Notification.id).where(Notification.at_s < now_s - KEPT_S)
    session.execute(delete(Delivery).where(Delivery.notice_id.in_(old)))
    session.execute(delete(KeptAnswer).where(KeptAnswer.made_s < now_s - KEPT_ANSWER_S))
    return execute_count(session, delete(Notification).where(Notification.at_s < now_s - KEPT_S))


def count_deliveries(session: Session) -> dict[str, int]:
    """Return {"waiting", "dead"}: the numbers of all deliveries in that state, for operators."""
    waiting = select(func.count(Delivery.id)).where(Delivery.ended_s.is_(None))
    dead = select(func.count(Delivery.id)).where(Delivery.ended_s.is_not(None), Delivery.sent == 0)
    return {"waiting": session.scalar(waiting) or 0, "dead": session.scalar(dead) or 0}


def _load_parts(query):
    return query.options(
        joinedload(Delivery.notification).joinedload(Notification.facility), joinedload(Delivery.subscription)
    )
