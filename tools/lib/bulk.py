"""Fast insertion of many rows, for tools that fill a database."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any, Self

from sqlalchemy import Engine

CHUNK_ROWS = 20_000


class BulkWriter:
    """
    Inserts rows by the database driver's fastest method: executemany on SQLite, COPY on PostgreSQL.

        with BulkWriter(engine) as writer:
            writer.add(Restroom, ("id", "name"), rows)
            writer.finish([Restroom])
    """

    def __init__(self, engine: Engine):
        self._engine, self._is_postgresql = engine, engine.dialect.name == "postgresql"

    def __enter__(self) -> Self:
        self._connection: Any = self._engine.raw_connection()  # of sqlite3 or psycopg
        if not self._is_postgresql:
            # Rows lost in a power cut are made again by running the command again.
            for pragma in ("synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF"):
                self._connection.cursor().execute(f"PRAGMA {pragma}")
        return self

    def __exit__(self, *_) -> None:
        self._connection.close()

    def add(self, model: Any, columns: Sequence[str], rows: Iterable[tuple]) -> int:
        """
        Insert rows and return their number.

        model    the mapped class of the table
        columns  names of the columns; a row is a tuple in their order
        """
        name, column_list = f'"{model.__tablename__}"', ", ".join(f'"{column}"' for column in columns)
        count = 0
        if self._is_postgresql:
            with self._connection.cursor() as cursor, cursor.copy(f"COPY {name} ({column_list}) FROM STDIN") as copy:
                for count, row in enumerate(rows, 1):  # noqa: B007
                    copy.write_row(row)
            self._connection.commit()
            return count
        cursor = self._connection.cursor()
        statement = f"INSERT INTO {name} ({column_list}) VALUES ({', '.join('?' * len(columns))})"
        for chunk in _chunks(rows, CHUNK_ROWS):
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(statement, chunk)
            cursor.execute("COMMIT")
            count += len(chunk)
        return count

    def finish(self, models: Iterable[Any]) -> None:
        """Update the query planner's statistics, and move PostgreSQL's sequences behind the inserted ids."""
        cursor = self._connection.cursor()
        if self._is_postgresql:
            self._connection.commit()
            for model in models:
                name = model.__tablename__
                if "id" in model.__table__.c:
                    sequence = f"pg_get_serial_sequence('\"{name}\"', 'id')"
                    cursor.execute(f'SELECT setval({sequence}, (SELECT coalesce(max(id), 1) FROM "{name}"))')
            self._connection.commit()
            self._connection.driver_connection.autocommit = True
            cursor.execute("VACUUM ANALYZE")
        else:
            cursor.execute("ANALYZE")


def _chunks(rows: Iterable[tuple], size: int) -> Iterator[list[tuple]]:
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
