"""When a command was acknowledged, in milliseconds."""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("command", sa.Column("acknowledged_ms", BIG, nullable=True))
