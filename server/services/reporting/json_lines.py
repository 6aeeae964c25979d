"""
All rows as JSON Lines, for archives, other programs, and moves from one kind of database to the other.

    with open(path, "wb") as file: json_lines.write(engine, file)    # without secrets and hardware addresses
    json_lines.write(engine, file, whole=True)                       # for backups
    json_lines.read(engine, file)

The first line is {"ansim": "rows", "version": 1, "form", "made_s", "whole", "sequences"}; then there is a line
{"table", "row"} for each row, with referenced tables first; the last line is {"end": true, "rows": {table: count}}.
Bytes are base64. A JSON column that is missing in a row is NULL, unlike one that holds null. All rows are read in one
transaction, so the file is a consistent snapshot.
"""

import base64
import json
from collections.abc import Iterable, Iterator
from typing import Any

from sqlalchemy import JSON, LargeBinary, Text, cast, func, insert, null, select, text
from sqlalchemy.exc import DBAPIError, StatementError

from server import clock, migrations
from server.models import Base

VERSION = 1
BATCH = 1000

# Left out unless `whole`: credentials and hardware addresses.
SECRET_TABLES = ("kept_answer", "pseudonym_key", "recovery_code")
SECRET_COLUMNS = {
    "claim": ("code_hash",),
    "command": ("args",),  # lists of known addresses
    "dead_letter": ("body",),  # may be a report that names addresses
    "finding": ("address", "bssid", "label"),
    "finding_event": ("exact",),
    "invitation": ("code_hash",),
    "known_emitter": ("address", "label"),
    "release_file": ("content",),  # not secret, but megabytes of firmware that the release itself has anyway
    "sensor": ("key_sealed",),
    "subscription": ("target_sealed", "secret_sealed"),
    "token": ("secret_hash",),
    "user_session": ("secret_hash",),
    "user": ("password_hash", "session_word", "totp_sealed", "totp_step"),
}
# Tables whose row numbers must not be reused, even after the rows were deleted.
_SEQUENCES = ("report",)


class BadExport(Exception):
    """The file is not an export, is truncated, or has another version; the text tells the operator why."""


def write(engine, file, whole: bool = False, progress=lambda rows: None) -> dict:
    """
    Write all rows to a binary file; return {table: count}.

    whole     include secrets: only such a file can be read() again; protect it like the database
    progress  called with the number of rows written so far
    """
    counts, done = {}, 0
    with engine.connect() as connection:
        if connection.dialect.name == "postgresql":
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        with connection.begin():
            _line(file, _header(connection, whole))
            for table in Base.metadata.sorted_tables:
                columns = _columns(table, whole)
                if not columns:
                    continue
                counts[table.name] = 0
                rows = select(*columns).order_by(*table.primary_key.columns)
                for row in connection.execution_options(yield_per=BATCH).execute(rows).mappings():
                    _line(file, {"table": table.name, "row": _row_to_json(table, row)})
                    counts[table.name] += 1
                    done += 1
                    if done % BATCH == 0:
                        progress(done)
            _line(file, {"end": True, "rows": counts})
    progress(done)
    return counts


def read(engine, file, progress=lambda rows: None) -> dict:
    """
    Insert the rows of a whole export into an empty database with the same schema version; return {table: count}.

    All or nothing: one transaction. Raises BadExport.
    """
    lines = _lines(file)
    header = next(lines, {})
    if header.get("ansim") != "rows" or header.get("version") != VERSION:
        raise BadExport("this is not an export of ours, or of a newer version")
    if not header.get("whole"):
        raise BadExport("this export was made without secrets, so no installation can be restored from it")
    if header["form"] != migrations.HEAD:
        raise BadExport(
            f"it has form {header['form']}, this program {migrations.HEAD}: read it with the one that wrote it"
        )
    tables, counts, done, ended = Base.metadata.tables, {}, 0, None
    with engine.begin() as connection:
        # The migrations insert this one row.
        connection.execute(tables["log_tip"].delete())
        for name, rows in _batches(lines):
            if name is None:
                ended = rows
                break
            if name not in tables:
                raise BadExport(f"it has a table {name!r} that this program does not know")
            _insert(connection, tables[name], rows)
            counts[name] = counts.get(name, 0) + len(rows)
            done += len(rows)
            progress(done)
        if ended is None or {name: number for name, number in ended.items() if number} != counts:
            raise BadExport("it is cut off: not all rows are there; nothing was written")
        _set_sequences(connection, header.get("sequences", {}))
    return counts


