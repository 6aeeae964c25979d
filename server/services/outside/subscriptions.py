"""
Subscriptions: which notifications go where, how fast, and not in which hours.

    subscription, secret = subscriptions.subscribe(session, vault, user, "Duty", ["finding_new"], "webhook", "https://...")
    subscriptions.list_subscriptions(session, user)
"""

import secrets
from collections.abc import Collection
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import Select, or_, select
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.models.outside import (
    AT_ONCE,
    DAILY,
    HOURLY,
    KINDS,
    PACES,
    TEST,
    WAYS,
    WEBHOOK,
    Delivery,
    Notification,
    Subscription,
)
from server.models.people import UserPlace
from server.models.places import Facility, Organisation
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.outside import channels
from server.services.people import access, accounts
from server.vault import Vault

DIGEST_HOUR = 8  # of the site's day, when a daily digest is sent
SECRET_BYTES = 32


def subscribe(
    session: Session,
    vault: Vault,
    user,
    name: str,
    kinds: Collection[str],
    way: str,
    target: str,
    place: Organisation | Facility | None = None,
    language: str = "ko",
    pace: str = AT_ONCE,
    quiet: tuple[int, int] | None = None,
    private_targets: bool = False,
) -> tuple[Subscription, str | None]:
    """
    Add a subscription; return it and a webhook's signing key (hex, shown once), else None.

    place  an Organisation, a Facility, or None for all places
    quiet  (from, to) in minutes after midnight at the site; the interval may cross midnight
    Raises Refused: kinds_needed, name_needed, target_bad, target_private, quiet_bad; NotFound if the user may not
    manage the place.
    """
    kinds = [kind for kind in KINDS if kind in kinds]
    if not kinds:
        raise Refused("kinds_needed")
    if not name.strip():
        raise Refused("name_needed")
    if way not in WAYS or pace not in PACES:
        raise ValueError(f"{way!r}, {pace!r}")
    if quiet is not None and not (all(0 <= minute < 1440 for minute in quiet) and quiet[0] != quiet[1]):
        raise Refused("quiet_bad")
    facility = place if isinstance(place, Facility) else None
    organisation = place if isinstance(place, Organisation) else None
    if not _may_manage(session, user, organisation, facility):
        raise NotFound("place")
    target = target.strip()
    shown = channels.check(way, target, private_targets)
    secret = secrets.token_hex(SECRET_BYTES) if way == WEBHOOK else None
    subscription = Subscription(
        organisation_id=organisation.id if organisation else None,
        facility_id=facility.id if facility else None,
        name=name.strip()[:200],
        kinds=kinds,
        way=way,
        target_sealed=vault.seal(target.encode()),
        shown=shown,
        secret_sealed=vault.seal(secret.encode()) if secret else None,
        language=language,
        pace=pace,
        quiet_from=quiet[0] if quiet else None,
        quiet_to=quiet[1] if quiet else None,
        created_s=clock.now_s(),
        by_id=user.id,
    )
    session.add(subscription)
    session.flush()
    body = {"kinds": kinds, "way": way, "place": place.public_id if place else None}
    log.add(session, "subscription.made", subscription.public_id, body, user)
    return subscription, secret


def end(session: Session, user, public_id: str) -> None:
    """End a subscription and cancel its waiting deliveries. Raises NotFound."""
    subscription = load(session, user, public_id)
    now_s = subscription.ended_s = clock.now_s()
    waiting = select(Delivery).where(Delivery.subscription_id == subscription.id, Delivery.ended_s.is_(None))
    for delivery in session.scalars(waiting):
        delivery.ended_s, delivery.error = now_s, "subscription ended"
    session.flush()
    log.add(session, "subscription.ended", subscription.public_id, {}, user)


def send_test(session: Session, user, public_id: str) -> Delivery:
    """Let a test be sent to a subscription at once, whatever its hours; return its delivery. Raises NotFound."""
    subscription = load(session, user, public_id)
    now_s = clock.now_s()
    notification = Notification(kind=TEST, subject=subscription.public_id, facts={}, at_s=now_s, spread_s=now_s)
    session.add(notification)
    session.flush()
    delivery = Delivery(
        notice_id=notification.id, subscription_id=subscription.id, due_s=now_s, tries=0, error="", sent=0
    )
    session.add(delivery)
    session.flush()
    return delivery


