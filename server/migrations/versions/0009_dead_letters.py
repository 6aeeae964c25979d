"""Messages that could not be stored."""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "dead_letter",
        sa.Column("id", BIG, nullable=False),
        sa.Column("sensor", sa.String(length=32), nullable=False),
        sa.Column("topic", sa.String(length=64), nullable=False),
        sa.Column("reason", sa.String(length=200), server_default="", nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("received_s", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_dead_letter")),
    )
    if op.get_bind().dialect.name == "sqlite":
        # Late dropped ranges took row numbers without reserving them.
        op.execute(
            "UPDATE sqlite_sequence SET seq = max(seq, coalesce((SELECT max(report_id) FROM dropped_range), 0)) "
            "WHERE name = 'report'"
        )
