"""Rows into a database as fast as its own driver takes them; for tools that fill one."""

CHUNK = 20_000


class BulkWriter:
    """Rows into tables as fast as the database's own driver takes them: executemany, or COPY."""

    def __init__(self, engine):
        self._engine, self._postgres = engine, engine.dialect.name == "postgresql"

    def __enter__(self):
        self._connection = self._engine.raw_connection()
        if not self._postgres:
            # What is lost in a power cut is made again by running the command again.
            for pragma in ("synchronous=OFF", "cache_size=-400000", "foreign_keys=OFF"):
                self._connection.cursor().execute(f"PRAGMA {pragma}")
        return self

    def __exit__(self, *_):
        self._connection.close()

    def add(self, table, columns, rows) -> int:
        """Add rows, tuples in the order of columns; return how many."""
        name, listed = f'"{table.__tablename__}"', ", ".join(f'"{column}"' for column in columns)
        counted = 0
        if self._postgres:
            with self._connection.cursor() as cursor, cursor.copy(f"COPY {name} ({listed}) FROM STDIN") as copy:
                for counted, row in enumerate(rows, 1):  # noqa: B007
                    copy.write_row(row)
            self._connection.commit()
            return counted
        cursor = self._connection.cursor()
        adding = f"INSERT INTO {name} ({listed}) VALUES ({', '.join('?' * len(columns))})"
        for chunk in _chunks(rows, CHUNK):
            cursor.execute("BEGIN IMMEDIATE")
            cursor.executemany(adding, chunk)
            cursor.execute("COMMIT")
            counted += len(chunk)
        return counted

    def finish(self, tables) -> None:
        """Let the database count what it has, so that it plans well, and new rows get numbers behind ours."""
        cursor = self._connection.cursor()
        if self._postgres:
            self._connection.commit()
            for table in tables:
                name = table.__tablename__
                if "id" in table.__table__.c:
                    sequence = f"pg_get_serial_sequence('\"{name}\"', 'id')"
                    cursor.execute(f'SELECT setval({sequence}, (SELECT coalesce(max(id), 1) FROM "{name}"))')
            self._connection.commit()
            self._connection.driver_connection.autocommit = True
            cursor.execute("VACUUM ANALYZE")
        else:
            cursor.execute("ANALYZE")


def _chunks(rows, size):
    chunk = []
    for row in rows:
        chunk.append(row)
        if len(chunk) == size:
            yield chunk
            chunk = []
    if chunk:
        yield chunk
