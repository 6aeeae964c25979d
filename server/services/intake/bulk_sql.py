"""
The SQL statements that every report needs, without SQLAlchemy's ORM.

With the ORM they take three times as long as SQLite itself. All other services use the ORM.
When a column of these tables changes, change it here too; a test compares the names.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from server.models.intake import Report, SensorBoot, Sweep

REPORT = [
    "id",
    "sensor_id",
    "boot",
    "seq",
    "kind",
    "tick_ms",
    "at_s",
    "received_s",
    "inspection_ref",
    "prev",
    "digest",
    "content",
]
SWEEP = [
    "report_id",
    "sensor_id",
    "inspection_id",
    "inspection_ref",
    "from_ms",
    "to_ms",
    "at_s",
    "deaf_ms",
    "listened_ms",
    "frames",
    "undecodable",
    "dropped",
    "stations",
    "access_points",
    "ble",
    "tables_full",
    "spectrum_sweeps",
    "numbered",
    "missed",
    "flash_ms",
    "ble_dropped",
    "channels",
    "capabilities",
]
BOOT = ["id", "sensor_id", "boot", "upto", "highest", "highest_digest", "zero_s"]


@dataclass(slots=True)
class Boot:
    """A row of SensorBoot, which documents the fields; written back by save_boots()."""

    id: int
    sensor_id: int
    boot: int
    upto: int
    highest: int
    highest_digest: str
    zero_s: int | None


def take_report_ids(session: Session, count: int) -> Sequence[int]:
    """Return `count` row numbers that are never given again, for insert_reports() and for late dropped ranges."""
    if _is_sqlite(session):
        # No other process writes until this transaction ends, so the numbers after the highest are unused.
        where = f"sqlite_sequence WHERE name = '{Report.__tablename__}'"
        highest = _run(session, f"SELECT seq FROM {where}").scalar()
        if highest is None:
            _run(session, "INSERT INTO sqlite_sequence (name, seq) VALUES (?, 0)", (Report.__tablename__,))
            highest = 0
        values = (highest + count, Report.__tablename__)
        _run(session, "UPDATE sqlite_sequence SET seq = ? WHERE name = ?", values)
        return range(highest + 1, highest + 1 + count)
    sequence = f"pg_get_serial_sequence('{Report.__tablename__}', 'id')"
    rows = _run(session, f"SELECT nextval({sequence}) FROM generate_series(1, {count})")
    return [row[0] for row in rows]


def insert_reports(session: Session, rows: list[tuple]) -> None:
    """Insert tuples of REPORT. Raises IntegrityError if a (sensor, boot, seq) is stored already."""
    _insert(session, Report.__tablename__, REPORT, rows)


def insert_sweeps(session: Session, rows: list[tuple]) -> None:
    """Insert tuples of SWEEP; the last two are JSON."""
    _insert(session, Sweep.__tablename__, SWEEP, rows)


def lock_boots(session: Session, boot_keys: Iterable[tuple[int, int]], now_s: int) -> dict[tuple[int, int], Boot]:
    """
    Return {(sensor_id, boot): Boot}; missing rows are inserted.

    The rows are locked until the transaction ends, always in the same order, so that two ingest workers never
    store reports of one sensor at the same time and cannot deadlock.
    """
    keys = sorted(boot_keys)
    boots = _load_boots(session, keys)
    missing = [(sensor_id, boot, now_s) for sensor_id, boot in keys if (sensor_id, boot) not in boots]
    if missing:
        columns = "(sensor_id, boot, first_received_s)"
        marks = _marks(session, 3)
        _run(
            session, f"INSERT INTO {SensorBoot.__tablename__} {columns} VALUES {marks} ON CONFLICT DO NOTHING", missing
        )
        boots.update(_load_boots(session, [key[:2] for key in missing]))
    return boots


def highest_seqs(session: Session, boot_keys: Iterable[tuple[int, int]]) -> dict[tuple[int, int], int]:
    """Return {(sensor_id, boot): highest seq stored} of the boots that have a row; locks nothing."""
    rows = _select(session, SensorBoot.__tablename__, ("sensor_id", "boot"), sorted(boot_keys), ("highest",))
    return {(row[0], row[1]): row[2] for row in rows}


def save_boots(session: Session, boots: Iterable[Boot]) -> None:
    """Write boots back to their rows."""
    mark = _mark(session)
    columns = ", ".join(f"{name} = {mark}" for name in BOOT[3:])
    rows = [(*[getattr(boot, name) for name in BOOT[3:]], boot.id) for boot in boots]
    _run(session, f"UPDATE {SensorBoot.__tablename__} SET {columns} WHERE id = {mark}", rows)


def stored_digests(session: Session, keys: list[tuple[int, int, int]]) -> list[tuple[tuple[int, int, int], str]]:
    """Return [((sensor_id, boot, seq), digest)] of the stored reports among `keys`."""
    rows = _select(session, Report.__tablename__, ("sensor_id", "boot", "seq"), keys, ("digest",))
    return [((row[0], row[1], row[2]), row[3]) for row in rows]


def _load_boots(session, keys):
    lock = "" if _is_sqlite(session) else " ORDER BY sensor_id, boot FOR UPDATE"
    rows = _select(session, SensorBoot.__tablename__, ("sensor_id", "boot"), keys, BOOT[3:] + BOOT[:1], lock)
    return {(row[0], row[1]): Boot(row[-1], *row[:-1]) for row in rows}


def _select(session, table, key, values, columns, lock=""):
    """Return rows of the `key` columns and `columns` where the key is one of the tuples `values`."""
    if not values:
        return []
    places = ", ".join([_marks(session, len(key))] * len(values))
    keys = ", ".join(key)
    statement = f"SELECT {keys}, {', '.join(columns)} FROM {table} WHERE ({keys}) IN (VALUES {places}){lock}"
    return _run(session, statement, tuple(number for value in values for number in value)).all()


def _insert(session, table, columns, rows):
    if rows and _is_sqlite(session):
        _run(session, f"INSERT INTO {table} ({', '.join(columns)}) VALUES {_marks(session, len(columns))}", rows)

    elif rows:
        _copy(session, f"COPY {table} ({', '.join(columns)}) FROM STDIN", rows)


def _copy(session, statement, rows):
    """Insert tuples with PostgreSQL's COPY, at a third of the cost of INSERT. Raises SQLAlchemy's exceptions."""
    import psycopg

    connection = session.connection().connection.driver_connection
    try:
        with connection.cursor() as cursor, cursor.copy(statement) as copy:
            for row in rows:
                copy.write_row(row)
    except psycopg.Error as error:
        raise DBAPIError.instance(
            statement, None, error, psycopg.Error, connection_invalidated=bool(connection.closed)
        ) from error


def _run(session, statement, values=()):
    """Execute a statement with one tuple of values, or once with each of a list of tuples."""
    return session.connection().exec_driver_sql(statement, values)


def _is_sqlite(session):
    return session.get_bind().dialect.name == "sqlite"


def _mark(session):
    return "?" if _is_sqlite(session) else "%s"


def _marks(session, count):
    return "(" + ", ".join([_mark(session)] * count) + ")"
