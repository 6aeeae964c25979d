"""
The database: SQLite by default, PostgreSQL by URL.

    sessions = open_sessions(settings.url())
    with sessions() as session: ...          # read
    with sessions.begin() as session: ...    # write; commits at the end, or rolls back

A session is short: one page, one batch of messages, one command.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar, cast

from pydantic_core import from_json, to_json
from sqlalchemy import CursorResult, Delete, Engine, Update, create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

if TYPE_CHECKING:
    from sqlalchemy.dialects import postgresql, sqlite

# pydantic's JSON takes a quarter of the time of the standard library's; ingest writes two columns of it a report.
_JSON = {"json_serializer": lambda value: to_json(value).decode(), "json_deserializer": from_json}
BUSY_MS = 15_000  # how long SQLite waits for another writer

Row = TypeVar("Row")


class Sessions(sessionmaker):
    """The one session factory of a process."""

    def __init__(self, engine: Engine):
        super().__init__(engine, expire_on_commit=False)
        self.engine = engine
        self._writer = engine.execution_options(ansim_writes=True)

    @contextmanager
    def begin(self) -> Iterator[Session]:
        """Return a session that may write. On SQLite it takes the write lock at once, so it never has to be retried."""
        with self(bind=self._writer) as session, session.begin():
            yield session


def open_sessions(url: str) -> Sessions:
    """Return the session factory for a database. It connects at the first query."""
    address = make_url(url)
    if address.get_backend_name() == "sqlite":
        if address.database and address.database != ":memory:":
            Path(address.database).parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        engine = create_engine(address, connect_args={"timeout": BUSY_MS / 1000}, **_JSON)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(address, pool_pre_ping=True, **_JSON)
    return Sessions(engine)


def lock_row(session: Session, row: Row) -> Row:
    """Return the row as the database has it now, locked until the transaction ends."""
    return session.get_one(type(row), row.id, with_for_update=True, populate_existing=True)  # type: ignore[attr-defined]


def insert(session: Session, table: Any) -> "postgresql.Insert | sqlite.Insert":
    """Return an INSERT in the database's own dialect, for on_conflict_do_nothing() and on_conflict_do_update()."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql as dialect
    else:
        from sqlalchemy.dialects import sqlite as dialect
    return dialect.insert(table)


def execute_count(session: Session, statement: Update | Delete) -> int:
    """Execute an UPDATE or DELETE; return how many rows it changed."""
    return cast(CursorResult, session.execute(statement)).rowcount


def _prepare_sqlite(connection, _record):
    # Python's own BEGIN comes only with the first write, which is too late: see _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: a report confirmed to its sensor must survive a power cut; with batches this costs 4 %.
    cursor.execute("PRAGMA synchronous=FULL")
    # A checkpoint waits for the disk twice; do it every 16 MB instead of every 4.
    cursor.execute("PRAGMA wal_autocheckpoint=4000")
    cursor.execute("PRAGMA foreign_keys=ON")
    # Makes REPLACE run the triggers, which refuse to remove an entry of the log.
    cursor.execute("PRAGMA recursive_triggers=ON")
    # Erased data leaves no bytes in the file.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _begin_sqlite(connection):
    # A transaction that reads first and writes later fails at once (SQLITE_BUSY_SNAPSHOT) if another process
    # wrote in between; BEGIN IMMEDIATE waits instead. Source: https://www.sqlite.org/isolation.html
    writes = connection.get_execution_options().get("ansim_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
