"""Reports as they were submitted."""

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "frozen_report",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.Column("of", sa.String(32), nullable=False, server_default=""),
        sa.Column("year", BIG, nullable=False),
        sa.Column("half", BIG, nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("at_s", BIG, nullable=False),
        sa.Column("by_id", BIG, sa.ForeignKey("user.id", name=op.f("fk_frozen_report_by_id")), nullable=True),
        sa.UniqueConstraint("public_id", name=op.f("uq_frozen_report_public_id")),
    )
    op.create_index(op.f("ix_frozen_report_by_id"), "frozen_report", ["by_id"])
