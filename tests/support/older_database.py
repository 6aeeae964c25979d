"""
A database as an earlier version of the server left it, with a row in every table.

    rows = build(engine, "0015")    # {table: {column: value}}; the schema is that of migration 0015

The rows are made from the schema alone: they are no real installation's, but every column has a value, every foreign
key points to a row unless its table comes later. So a migration that forgets a default, a type or a key fails.
"""

from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import sqlalchemy as sa
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext

from server import migrations
from server.models import Base

# Columns that a migration calculates anew.
DERIVED = {("restroom", "sort_key")}
_SCRIPTS = Path(migrations.__file__).parent


def build(engine: sa.Engine, revision: str) -> dict[str, dict[str, Any]]:
    """Migrate an empty database to a revision, insert a row into every table, and return {table: {column: value}}."""
    config = Config()
    config.set_main_option("script_location", str(_SCRIPTS))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, revision)
    metadata = sa.MetaData()
    metadata.reflect(engine)
    rows: dict[str, dict[str, Any]] = {}
    for table in metadata.sorted_tables:
        if table.name == "alembic_version":
            continue
        with engine.begin() as connection:
            existing = connection.execute(sa.select(table)).mappings().first()
            if existing:  # inserted by a migration
                rows[table.name] = dict(existing)
                continue
            row = {column.name: _value(column, rows) for column in table.columns}
            connection.execute(sa.insert(table).values(row))
            rows[table.name] = row
    return rows


def check(engine: sa.Engine, before: dict[str, dict[str, Any]]) -> None:
    """Assert that the schema of an upgraded database is the models', and that each row has the values it had."""
    metadata = sa.MetaData()
    metadata.reflect(engine)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), Base.metadata) == []
        for name, row in before.items():
            table = metadata.tables[name]
            after = connection.execute(sa.select(table)).mappings().first()
            assert after, name
            for column in set(row) & set(after):
                if (name, column) in DERIVED:
                    continue
                assert after[column] == row[column], f"{name}.{column}"


def _value(column, rows):
    for key in column.foreign_keys:
        target = rows.get(key.column.table.name)
        if target is not None:
            return target[key.column.name]
        return None  # of the same table, or of a table in a cycle
    kind = column.type
    if isinstance(kind, sa.Boolean):
        return False
    if isinstance(kind, sa.JSON):
        return {}
    if isinstance(kind, sa.Integer | sa.Numeric | sa.Float):
        return 1
    if isinstance(kind, sa.LargeBinary):
        return b"x"
    if isinstance(kind, sa.DateTime):
        return datetime(2026, 1, 1, tzinfo=UTC)
    if isinstance(kind, sa.Date):
        return date(2026, 1, 1)
    return "x"
