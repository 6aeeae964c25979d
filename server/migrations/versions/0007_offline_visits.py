"""Visits that were written down without a network."""

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "offline_visit",
        sa.Column("id", BIG, nullable=False),
        sa.Column("key", sa.String(length=36), nullable=False),
        sa.Column("inspection_id", BIG, nullable=False),
        sa.Column("began_s", BIG, nullable=False),
        sa.Column("ended_s", BIG, nullable=False),
        sa.Column("received_s", BIG, nullable=False),
        sa.Column("by_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(["inspection_id"], ["inspection.id"], name=op.f("fk_offline_visit_inspection_id")),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_offline_visit_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_offline_visit")),
        sa.UniqueConstraint("key", name=op.f("uq_offline_visit_key")),
    )
    op.create_index(op.f("ix_offline_visit_inspection_id"), "offline_visit", ["inspection_id"])
    op.create_index(op.f("ix_offline_visit_by_id"), "offline_visit", ["by_id"])
