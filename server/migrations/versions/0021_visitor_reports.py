"""What visitors ask for and report, with a code for its status; the operator's phone for the public pages."""

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    with op.batch_alter_table("organisation") as batch:
        batch.add_column(sa.Column("phone", sa.String(40), nullable=False, server_default=""))
    op.create_table(
        "visitor_report",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("public_id", sa.String(16), nullable=False),
        sa.Column("restroom_id", BIG, nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("stall", BIG, nullable=False, server_default="0"),
        sa.Column("at_s", BIG, nullable=False),
        sa.ForeignKeyConstraint(["restroom_id"], ["restroom.id"], name="fk_visitor_report_restroom_id"),
        sa.UniqueConstraint("public_id", name="uq_visitor_report_public_id"),
    )
    for name in ("restroom_id", "at_s"):
        op.create_index(f"ix_visitor_report_{name}", "visitor_report", [name])
