"""The chained log, scopes of people, second factor, tokens, retention."""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
REFUSAL = "the log is append-only"


def upgrade() -> None:
    _log()
    _people()
    _privacy()


def _log():
    op.create_table(
        "log_entry",
        sa.Column("n", BIG, autoincrement=False, nullable=False),
        sa.Column("at_s", BIG, nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("personal", sa.String(length=64), nullable=True),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_log_entry")),
    )
    op.create_index(op.f("ix_log_entry_kind"), "log_entry", ["kind"])
    op.create_index(op.f("ix_log_entry_subject"), "log_entry", ["subject"])
    op.create_table(
        "log_personal",
        sa.Column("n", BIG, autoincrement=False, nullable=False),
        sa.Column("salt", sa.String(length=64), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_log_personal")),
    )
    tip = op.create_table(
        "log_tip",
        sa.Column("id", BIG, nullable=False),
        sa.Column("n", BIG, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_log_tip")),
    )
    op.bulk_insert(tip, [{"id": 1, "n": 0, "hash": "0" * 64}])
    op.create_table(
        "log_head",
        sa.Column("n", BIG, autoincrement=False, nullable=False),
        sa.Column("hash", sa.String(length=64), nullable=False),
        sa.Column("at_s", BIG, nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("signature", sa.String(length=128), nullable=False),
        sa.Column("token", sa.LargeBinary(), nullable=True),
        sa.PrimaryKeyConstraint("n", name=op.f("pk_log_head")),
    )
    # Personal fields may be forgotten, so their rows can go; verify-log wants an entry that says so.
    _refuse("log_entry", ("UPDATE", "DELETE"))
    _refuse("log_head", ("UPDATE", "DELETE"))
    _refuse("log_personal", ("UPDATE",))


def _refuse(table, actions):
    """Let the database itself refuse. A later migration that builds one of these tables anew has to do this again."""
    if op.get_bind().dialect.name == "postgresql":
        op.execute(
            "CREATE OR REPLACE FUNCTION log_refuses() RETURNS trigger AS "
            f"$$ BEGIN RAISE EXCEPTION '{REFUSAL}'; END $$ LANGUAGE plpgsql"
        )
        op.execute(
            f"CREATE TRIGGER {table}_refuses BEFORE {' OR '.join(actions)} ON {table} "
            "FOR EACH ROW EXECUTE FUNCTION log_refuses()"
        )
        op.execute(
            f"CREATE TRIGGER {table}_stays BEFORE TRUNCATE ON {table} FOR EACH STATEMENT EXECUTE FUNCTION log_refuses()"
        )
    else:
        for action in actions:
            op.execute(
                f"CREATE TRIGGER {table}_no_{action.lower()} BEFORE {action} ON {table} "
                f"BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
            )
        # INSERT OR REPLACE removes the old row without asking a DELETE trigger (https://www.sqlite.org/lang_conflict.html).
        op.execute(
            f"CREATE TRIGGER {table}_no_replace BEFORE INSERT ON {table} "
            f"WHEN EXISTS (SELECT 1 FROM {table} WHERE n = NEW.n) BEGIN SELECT RAISE(ABORT, '{REFUSAL}'); END"
        )


def _people():
    op.add_column("user", sa.Column("everywhere", sa.Boolean(), server_default="1", nullable=False))
    op.add_column("user", sa.Column("erased_s", BIG, nullable=True))
    op.add_column("user", sa.Column("totp_sealed", sa.LargeBinary(), nullable=True))
    op.add_column("user", sa.Column("totp_step", BIG, server_default="0", nullable=False))
    op.create_table(
        "user_place",
        sa.Column("id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("organisation_id", BIG, nullable=True),
        sa.Column("facility_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_user_place_user_id")),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name=op.f("fk_user_place_organisation_id")),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_user_place_facility_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_user_place")),
        sa.UniqueConstraint(
            "user_id", "organisation_id", "facility_id", name=op.f("uq_user_place_user_id_organisation_id_facility_id")
        ),
    )
    op.create_index(op.f("ix_user_place_organisation_id"), "user_place", ["organisation_id"])
    op.create_index(op.f("ix_user_place_facility_id"), "user_place", ["facility_id"])
    op.create_table(
        "recovery_code",
        sa.Column("id", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("used_s", BIG, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_recovery_code_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_recovery_code")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_recovery_code_code_hash")),
    )
    op.create_index(op.f("ix_recovery_code_user_id"), "recovery_code", ["user_id"])
    op.create_table(
        "invitation",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("code_hash", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("role", sa.String(length=32), nullable=False),
        sa.Column("everywhere", sa.Boolean(), nullable=False),
        sa.Column("places", sa.JSON(), nullable=False),
        sa.Column("created_s", BIG, nullable=False),
        sa.Column("created_by_id", BIG, nullable=True),
        sa.Column("expires_s", BIG, nullable=False),
        sa.Column("ended_s", BIG, nullable=True),
        sa.Column("user_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(["created_by_id"], ["user.id"], name=op.f("fk_invitation_created_by_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_invitation_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_invitation")),
        sa.UniqueConstraint("code_hash", name=op.f("uq_invitation_code_hash")),
        sa.UniqueConstraint("public_id", name=op.f("uq_invitation_public_id")),
    )
    op.create_index(op.f("ix_invitation_created_by_id"), "invitation", ["created_by_id"])
    op.create_index(op.f("ix_invitation_user_id"), "invitation", ["user_id"])
    op.create_table(
        "token",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("user_id", BIG, nullable=False),
        sa.Column("name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_s", BIG, nullable=False),
        sa.Column("expires_s", BIG, nullable=False),
        sa.Column("last_used_s", BIG, nullable=True),
        sa.Column("revoked_s", BIG, nullable=True),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_token_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_token")),
        sa.UniqueConstraint("public_id", name=op.f("uq_token_public_id")),
    )
    op.create_index(op.f("ix_token_user_id"), "token", ["user_id"])


def _privacy():
    op.create_table(
        "access_event",
        sa.Column("id", BIG, nullable=False),
        sa.Column("at_s", BIG, nullable=False),
        sa.Column("user_id", BIG, nullable=True),
        sa.Column("token_id", BIG, nullable=True),
        sa.Column("kind", sa.String(length=32), nullable=False),
        sa.Column("subject", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user.id"], name=op.f("fk_access_event_user_id")),
        sa.ForeignKeyConstraint(["token_id"], ["token.id"], name=op.f("fk_access_event_token_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_access_event")),
    )
    op.create_index(op.f("ix_access_event_at_s"), "access_event", ["at_s"])
    op.create_index(op.f("ix_access_event_user_id"), "access_event", ["user_id"])
    op.create_index(op.f("ix_access_event_token_id"), "access_event", ["token_id"])
    op.create_index("ix_access_event_subject", "access_event", ["subject", "id"])
    op.create_table(
        "site_notice",
        sa.Column("id", BIG, nullable=False),
        sa.Column("facility_id", BIG, nullable=False),
        sa.Column("text", sa.String(length=2000), server_default="", nullable=False),
        sa.Column("text_en", sa.String(length=2000), server_default="", nullable=False),
        sa.Column("at_s", BIG, nullable=False),
        sa.Column("by_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name=op.f("fk_site_notice_facility_id")),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name=op.f("fk_site_notice_by_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_site_notice")),
    )
    op.create_index(op.f("ix_site_notice_facility_id"), "site_notice", ["facility_id"])
    op.create_index(op.f("ix_site_notice_by_id"), "site_notice", ["by_id"])
