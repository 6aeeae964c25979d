"""Notifications, subscriptions and deliveries, and the API's answers kept for idempotency keys."""

from sqlalchemy import JSON, Index, LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column, relationship

from server import ids
from server.models.base import Base, Count, Id, Json, Name, PublicId, TimeS, Word, key_of
from server.models.places import Facility, Organisation

# Events that a subscription can cover.
FINDING_NEW, FINDING_NOTICE, INSPECTION_REOPENED = "finding_new", "finding_notice", "inspection_reopened"
INSPECTION_OVERDUE, INSPECTION_ASKED, SENSOR_SILENT, SENSOR_OVER_QUOTA, CHAIN_BROKEN = (
    "inspection_overdue",
    "inspection_asked",
    "sensor_silent",
    "sensor_over_quota",
    "chain_broken",
)
INSPECTION_FINISHED, INSPECTION_CORRECTED = "inspection_finished", "inspection_corrected"
MESSAGE_REFUSED, NOT_READY = "message_refused", "not_ready"
FINDING_ESCALATED, FINDING_DISPOSED, SENSOR_BACK = "finding_escalated", "finding_disposed", "sensor_back"
KINDS = (
    FINDING_NEW,
    FINDING_NOTICE,
    FINDING_ESCALATED,
    FINDING_DISPOSED,
    INSPECTION_FINISHED,
    INSPECTION_CORRECTED,
    INSPECTION_REOPENED,
    INSPECTION_OVERDUE,
    INSPECTION_ASKED,
    SENSOR_SILENT,
    SENSOR_BACK,
    SENSOR_OVER_QUOTA,
    MESSAGE_REFUSED,
    NOT_READY,
    CHAIN_BROKEN,
)

TEST = "test"  # not in KINDS: sent to one subscription by its test button

WEBHOOK, APPRISE = "webhook", "apprise"
WAYS = (WEBHOOK, APPRISE)

AT_ONCE, HOURLY, DAILY = "at_once", "hourly", "daily"
PACES = (AT_ONCE, HOURLY, DAILY)


class Notification(Base):
    """One event to send to subscribers, written in the transaction of the event: the outbox."""

    __tablename__ = "notice"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=lambda: ids.new(16))
    kind: Mapped[Word]  # one of KINDS
    facility_id: Mapped[int | None] = key_of("facility.id")  # null: no facility
    subject: Mapped[str] = mapped_column(String(64))  # public id, or a sensor's name
    facts: Mapped[dict] = mapped_column(JSON)  # values for its sentence; no personal data, no addresses
    at_s: Mapped[TimeS] = mapped_column(index=True)
    spread_s: Mapped[int | None] = mapped_column(index=True)  # when its deliveries were made; null: not yet

    facility: Mapped[Facility | None] = relationship()


class Subscription(Base):
    """Where notifications of some kinds and places are sent, and when. Never edited: end it and add another."""

    __tablename__ = "subscription"

    id: Mapped[Id]
    public_id: Mapped[PublicId] = mapped_column(default=ids.new)
    # A facility, an organisation, or (both null) everything there is.
    organisation_id: Mapped[int | None] = key_of("organisation.id")
    facility_id: Mapped[int | None] = key_of("facility.id")
    name: Mapped[Name]
    kinds: Mapped[Json]  # some of KINDS
    way: Mapped[Word]  # one of WAYS
    target_sealed: Mapped[bytes] = mapped_column(LargeBinary)  # the address: it may hold passwords
    shown: Mapped[Name]  # what pages show of it: scheme and host
    secret_sealed: Mapped[bytes | None] = mapped_column(LargeBinary)  # a webhook's signing key
    language: Mapped[str] = mapped_column(String(8))
    pace: Mapped[Word]  # one of PACES
    quiet_from: Mapped[int | None]  # minutes after midnight at the site; null: never quiet
    quiet_to: Mapped[int | None]
    created_s: Mapped[TimeS]
    by_id: Mapped[int | None] = key_of("user.id")
    ended_s: Mapped[int | None] = mapped_column(index=True)

    organisation: Mapped[Organisation | None] = relationship()
    facility: Mapped[Facility | None] = relationship()


class Delivery(Base):
    """One notification for one subscription. Sent at least once, or given up after the last attempt."""

    __tablename__ = "delivery"
    __table_args__ = (
        UniqueConstraint("notice_id", "subscription_id"),
        Index("ix_delivery_waiting", "ended_s", "due_s"),
    )

    id: Mapped[Id]
    notice_id: Mapped[int] = key_of("notice.id", index=False)
    subscription_id: Mapped[int] = key_of("subscription.id")
    due_s: Mapped[TimeS]  # the next attempt
    tries: Mapped[Count]
    error: Mapped[Name]  # why the last attempt failed, without addresses or secrets
    ended_s: Mapped[int | None]  # sent, or given up
    sent: Mapped[Count]  # 1 if it was sent

    notification: Mapped[Notification] = relationship()
    subscription: Mapped[Subscription] = relationship()


class KeptAnswer(Base):
    """The answer to an API request with an idempotency key, returned again if the request is repeated."""

    __tablename__ = "kept_answer"
    __table_args__ = (UniqueConstraint("user_id", "key"),)

    id: Mapped[Id]
    user_id: Mapped[int] = key_of("user.id", index=False)
    key: Mapped[str] = mapped_column(String(100))
    digest: Mapped[str] = mapped_column(String(64))  # SHA-256 of method, path and body
    status: Mapped[Count]
    body: Mapped[bytes] = mapped_column(LargeBinary)
    location: Mapped[Name]
    made_s: Mapped[TimeS] = mapped_column(index=True)
