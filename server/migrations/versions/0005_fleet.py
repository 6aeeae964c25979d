"""Claims, key rotation, updates and their roll-out."""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "firmware_release",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("version", sa.String(length=32), nullable=False),
        sa.Column("boards", sa.JSON(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("bytes", BIG, server_default="0", nullable=False),
        sa.Column("added_s", BIG, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_firmware_release")),
        sa.UniqueConstraint("public_id", name=op.f("uq_firmware_release_public_id")),
        sa.UniqueConstraint("sha256", name=op.f("uq_firmware_release_sha256")),
    )
    op.create_table(
        "release_file",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", name=op.f("pk_release_file")),
    )
    op.create_table(
        "rollout",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("release_id", BIG, nullable=False),
        sa.Column("began_s", BIG, nullable=False),
        sa.Column("by_id", BIG, nullable=True),
        sa.Column("canaries", BIG, server_default="0", nullable=False),
        sa.Column("most_failures", BIG, server_default="0", nullable=False),
        sa.Column("ended_s", BIG, nullable=True),
        sa.Column("stopped", sa.Boolean(), server_default="0", nullable=False),
        sa.Column("why", sa.String(length=32), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_rollout_by_id")),
        sa.ForeignKeyConstraint(["release_id"], ["firmware_release.id"], name=op.f("fk_rollout_release_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout")),
        sa.UniqueConstraint("public_id", name=op.f("uq_rollout_public_id")),
    )
    with op.batch_alter_table("rollout", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rollout_by_id"), ["by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rollout_ended_s"), ["ended_s"], unique=False)
        batch_op.create_index(batch_op.f("ix_rollout_release_id"), ["release_id"], unique=False)

    op.create_table(
        "claim",
        sa.Column("id", BIG, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("made_s", BIG, nullable=False),
        sa.Column("made_by_id", BIG, nullable=True),
        sa.Column("expires_s", BIG, nullable=False),
        sa.Column("sensor_id", BIG, nullable=True),
        sa.Column("restroom_id", BIG, nullable=True),
        sa.Column("used_s", BIG, nullable=True),
        sa.ForeignKeyConstraint(["made_by_id"], ["user.id"], name=op.f("fk_claim_made_by_id")),
        sa.ForeignKeyConstraint(["restroom_id"], ["restroom.id"], name=op.f("fk_claim_restroom_id")),
        sa.ForeignKeyConstraint(["sensor_id"], ["sensor.id"], name=op.f("fk_claim_sensor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_claim")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_claim_code_hash")),
    )
    with op.batch_alter_table("claim", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_claim_made_by_id"), ["made_by_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_claim_restroom_id"), ["restroom_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_claim_sensor_id"), ["sensor_id"], unique=False)

    op.create_table(
        "rollout_sensor",
        sa.Column("id", BIG, nullable=False),
        sa.Column("rollout_id", BIG, nullable=False),
        sa.Column("sensor_id", BIG, nullable=False),
        sa.Column("canary", sa.Boolean(), nullable=False),
        sa.Column("offered_s", BIG, nullable=True),
        sa.Column("command_id", BIG, nullable=True),
        sa.Column("ended_s", BIG, nullable=True),
        sa.Column("outcome", sa.String(length=32), server_default="", nullable=False),
        sa.ForeignKeyConstraint(["command_id"], ["command.id"], name=op.f("fk_rollout_sensor_command_id")),
        sa.ForeignKeyConstraint(["rollout_id"], ["rollout.id"], name=op.f("fk_rollout_sensor_rollout_id")),
        sa.ForeignKeyConstraint(["sensor_id"], ["sensor.id"], name=op.f("fk_rollout_sensor_sensor_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_rollout_sensor")),
        sa.UniqueConstraint("rollout_id", "sensor_id", name=op.f("uq_rollout_sensor_rollout_id_sensor_id")),
    )
    with op.batch_alter_table("rollout_sensor", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_rollout_sensor_command_id"), ["command_id"], unique=False)
        batch_op.create_index(batch_op.f("ix_rollout_sensor_sensor_id"), ["sensor_id"], unique=False)

    with op.batch_alter_table("sensor", schema=None) as batch_op:
        batch_op.add_column(sa.Column("info_s", BIG, nullable=True))
        batch_op.add_column(sa.Column("keyed_s", BIG, nullable=True))