def _insert(connection, table, rows):
    try:
        connection.execute(insert(table), [_row_from_json(table, row) for row in rows])
    except (DBAPIError, StatementError):
        raise BadExport(f"the rows of its table {table.name} do not fit into the database") from None


def is_empty(engine) -> bool:
    """True if the database has no rows except those that the migrations insert."""
    with engine.connect() as connection:
        return not any(
            connection.scalar(select(func.count()).select_from(table))
            for table in Base.metadata.sorted_tables
            if table.name != "log_tip"
        )


def _header(connection, whole):
    return {
        "ansim": "rows",
        "version": VERSION,
        "form": connection.scalar(text("SELECT version_num FROM alembic_version")),
        "made_s": clock.now_s(),
        "whole": whole,
        "sequences": {name: _highest(connection, name) for name in _SEQUENCES},
    }


def _highest(connection, name):
    """Return the highest row number that a table has ever used."""
    if connection.dialect.name == "sqlite":
        query = text("SELECT seq FROM sqlite_sequence WHERE name = :name")
        return connection.scalar(query, {"name": name}) or 0
    sequence = connection.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), {"name": name})
    last_value, is_called = connection.execute(text(f"SELECT last_value, is_called FROM {sequence}")).one()
    return last_value if is_called else 0


def _set_sequences(connection, sequences):
    """Make the database continue behind the row numbers in use."""
    if connection.dialect.name == "sqlite":
        for name, highest in sequences.items():
            connection.execute(text("DELETE FROM sqlite_sequence WHERE name = :name"), {"name": name})
            connection.execute(
                text("INSERT INTO sqlite_sequence (name, seq) VALUES (:name, :seq)"), {"name": name, "seq": highest}
            )
        return
    for table in Base.metadata.sorted_tables:
        if "id" not in table.columns:
            continue
        parameters = {"name": f'"{table.name}"'}
        if connection.scalar(text("SELECT pg_get_serial_sequence(:name, 'id')"), parameters) is None:
            continue
        highest = connection.scalar(select(func.max(table.c.id))) or 0
        highest = max(highest, sequences.get(table.name, 0))
        if highest:
            connection.execute(
                text("SELECT setval(pg_get_serial_sequence(:name, 'id'), :highest)"), {**parameters, "highest": highest}
            )


def _columns(table, whole):
    if not whole and table.name in SECRET_TABLES:
        return []
    hidden = () if whole else SECRET_COLUMNS.get(table.name, ())
    # JSON comes as the text it is, because both NULL and null would be None.
    return [
        cast(column, Text).label(column.name) if isinstance(column.type, JSON) else column
        for column in table.columns
        if column.name not in hidden
    ]


def _row_to_json(table, row):
    fields = {}
    for name, value in row.items():
        if isinstance(table.columns[name].type, JSON):
            if value is not None:
                fields[name] = json.loads(value)
        else:
            fields[name] = base64.b64encode(value).decode() if isinstance(value, bytes | memoryview) else value
    return fields


def _row_from_json(table, row):
    unknown = set(row) - set(table.columns.keys())
    if unknown:
        raise BadExport(f"its table {table.name} has a column {sorted(unknown)[0]!r} that this program does not know")
    values = dict(row)
    for column in table.columns:
        if isinstance(column.type, JSON):
            values.setdefault(column.name, null())
        elif column.name not in row:
            raise BadExport(f"a row of its table {table.name} has no {column.name!r}")
        elif isinstance(column.type, LargeBinary) and row[column.name] is not None:
            try:
                values[column.name] = base64.b64decode(row[column.name], validate=True)
            except (TypeError, ValueError):
                raise BadExport(f"a row of its table {table.name} is damaged") from None
    return values


def _line(file, value):
    file.write(json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode() + b"\n")


def _lines(file):
    for number, line in enumerate(file, 1):
        try:
            record = json.loads(line)
        except ValueError:
            raise BadExport(f"line {number} is damaged") from None
        if not isinstance(record, dict):
            raise BadExport(f"line {number} is damaged")
        yield record


def _batches(lines: Iterable[dict]) -> Iterator[tuple[str | None, Any]]:
    """Yield (table, rows) in batches, then (None, counts) at the end."""
    name, rows = None, []
    for line in lines:
        if line.get("end"):
            if rows:
                yield name, rows
            yield None, line.get("rows", {})
            return
        if line.get("table") != name or len(rows) == BATCH:
            if rows:
                yield name, rows
            name, rows = line.get("table"), []
        if not isinstance(name, str) or not isinstance(line.get("row"), dict):
            raise BadExport("a row is damaged")
        rows.append(line["row"])
    if rows:
        yield name, rows
