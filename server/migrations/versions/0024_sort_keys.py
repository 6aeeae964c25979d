"""Names as lists sort them, by language; and the times in which restrooms were out of use, from the log."""

import re

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None

LENGTH = 420
BATCH = 2000


def upgrade() -> None:
    for table in ("facility", "restroom"):
        for column in ("sort_key", "sort_key_en"):
            if (table, column) != ("restroom", "sort_key"):
                op.add_column(table, sa.Column(column, sa.String(LENGTH), nullable=False, server_default=""))
    in_use = sa.text("retired_s IS NULL")
    op.create_index(
        "ix_restroom_list_en", "restroom", ["sort_key_en", "id"], sqlite_where=in_use, postgresql_where=in_use
    )
    connection = op.get_bind()
    _fill_sort_keys(connection)
    _split_uses(connection)


def _fill_sort_keys(connection) -> None:
    facilities = connection.execute(sa.text("SELECT id, name, name_en FROM facility")).all()
    _update(connection, "facility", [(row.id, _key(row.name), _key(row.name_en or row.name)) for row in facilities])
    named = {row.id: (row.name, row.name_en or row.name) for row in facilities}
    rooms = connection.execute(sa.text("SELECT id, facility_id, name, name_en FROM restroom")).all()
    keys = []
    for room in rooms:
        name, name_en = named.get(room.facility_id, ("", ""))
        keys.append((room.id, _key(name, room.name), _key(name_en, room.name_en or room.name)))
    _update(connection, "restroom", keys)


def _update(connection, table, keys):
    statement = sa.text(f"UPDATE {table} SET sort_key = :key, sort_key_en = :key_en WHERE id = :id")
    for start in range(0, len(keys), BATCH):
        rows = [{"id": id_, "key": key, "key_en": key_en} for id_, key, key_en in keys[start : start + BATCH]]
        connection.execute(statement, rows)


def _key(*names: str) -> str:
    text = " / ".join(names).lower()
    return re.sub(r"\d+", lambda match: match[0].lstrip("0").rjust(8, "0"), text)[:LENGTH]


def _split_uses(connection) -> None:
    """Take the times between "retired" and "back" of the log out of the uses; since version 0019 they are."""
    query = sa.text(
        "SELECT restroom.id, log_entry.at_s, log_entry.kind FROM log_entry "
        "JOIN restroom ON restroom.public_id = log_entry.subject "
        "WHERE log_entry.kind IN ('restroom.retired', 'restroom.back') ORDER BY log_entry.n"
    )
    gaps: dict[int, list] = {}
    for room_id, at_s, kind in connection.execute(query).all():
        own = gaps.setdefault(room_id, [])
        if kind == "restroom.retired":
            own.append([at_s, None])
        elif own and own[-1][1] is None:
            own[-1][1] = at_s
    for room_id, own in gaps.items():
        for from_s, to_s in own:
            if to_s is not None and to_s > from_s:
                _take_out(connection, room_id, from_s, to_s)


def _take_out(connection, room_id, from_s, to_s):
    values = {"room": room_id, "from_s": from_s, "to_s": to_s}
    add = sa.text(
        "INSERT INTO restroom_use (restroom_id, organisation_id, from_s, to_s) VALUES (:room, :owner, :since_s, :from_s)"
    )
    ended = sa.text(
        "SELECT id, organisation_id, from_s FROM restroom_use "
        "WHERE restroom_id = :room AND from_s < :from_s AND to_s > :to_s"
    )
    for use in connection.execute(ended, values).all():
        connection.execute(add, {**values, "owner": use.organisation_id, "since_s": use.from_s})
        connection.execute(
            sa.text("UPDATE restroom_use SET from_s = :to_s WHERE id = :id"), {"to_s": to_s, "id": use.id}
        )
    current = sa.text(
        "SELECT facility.organisation_id, coalesce(restroom.use_since_s, restroom.created_s) AS since_s FROM restroom "
        "JOIN facility ON facility.id = restroom.facility_id WHERE restroom.id = :room "
        "AND coalesce(restroom.use_since_s, restroom.created_s) < :from_s "
        "AND (restroom.retired_s IS NULL OR restroom.retired_s > :to_s)"
    )
    for room in connection.execute(current, values).all():
        connection.execute(add, {**values, "owner": room.organisation_id, "since_s": room.since_s})
        connection.execute(sa.text("UPDATE restroom SET use_since_s = :to_s WHERE id = :room"), values)
