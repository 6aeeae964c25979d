"""
The store: SQLite by default, PostgreSQL by URL.

    sessions = open_sessions(settings.url())
    with sessions() as session: ...          # read
    with sessions.begin() as session: ...    # write; commits at the end, or rolls back

A session is short: one page, one batch of messages, one command.
"""

from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from pydantic_core import from_json, to_json
from sqlalchemy import create_engine, event
from sqlalchemy.engine import make_url
from sqlalchemy.orm import Session, sessionmaker

# pydantic's JSON takes a quarter of the time of the standard library's; ingest writes two columns of it a report.
_JSON = {"json_serializer": lambda value: to_json(value).decode(), "json_deserializer": from_json}
BUSY_MS = 15_000  # how long SQLite waits for another writer

Row = TypeVar("Row")


class Sessions(sessionmaker):
    """The one session factory of a process."""

    def __init__(self, engine):
        super().__init__(engine, expire_on_commit=False)
        self.engine = engine
        self._writer = engine.execution_options(ansim_writes=True)

    @contextmanager
    def begin(self):
        """A session that may write. On SQLite it takes the write lock at once, so it never has to be repeated."""
        with self(bind=self._writer) as session, session.begin():
            yield session


def open_sessions(url: str) -> Sessions:
    """Return the session factory for a database. Connects when it is first used."""
    where = make_url(url)
    if where.get_backend_name() == "sqlite":
        if where.database and where.database != ":memory:":
            Path(where.database).parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(where, connect_args={"timeout": BUSY_MS / 1000}, **_JSON)
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin_sqlite)
    else:
        engine = create_engine(where, pool_pre_ping=True, **_JSON)
    return Sessions(engine)


def lock_row(session: Session, row: Row) -> Row:
    """Return the row as the database has it now, locked until the transaction ends."""
    return session.get_one(type(row), row.id, with_for_update=True, populate_existing=True)  # type: ignore[attr-defined]


def insert(session, table):
    """An INSERT in the database's own dialect, for on_conflict_do_nothing() and on_conflict_do_update()."""
    if session.get_bind().dialect.name == "postgresql":
        from sqlalchemy.dialects import postgresql as dialect
    else:
        from sqlalchemy.dialects import sqlite as dialect
    return dialect.insert(table)


def _prepare_sqlite(connection, _record):
    # Python's own BEGIN comes too late, with the first write: see _begin_sqlite.
    connection.isolation_level = None
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # FULL: a report that was confirmed to its sensor must outlive a power cut; with batches it costs 4 %.
    cursor.execute("PRAGMA synchronous=FULL")
    # Moving the log into the database waits for the disk twice; do it every 16 MB instead of every 4.
    cursor.execute("PRAGMA wal_autocheckpoint=4000")
    cursor.execute("PRAGMA foreign_keys=ON")
    # So that REPLACE asks the triggers too, which refuse to remove an entry of the log.
    cursor.execute("PRAGMA recursive_triggers=ON")
    # What is erased leaves no bytes behind in the file; FULL would also be the default of Debian's own build.
    cursor.execute("PRAGMA secure_delete=ON")
    cursor.close()


def _begin_sqlite(connection):
    # A transaction that begins by reading and writes later fails at once (SQLITE_BUSY_SNAPSHOT) when another
    # process wrote in between; one that says so first waits. Source: https://www.sqlite.org/isolation.html
    writes = connection.get_execution_options().get("ansim_writes")
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")
