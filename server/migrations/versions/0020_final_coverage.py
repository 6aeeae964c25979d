"""The coverage of a result once the last sweeps have come."""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("inspection_result") as batch:
        batch.add_column(sa.Column("final_coverage", sa.JSON(), nullable=True))
