"""Which finding a command to follow a signal, or to test for movement, is about."""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("command") as batch:
        batch.add_column(sa.Column("finding_id", BIG, nullable=True))
        batch.create_foreign_key(op.f("fk_command_finding_id"), "finding", ["finding_id"], ["id"])
        batch.create_index(op.f("ix_command_finding_id"), ["finding_id"])
