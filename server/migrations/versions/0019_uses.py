"""When restrooms were in use, and which dispositions are a person's."""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ON_THE_LIST = "on the facility's list of known emitters"


def upgrade() -> None:
    op.create_table(
        "restroom_use",
        sa.Column("id", BIG, primary_key=True),
        sa.Column("restroom_id", BIG, sa.ForeignKey("restroom.id", name=op.f("fk_restroom_use_restroom_id")), nullable=False),
        sa.Column("organisation_id", BIG, sa.ForeignKey("organisation.id", name=op.f("fk_restroom_use_organisation_id")), nullable=False),
        sa.Column("from_s", BIG, nullable=False),
        sa.Column("to_s", BIG, nullable=False),
    )
    op.create_index(op.f("ix_restroom_use_restroom_id"), "restroom_use", ["restroom_id"])
    op.create_index(op.f("ix_restroom_use_organisation_id"), "restroom_use", ["organisation_id"])
    op.add_column("restroom", sa.Column("use_since_s", BIG, nullable=True))
    op.add_column("disposition", sa.Column("automatic", sa.Boolean(), nullable=False, server_default="0"))
    # A disposition whose reason was erased is the list's if it was made together with its finding.
    op.execute(
        f"""
        UPDATE disposition SET automatic = true
        WHERE by_id IS NULL AND (reason = '{ON_THE_LIST.replace("'", "''")}' OR (reason = '' AND EXISTS (
            SELECT 1 FROM finding WHERE finding.id = disposition.finding_id
            AND finding.known_emitter_id IS NOT NULL AND finding.created_s = disposition.at_s)))
        """
    )
