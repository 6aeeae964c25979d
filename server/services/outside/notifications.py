"""
Notices: telling people outside of what happened, by webhook or by Apprise (mail and a hundred other ways).

    notices.tell(session, "finding_new", facility.id, finding.public_id, room="...")   # where it happens
    notices.spread(session, zone);  notices.claim(session);  ...                       # server/notify.py

tell() only writes a row, in the transaction of what happened, so a notice is neither lost nor told of something that
was rolled back. The notifying process gives it to the subscriptions it concerns and sends it: at least once, again
and again with growing pauses, and then gives up, which the notices page shows.
"""

import secrets
from datetime import UTC, datetime, time, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import delete, func, or_, select
from sqlalchemy.orm import Session, joinedload

from server import clock
from server.db import insert
from server.models.outside import (
    AT_ONCE,
    DAILY,
    HOURLY,
    KINDS,
    PACES,
    WAYS,
    WEBHOOK,
    Delivery,
    KeptAnswer,
    Notice,
    Subscription,
)
from server.models.places import Facility
from server.services.audit import log
from server.services.errors import NotFound, Refused
from server.services.outside import channels
from server.services.people import access, accounts
from server.vault import Vault

# After each failed try; after the last one it is given up. In all a day and a half: a weekend's outage of a mail
# relay is over by then, and older news would rather be read on the page.
PAUSES_S = (30, 120, 600, 3600, 4 * 3600, 12 * 3600, 18 * 3600)
LEASE_S = 180  # a try that has not ended after so long died with its process; longer than all timeouts of one
BATCH = 50  # most notices in one message
SPREAD = 500  # most notices in one transaction
KEPT_S = 90 * 86400
KEPT_ANSWER_S = 86400
DIGEST_HOUR = 8  # of the site's day: when a daily digest goes out
SECRET_BYTES = 32


def enqueue(session: Session, kind: str, facility_id: int | None, subject: str, **facts) -> Notice:
    """
    Write a notice into the outbox, in the caller's transaction.

    kind     one of models.outside.KINDS
    subject  the public id of what it is about, or a sensor's name
    facts    what its sentence needs (wording/notices.py), JSON-able; no names of people, no hardware addresses
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is none of {', '.join(KINDS)}")
    told = Notice(kind=kind, facility_id=facility_id, subject=subject[:64], facts=facts, at_s=clock.now_s())
    session.add(told)
    return told


def subscribe(
    session: Session,
    vault: Vault,
    by,
    name: str,
    kinds,
    way: str,
    target: str,
    place=None,
    language: str = "ko",
    pace: str = AT_ONCE,
    quiet: tuple[int, int] | None = None,
    private_targets: bool = False,
) -> tuple[Subscription, str | None]:
    """
    Add a subscription; return it and a webhook's signing key (hex, shown once), else None.

    place  an Organisation, a Facility, or None for everything there is
    quiet  (from, to) in minutes after midnight at the site; it may go over midnight
    Raises Refused: kinds_needed, name_needed, target_bad, target_private, quiet_bad; NotFound if `by` may not there.
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
    organisation = place if place is not None and facility is None else None
    if not _may_manage(session, by, organisation, facility):
        raise NotFound("place")
    target = target.strip()
    shown = channels.check(way, target, private_targets)
    secret = secrets.token_hex(SECRET_BYTES) if way == WEBHOOK else None
    added = Subscription(
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
        by_id=by.id if by else None,
    )
    session.add(added)
    session.flush()
    body = {"kinds": kinds, "way": way, "place": place.public_id if place else None}
    log.add(session, "subscription.made", added.public_id, body, by)
    return added, secret


def end(session: Session, by, public_id: str) -> None:
    """End a subscription; what still waits for it is not sent any more. Raises NotFound."""
    found = subscription(session, by, public_id)
    now_s = found.ended_s = clock.now_s()
    waiting = select(Delivery).where(Delivery.subscription_id == found.id, Delivery.ended_s.is_(None))
    for one in session.scalars(waiting):
        one.ended_s, one.error = now_s, "subscription ended"
    session.flush()
    log.add(session, "subscription.ended", found.public_id, {}, by)


