"""
The statements that every report goes through, in the database driver's own words.

SQLAlchemy would take three times as long for them as SQLite does. Everything else in the
services is written with SQLAlchemy; who changes a column of these tables changes it here too
(a test compares the names).
"""

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
    "channels",
    "capabilities",
]
BOOT = ["id", "sensor_id", "boot", "upto", "highest", "highest_digest", "zero_s"]


class Boot:
    """A row of SensorBoot while it is being worked on; see there for the fields."""

    __slots__ = BOOT

    def __init__(self, *values):
        for name, value in zip(BOOT, values, strict=True):
            setattr(self, name, value)


def take_report_ids(session: Session, count: int) -> range:
    """Return so many fresh row numbers for insert_reports()."""
    if _is_sqlite(session):
        # Nobody else writes until this transaction ends, so the numbers after the highest are ours.
        found = _run(session, f"SELECT seq FROM sqlite_sequence WHERE name = '{Report.__tablename__}'").scalar() or 0
        return range(found + 1, found + 1 + count)
    sequence = f"pg_get_serial_sequence('{Report.__tablename__}', 'id')"
    rows = _run(session, f"SELECT nextval({sequence}) FROM generate_series(1, {count})")
    return [row[0] for row in rows]


def insert_reports(session: Session, rows: list) -> None:
    """Insert tuples of REPORT. A number that is taken raises IntegrityError."""
    _insert(session, Report.__tablename__, REPORT, rows)


def insert_sweeps(session: Session, rows: list) -> None:
    """Insert tuples of SWEEP; the last two are JSON."""
    _insert(session, Sweep.__tablename__, SWEEP, rows)


def lock_boots(session: Session, keys, now_s: int) -> dict:
    """
    Return {(sensor_id, boot): Boot}, made where they are missing.

    Locked until the transaction ends, always in the same order, so that ingest workers do one sensor one after
    the other and never wait for each other in a circle.
    """
    keys = sorted(keys)
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


def save_boots(session: Session, boots) -> None:
    """Write Boots back."""
    mark = _mark(session)
    columns = ", ".join(f"{name} = {mark}" for name in BOOT[3:])
    rows = [(*[getattr(boot, name) for name in BOOT[3:]], boot.id) for boot in boots]
    _run(session, f"UPDATE {SensorBoot.__tablename__} SET {columns} WHERE id = {mark}", rows)


def stored_digests(session: Session, keys: list) -> list:
    """Return [((sensor_id, boot, seq), digest)] of those of these reports that are stored."""
    rows = _select(session, Report.__tablename__, ("sensor_id", "boot", "seq"), keys, ("digest",))
    return [(tuple(row[:3]), row[3]) for row in rows]


def _load_boots(session, keys):
    lock = "" if _is_sqlite(session) else " ORDER BY sensor_id, boot FOR UPDATE"
    rows = _select(session, SensorBoot.__tablename__, ("sensor_id", "boot"), keys, BOOT[3:] + BOOT[:1], lock)
    return {(row[0], row[1]): Boot(row[-1], *row[:-1]) for row in rows}


def _select(session, table, key, values, columns, lock=""):
    """Rows of `key` and `columns` where the key is one of `values`, tuples."""
    if not values:
        return []
    places = ", ".join([_marks(session, len(key))] * len(values))
    keys = ", ".join(key)
    statement = f"SELECT {keys}, {', '.join(columns)} FROM {table} WHERE ({keys}) IN (VALUES {places}){lock}"
    return _run(session, statement, tuple(part for value in values for part in value)).all()


def _insert(session, table, columns, rows):
    if rows:
        _run(session, f"INSERT INTO {table} ({', '.join(columns)}) VALUES {_marks(session, len(columns))}", rows)


def _run(session, statement, values=()):
    """One tuple of values, or a list of them for as many executions."""
    return session.connection().exec_driver_sql(statement, values)


def _is_sqlite(session):
    return session.get_bind().dialect.name == "sqlite"


def _mark(session):
    return "?" if _is_sqlite(session) else "%s"


def _marks(session, count):
    return "(" + ", ".join([_mark(session)] * count) + ")"
