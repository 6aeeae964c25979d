"""Levels of findings: notice and alarm."""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ALARM_SCORE = 60  # what made a finding an alarm before there were levels


def upgrade() -> None:
    op.add_column("finding", sa.Column("level", sa.String(length=8), server_default="alarm", nullable=False))
    op.add_column("finding", sa.Column("alarmed_s", BIG, nullable=True))
    op.add_column("finding", sa.Column("likely", sa.String(length=32), server_default="", nullable=False))
    op.add_column("finding", sa.Column("lasted_s", BIG, nullable=True))
    op.add_column("finding_event", sa.Column("level", sa.String(length=8), server_default="alarm", nullable=False))
    op.execute(f"UPDATE finding SET alarmed_s = coalesce(first_at_s, created_s) WHERE score_max >= {ALARM_SCORE}")
    op.execute(f"UPDATE finding SET level = 'notice' WHERE score_max < {ALARM_SCORE}")
    op.execute(
        "UPDATE finding_event SET level = 'notice' WHERE finding_id IN (SELECT id FROM finding WHERE level = 'notice')"
    )