def subscription(session: Session, by, public_id: str) -> Subscription:
    """A subscription that still runs and that this person may manage. Raises NotFound."""
    found = session.scalar(select(Subscription).where(Subscription.public_id == public_id))
    if found is None or found.ended_s is not None or not _may_manage(session, by, found.organisation, found.facility):
        raise NotFound("subscription")
    return found


def subscriptions(session: Session, by) -> list[Subscription]:
    """The running subscriptions that this person may manage, by name."""
    wanted = select(Subscription).where(Subscription.ended_s.is_(None)).order_by(Subscription.name, Subscription.id)
    wanted = wanted.options(joinedload(Subscription.organisation), joinedload(Subscription.facility))
    return list(session.scalars(_mine(session, wanted, by)))


def deliveries(session: Session, by, limit: int = 50, failed: bool = False) -> list[Delivery]:
    """The newest deliveries of this person's subscriptions; failed: only those given up or being tried again."""
    wanted = select(Delivery).join(Subscription).order_by(Delivery.id.desc()).limit(limit)
    if failed:
        wanted = wanted.where(Delivery.sent == 0, Delivery.tries > 0)
    wanted = wanted.options(joinedload(Delivery.notice).joinedload(Notice.facility), joinedload(Delivery.subscription))
    return list(session.scalars(_mine(session, wanted, by)))


def again(session: Session, by, delivery_id: int) -> None:
    """Try a delivery that was given up once more from the start. Raises NotFound."""
    found = session.get(Delivery, delivery_id)
    if found is None or found.sent or found.ended_s is None:
        raise NotFound("delivery")
    subscription(session, by, found.subscription.public_id)
    found.ended_s, found.tries, found.due_s = None, 0, clock.now_s()


# For the notifying process.


def has_work(session: Session) -> bool:
    """True if there is something to spread or to send: a look that takes no lock."""
    due = select(Delivery.id).where(Delivery.ended_s.is_(None), Delivery.due_s <= clock.now_s())
    fresh = select(Notice.id).where(Notice.spread_s.is_(None))
    return any(session.scalar(one.limit(1)) is not None for one in (fresh, due))


def told_lately(session: Session, kind: str, subject: str, within_s: int) -> bool:
    """True if this was told within the time."""
    same = (Notice.kind == kind, Notice.subject == subject, Notice.at_s > clock.now_s() - within_s)
    return session.scalar(select(Notice.id).where(*same).limit(1)) is not None


def spread(session: Session, zone: ZoneInfo) -> int:
    """Make the deliveries of notices that have none yet; return how many notices there were."""
    now_s = clock.now_s()
    fresh = select(Notice).where(Notice.spread_s.is_(None)).order_by(Notice.id).limit(SPREAD)
    told = list(session.scalars(fresh.options(joinedload(Notice.facility))))
    if not told:
        return 0
    running = list(session.scalars(select(Subscription).where(Subscription.ended_s.is_(None))))
    rows = [
        {"notice_id": notice.id, "subscription_id": one.id, "due_s": due_s(one, notice.at_s, zone)}
        for notice in told
        for one in running
        if _concerns(one, notice)
    ]
    if rows:
        # Doing it again after a crash adds nothing.
        session.execute(insert(session, Delivery).on_conflict_do_nothing(), rows)
    for notice in told:
        notice.spread_s = now_s
    return len(told)


def claim(session: Session) -> list[Delivery]:
    """
    Return what is to be sent now to one subscription, at most BATCH, oldest first; [] if there is nothing.

    They are lent for LEASE_S: a process that dies while it sends leaves them to be sent again.
    """
    now_s = clock.now_s()
    waiting = (Delivery.ended_s.is_(None), Delivery.due_s <= now_s)
    first = session.scalar(select(Delivery).where(*waiting).order_by(Delivery.due_s, Delivery.id).limit(1))
    if first is None:
        return []
    wanted = select(Delivery).where(*waiting, Delivery.subscription_id == first.subscription_id)
    wanted = wanted.order_by(Delivery.id).limit(BATCH)
    # Another notifying process on PostgreSQL passes over what this one has taken.
    wanted = wanted.options(joinedload(Delivery.notice).joinedload(Notice.facility), joinedload(Delivery.subscription))
    taken = list(session.scalars(wanted.with_for_update(skip_locked=True, of=Delivery)))
    for one in taken:
        one.tries += 1
        one.due_s = now_s + LEASE_S
    return taken


