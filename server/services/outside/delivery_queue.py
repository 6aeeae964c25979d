"""
Deliveries: one notification to one subscription, by webhook or by Apprise (mail and about a hundred other services).

    batch = delivery_queue.claim(session);  ...;  delivery_queue.settle(session, batch, error)     # server/notify.py

Each is sent at least once. A failed one is retried after growing pauses and then given up; the notifications page shows
it, with a button that starts it again.
"""

from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, func, select
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.models.outside import Delivery, Notification, Subscription
from server.services.errors import NotFound
from server.services.outside import subscriptions

# Pause after each failed attempt; after the last one the delivery is given up. The sum is a day and a half: a
# weekend's outage of a mail relay is over by then, and older news is better read on the page.
PAUSES_S = (30, 120, 600, 3600, 4 * 3600, 12 * 3600, 18 * 3600)
LONGEST_WAIT_S = 26 * 3600  # of one that waits for the morning or the end of quiet hours
LEASE_S = 180  # an attempt that has not ended by then died with its process; longer than all its timeouts together
BATCH = 50  # most notifications in one message


def list_deliveries(
    session: Session, user, limit: int = 50, failed: bool = False, subscription: Subscription | None = None
) -> list[Delivery]:
    """
    Return the newest deliveries of the user's subscriptions.

    failed        only those given up or being retried
    subscription  only those to it
    """
    query = select(Delivery).join(Subscription).order_by(Delivery.id.desc()).limit(limit)
    if subscription is not None:
        query = query.where(Delivery.subscription_id == subscription.id)
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


def is_due(now_s: int) -> ColumnElement[bool]:
    """Return the condition that a delivery is due, or was scheduled before the clock was set back by a day."""
    return (Delivery.due_s <= now_s) | (Delivery.due_s > now_s + LONGEST_WAIT_S)


def claim(session: Session) -> list[Delivery]:
    """
    Return the deliveries to send now to one subscription, at most BATCH, oldest first; [] if nothing is due.

    They are leased for LEASE_S: if the process dies while it sends, they are sent again.
    """
    now_s = clock.now_s()
    waiting = (Delivery.ended_s.is_(None), is_due(now_s))
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


def count_deliveries(session: Session) -> dict[str, int]:
    """Return {"waiting", "dead"}: the numbers of all deliveries in that state, for operators."""
    waiting = select(func.count(Delivery.id)).where(Delivery.ended_s.is_(None))
    dead = select(func.count(Delivery.id)).where(Delivery.ended_s.is_not(None), Delivery.sent == 0)
    return {"waiting": session.scalar(waiting) or 0, "dead": session.scalar(dead) or 0}


def _load_parts(query):
    return query.options(
        joinedload(Delivery.notification).joinedload(Notification.facility), joinedload(Delivery.subscription)
    )
