"""Counts of throttled requests, shared by web processes."""

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "throttle_count",
        sa.Column("key", sa.String(64), primary_key=True),
        sa.Column("count", BIG, nullable=False, server_default="0"),
        sa.Column("ends_s", BIG, nullable=False),
    )
    op.create_index(op.f("ix_throttle_count_ends_s"), "throttle_count", ["ends_s"])
