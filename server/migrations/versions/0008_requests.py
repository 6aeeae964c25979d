"""Inspections that visitors ask for."""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "inspection_request",
        sa.Column("id", BIG, nullable=False),
        sa.Column("restroom_id", BIG, nullable=False),
        sa.Column("first_s", BIG, nullable=False),
        sa.Column("last_s", BIG, nullable=False),
        sa.Column("count", BIG, server_default="0", nullable=False),
        sa.Column("answered_s", BIG, nullable=True),
        sa.Column("inspection_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(
            ["restroom_id"], ["restroom.id"], name=op.f("fk_inspection_request_restroom_id")
        ),
        sa.ForeignKeyConstraint(
            ["inspection_id"], ["inspection.id"], name=op.f("fk_inspection_request_inspection_id")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inspection_request")),
    )
    op.create_index(op.f("ix_inspection_request_restroom_id"), "inspection_request", ["restroom_id"])
    op.create_index(op.f("ix_inspection_request_inspection_id"), "inspection_request", ["inspection_id"])
