"""
Migrations of the database schema (Alembic).

    upgrade(settings)      # before anything else uses the database; instant if it is up to date
"""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import Engine, create_engine, event, inspect, text

from server.config import Settings

HEAD = "0024"  # the newest file in versions/; a test keeps the two together


class WrongForm(Exception):
    """The database schema is not one that this program knows; the text says so to the operator."""


def upgrade(settings: Settings) -> bool:
    """Upgrade the database to HEAD; return whether it was older. Raises WrongForm if it is newer than this program."""
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Several processes may start at once; only one upgrades.
    with _locked(settings.data / ".upgrade.lock"):
        engine = _engine(settings.url())
        try:
            if current(engine) == HEAD:
                return False
            _run(engine)
            return True
        finally:
            engine.dispose()


def _engine(url: str) -> Engine:
    """Return an engine with transactional DDL: Python's sqlite3 would commit before each change of a table."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: setattr(connection, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def current(engine: Engine) -> str | None:
    """Return the revision of a database; None before the first."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(text("SELECT version_num FROM alembic_version"))


def _run(engine: Engine) -> None:
    # Imported here: it takes longer than the rest of a start, and most starts do not need it.
    from alembic import command
    from alembic.config import Config
    from alembic.util.exc import CommandError

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise WrongForm(f"the database cannot be upgraded: {error}; is it from a newer version?") from error


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    with path.open("w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except ImportError:  # Windows, where run.py starts the processes one after the other
            pass
        yield