def load(session: Session, user, public_id: str, way: str = "") -> Subscription:
    """Return a running subscription that the user may manage. way: only of this way. Raises NotFound."""
    subscription = session.scalar(select(Subscription).where(Subscription.public_id == public_id))
    if (
        subscription is None
        or subscription.ended_s is not None
        or (way and subscription.way != way)
        or not _may_manage(session, user, subscription.organisation, subscription.facility)
    ):
        raise NotFound("subscription")
    return subscription


def list_subscriptions(session: Session, user) -> list[Subscription]:
    """Return the running subscriptions that the user may manage, by name."""
    query = select(Subscription).where(Subscription.ended_s.is_(None)).order_by(Subscription.name, Subscription.id)
    query = query.options(joinedload(Subscription.organisation), joinedload(Subscription.facility))
    return list(session.scalars(manageable(query, user)))


def manageable(query: Select, user) -> Select:
    """Limit a query that selects from Subscription to those the user may manage."""
    if accounts.may(user, accounts.MANAGE) and user.everywhere:
        return query
    sites = access.within(select(Facility.id), user, Facility.id)
    organisations = _organisations(user)
    return query.where(or_(Subscription.facility_id.in_(sites), Subscription.organisation_id.in_(organisations)))


def covers(subscription: Subscription, notification: Notification) -> bool:
    """True if a notification's kind and place are among a subscription's."""
    if notification.kind not in subscription.kinds:
        return False
    facility = notification.facility
    if subscription.facility_id is not None:
        return notification.facility_id == subscription.facility_id
    if subscription.organisation_id is not None:
        return facility is not None and facility.organisation_id == subscription.organisation_id
    return True


def due_s(subscription: Subscription, at_s: int, zone: ZoneInfo) -> int:
    """Return when a notification of `at_s` goes to a subscription: at its pace, outside its quiet hours."""
    local = datetime.fromtimestamp(at_s, UTC).astimezone(zone)
    if subscription.pace == HOURLY:
        local = local.replace(minute=0, second=0) + timedelta(hours=1)
    elif subscription.pace == DAILY:
        morning = datetime.combine(local.date(), time(DIGEST_HOUR), zone)
        local = morning if local <= morning else datetime.combine(local.date() + timedelta(1), time(DIGEST_HOUR), zone)
    return _after_quiet_hours(subscription, local, zone)


def after_quiet_hours(subscription: Subscription, at_s: int, zone: ZoneInfo) -> int:
    """Return `at_s`, or the end of the quiet hours that it lies in."""
    return _after_quiet_hours(subscription, datetime.fromtimestamp(at_s, UTC).astimezone(zone), zone)


def _after_quiet_hours(subscription: Subscription, local: datetime, zone: ZoneInfo) -> int:
    start, end = subscription.quiet_from, subscription.quiet_to
    if start is not None and end is not None:
        minute = local.hour * 60 + local.minute
        if (minute - start) % 1440 < (end - start) % 1440:
            day = local.date() + timedelta(1 if minute > end else 0)
            local = datetime.combine(day, time(*divmod(end, 60)), zone)
    return int(local.timestamp())


def _may_manage(session: Session, user, organisation: Organisation | None, facility: Facility | None) -> bool:
    """True if the user may manage all that a subscription covers."""
    if facility is not None:
        return access.may(session, user, accounts.MANAGE, facility.id)
    if not accounts.may(user, accounts.MANAGE):
        return False
    if user.everywhere:
        return True
    return organisation is not None and organisation.id in set(session.scalars(_organisations(user)))


def _organisations(user) -> Select:
    return select(UserPlace.organisation_id).where(
        UserPlace.user_id == getattr(user, "id", None), UserPlace.organisation_id.is_not(None)
    )
