"""When something suspicious was handed over after an inspection's result."""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("inspection", sa.Column("reopened_s", BIG, nullable=True))
