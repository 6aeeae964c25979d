"""What a sensor did not receive while it listened."""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for name in ("numbered", "missed", "flash_ms", "ble_dropped"):
        op.add_column("sweep", sa.Column(name, BIG, server_default="0", nullable=False))
