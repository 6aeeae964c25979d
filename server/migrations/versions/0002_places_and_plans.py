"""Imports, plans and their policies."""

import json

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
LEGAL_S = 183 * 86400
METHODS = ("eye", "rf", "lens")


def upgrade() -> None:
    op.add_column("facility", sa.Column("reminded_s", BIG, nullable=True))
    op.add_column("restroom", sa.Column("sort_key", sa.String(length=420), server_default="", nullable=False))
    for name in ("source_id", "eye_done_s", "rf_done_s", "lens_done_s", "selftest_done_s", "due_s"):
        op.add_column("restroom", sa.Column(name, BIG, nullable=True))
    op.add_column("restroom", sa.Column("due_method", sa.String(length=32), nullable=True))
    in_use = sa.text("retired_s IS NULL")
    op.create_index(
        "ix_restroom_list", "restroom", ["sort_key", "id"], sqlite_where=in_use, postgresql_where=in_use
    )
    op.create_index("ix_restroom_due_s", "restroom", ["due_s", "id"])
    op.create_index("ix_restroom_latitude", "restroom", ["latitude"])
    op.create_index("ix_restroom_source_id", "restroom", ["source_id"])
    op.create_index("ix_inspection_restroom_id_finished_s", "inspection", ["restroom_id", "finished_s"])
    op.create_table(
        "facility_source",
        sa.Column("id", BIG, nullable=False),
        sa.Column("facility_id", BIG, nullable=False),
        sa.Column("source", sa.String(length=32), nullable=False),
        sa.Column("key", sa.String(length=100), nullable=False),
        sa.Column("digest", sa.String(length=32), nullable=False),
        sa.Column("match", sa.String(length=32), nullable=False),
        sa.Column("said", sa.JSON(), nullable=False),
        sa.Column("seen_s", BIG, nullable=False),
        sa.Column("gone_s", BIG, nullable=True),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name="fk_facility_source_facility_id"),
        sa.PrimaryKeyConstraint("id", name="pk_facility_source"),
        sa.UniqueConstraint("source", "key", name="uq_facility_source_source_key"),
    )
    op.create_index("ix_facility_source_facility_id", "facility_source", ["facility_id"])
    op.create_table(
        "restroom_import",
        sa.Column("id", BIG, nullable=False),
        sa.Column("public_id", sa.String(length=16), nullable=False),
        sa.Column("file_name", sa.String(length=200), server_default="", nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("made_s", BIG, nullable=False),
        sa.Column("by_id", BIG, nullable=True),
        sa.Column("applied_s", BIG, nullable=True),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name="fk_restroom_import_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_restroom_import"),
        sa.UniqueConstraint("public_id", name="uq_restroom_import_public_id"),
    )
    op.create_index("ix_restroom_import_by_id", "restroom_import", ["by_id"])
    op.create_index("ix_restroom_import_made_s", "restroom_import", ["made_s"])
    op.create_table(
        "inspection_policy",
        sa.Column("id", BIG, nullable=False),
        sa.Column("organisation_id", BIG, nullable=True),
        sa.Column("facility_id", BIG, nullable=True),
        sa.Column("restroom_id", BIG, nullable=True),
        sa.Column("method", sa.String(length=32), nullable=False),
        sa.Column("days", BIG, nullable=True),
        sa.Column("set_s", BIG, nullable=False),
        sa.Column("by_id", BIG, nullable=True),
        sa.ForeignKeyConstraint(["organisation_id"], ["organisation.id"], name="fk_inspection_policy_organisation_id"),
        sa.ForeignKeyConstraint(["facility_id"], ["facility.id"], name="fk_inspection_policy_facility_id"),
        sa.ForeignKeyConstraint(["restroom_id"], ["restroom.id"], name="fk_inspection_policy_restroom_id"),
        sa.ForeignKeyConstraint(["by_id"], ["user.id"], name="fk_inspection_policy_by_id"),
        sa.PrimaryKeyConstraint("id", name="pk_inspection_policy"),
    )
    for name in ("organisation_id", "facility_id", "restroom_id", "by_id"):
        op.create_index(f"ix_inspection_policy_{name}", "inspection_policy", [name])
    _fill()


def _fill():
    """What is already there gets its place in the list and its due times, by the law's interval."""
    connection = op.get_bind()
    connection.execute(
        sa.text(
            "UPDATE restroom SET sort_key = substr((SELECT lower(facility.name) FROM facility "
            "WHERE facility.id = restroom.facility_id) || ' / ' || lower(restroom.name), 1, 420)"
        )
    )
    results = sa.text(
        "SELECT inspection.restroom_id, inspection.finished_s, inspection_result.methods FROM inspection_result "
        "JOIN inspection ON inspection.id = inspection_result.inspection_id WHERE inspection_result.id IN "
        "(SELECT max(id) FROM inspection_result GROUP BY inspection_id) AND inspection_result.result != 'not_completed' "
        "ORDER BY inspection.finished_s"
    )
    done = {}
    for restroom_id, finished_s, methods in connection.execute(results).all():
        methods = json.loads(methods) if isinstance(methods, str) else methods
        done.setdefault(restroom_id, {}).update(dict.fromkeys(methods, finished_s))
    rooms = connection.execute(sa.text("SELECT id, created_s FROM restroom WHERE retired_s IS NULL")).all()
    for restroom_id, created_s in rooms:
        of = done.get(restroom_id, {})
        due = [(of[method] + LEGAL_S if method in of else created_s, method) for method in METHODS]
        due_s, method = min(due, key=lambda one: one[0])
        connection.execute(
            sa.text(
                "UPDATE restroom SET eye_done_s = :eye, rf_done_s = :rf, lens_done_s = :lens, due_s = :due_s, "
                "due_method = :method WHERE id = :id"
            ),
            {**dict.fromkeys(METHODS), **of, "due_s": due_s, "method": method, "id": restroom_id},
        )
