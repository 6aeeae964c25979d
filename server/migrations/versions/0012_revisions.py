"""What a person had seen when answering, and when an answer or a step was written."""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
# The columns that tell of which point an entry is.
POINTS = {"checklist_answer": ("inspection_id", "item", "stall"), "inspection_step": ("inspection_id", "method")}


def upgrade() -> None:
    for table, point in POINTS.items():
        op.add_column(table, sa.Column("seen_id", BIG, server_default="0", nullable=False))
        op.add_column(table, sa.Column("received_s", BIG, nullable=True))
        # Until now the newest entry counted, as if everybody had seen the one before.
        same = " AND ".join(f"earlier.{column} = {table}.{column}" for column in point)
        op.execute(
            f"UPDATE {table} SET seen_id = COALESCE((SELECT max(earlier.id) FROM {table} AS earlier"  # noqa: S608
            f" WHERE {same} AND earlier.id < {table}.id), 0)"
        )
    op.add_column("offline_visit", sa.Column("clamped", sa.Boolean(), server_default="0", nullable=False))
