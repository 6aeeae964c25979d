"""Plans by calendar rules."""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None


def upgrade() -> None:
    with op.batch_alter_table("inspection_policy") as batch:
        batch.add_column(sa.Column("rule", sa.String(32), nullable=False, server_default=""))
