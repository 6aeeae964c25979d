"""Idempotency keys, webhooks, notices."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("facility_id", BIG, nullable=True),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("at_s", BIG, nullable=False),
        sa.Column("spread_s", BIG, nullable=True),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_notice_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_notice")),
        sa.UniqueConstraint("public_id", name=op.f("uq_notice_public_id")),
    )
    op.create_index(op.f("ix_notice_facility_id"), "notice", ["facility_id"])
    op.create_index(op.f("ix_notice_at_s"), "notice", ["at_s"])
    op.create_index(op.f("ix_notice_spread_s"), "notice", ["spread_s"])
    _subscriptions()
    _deliveries()
    op.create_table(
        "kept_answer",
        sa.Column("id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("status", BIG, server_default="0", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("location", sa.String(length=200), server_default="", nullable=False),
        sa.Column("made_s", BIG, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_kept_answer_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_kept_answer")),
        sa.UniqueConstraint("user_id", "key", name=op.f("uq_kept_answer_user_id_key")),
    )
    op.create_index(op.f("ix_kept_answer_made_s"), "kept_answer", ["made_s"])


def _subscriptions():
    op.create_table(
        "subscription",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("organisation_id", BIG, nullable=True),
        sa.Column("facility_id", BIG, nullable=True),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("kinds", sa.JSON(), nullable=False),
        sa.Column("way", sa.String(length=32), nullable=False),
        sa.Column("target_sealed", sa.LargeBinary(), nullable=False),
        sa.Column("shown", sa.String(length=200), server_default="", nullable=False),
        sa.Column("secret_sealed", sa.LargeBinary(), nullable=True),
        sa.Column("language", sa.String(length=8), nullable=False),
        sa.Column("pace", sa.String(length=32), nullable=False),
        sa.Column("quiet_from", BIG, nullable=True),
        sa.Column("quiet_to", BIG, nullable=True),
        sa.Column("created_s", BIG, nullable=False),
        sa.Column("by_id", BIG, nullable=True),
        sa.Column("ended_s", BIG, nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_subscription_organisation_id")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_subscription_facility_id")),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_subscription_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_subscription")),
        sa.UniqueConstraint("public_id", name=op.f("uq_subscription_public_id")),
    )
    for column in ("organisation_id", "facility_id", "by_id", "ended_s"):
        op.create_index(op.f(f"ix_subscription_{column}"), "subscription", [column])


def _deliveries():
    op.create_table(
        "delivery",
        sa.Column("id", BIG, nullable=False),
        sa.Column("notice_id", BIG, nullable=False),
        sa.Column("subscription_id", BIG, nullable=False),
        sa.Column("due_s", BIG, nullable=False),
        sa.Column("tries", BIG, server_default="0", nullable=False),
        sa.Column("error", sa.String(length=200), server_default="", nullable=False),
        sa.Column("ended_s", BIG, nullable=True),
        sa.Column("sent", BIG, server_default="0", nullable=False),
        sa.ForeignKeyConstraint(["notice_id"], ["notice.id"], name=op.f("fk_delivery_notice_id")),
        sa.ForeignKeyConstraint(["subscription_id"], ["subscription.id"], name=op.f("fk_delivery_subscription_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_delivery")),
        sa.UniqueConstraint("notice_id", "subscription_id", name=op.f("uq_delivery_notice_id_subscription_id")),
    )
    op.create_index("ix_delivery_waiting", "delivery", ["ended_s", "due_s"])
    op.create_index(op.f("ix_delivery_subscription_id"), "delivery", ["subscription_id"])