def settle(session: Session, taken: list[Delivery], error: str = "", zone: ZoneInfo | None = None) -> None:
    """Note that a claimed batch was sent, or why not. zone: the site's, so that it is not tried in quiet hours."""
    now_s = clock.now_s()
    for one in session.scalars(select(Delivery).where(Delivery.id.in_([row.id for row in taken]))):
        if one.ended_s is not None:
            continue
        one.error = error[:200]
        if not error:
            one.ended_s, one.sent = now_s, 1
        elif one.tries > len(PAUSES_S):
            one.ended_s = now_s
        else:
            one.due_s = now_s + PAUSES_S[one.tries - 1]
            if zone is not None:
                one.due_s = _after_quiet(one.subscription, _local(one.due_s, zone), zone)


def forget(session: Session) -> int:
    """Delete notices, ended deliveries and kept answers that are old; return how many notices."""
    now_s = clock.now_s()
    old = select(Notice.id).where(Notice.at_s < now_s - KEPT_S)
    session.execute(delete(Delivery).where(Delivery.notice_id.in_(old)))
    session.execute(delete(KeptAnswer).where(KeptAnswer.made_s < now_s - KEPT_ANSWER_S))
    return session.execute(delete(Notice).where(Notice.at_s < now_s - KEPT_S)).rowcount


def counts(session: Session) -> dict:
    """{"waiting", "dead"} of all deliveries: for operators."""
    waiting = select(func.count(Delivery.id)).where(Delivery.ended_s.is_(None))
    dead = select(func.count(Delivery.id)).where(Delivery.ended_s.is_not(None), Delivery.sent == 0)
    return {"waiting": session.scalar(waiting), "dead": session.scalar(dead)}


def due_s(one: Subscription, at_s: int, zone: ZoneInfo) -> int:
    """When a notice of `at_s` goes to a subscription: at its pace, and not in its quiet hours."""
    local = _local(at_s, zone)
    if one.pace == HOURLY:
        local = local.replace(minute=0, second=0) + timedelta(hours=1)
    elif one.pace == DAILY:
        morning = datetime.combine(local.date(), time(DIGEST_HOUR), zone)
        local = morning if local <= morning else datetime.combine(local.date() + timedelta(1), time(DIGEST_HOUR), zone)
    return _after_quiet(one, local, zone)


def _local(at_s, zone):
    return datetime.fromtimestamp(at_s, UTC).astimezone(zone)


def _after_quiet(one, local, zone):
    """A time of the site's, or the end of the quiet hours it lies in, as seconds."""
    if one.quiet_from is not None:
        minute = local.hour * 60 + local.minute
        if (minute - one.quiet_from) % 1440 < (one.quiet_to - one.quiet_from) % 1440:
            day = local.date() + timedelta(1 if minute > one.quiet_to else 0)
            local = datetime.combine(day, time(*divmod(one.quiet_to, 60)), zone)
    return int(local.timestamp())


def _concerns(one, notice):
    if notice.kind not in one.kinds:
        return False
    if one.facility_id is not None:
        return notice.facility_id == one.facility_id
    if one.organisation_id is not None:
        return notice.facility is not None and notice.facility.organisation_id == one.organisation_id
    return True


def _may_manage(session, by, organisation, facility):
    """True if a person has the right to manage all that a subscription covers."""
    if by is None:
        return True
    if facility is not None:
        return access.may(session, by, accounts.MANAGE, facility.id)
    if not accounts.may(by, accounts.MANAGE):
        return False
    if by.everywhere:
        return True
    return organisation is not None and organisation.id in set(session.scalars(_organisations(by)))


def _mine(session, query, by):
    """Limit a query of subscriptions to those a person may manage."""
    if by is None or by.everywhere:
        return query
    sites = access.within(select(Facility.id), by, Facility.id)
    mine = or_(Subscription.facility_id.in_(sites), Subscription.organisation_id.in_(_organisations(by)))
    return query.where(mine)


def _organisations(by):
    from server.models.people import UserPlace

    return select(UserPlace.organisation_id).where(UserPlace.user_id == by.id, UserPlace.organisation_id.is_not(None))
