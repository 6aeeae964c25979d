"""
The database's form and how it came about (Alembic).

    upgrade(settings)      # before anything else uses the database; instant when nothing is to be done
"""

from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import create_engine, event, inspect, text

HEAD = "0008"  # the newest file in versions/; a test keeps the two together


class WrongForm(Exception):
    """The database is not of the form this program knows, in words for the person at the keyboard."""


def upgrade(settings) -> bool:
    """
    Bring the database to HEAD; return whether anything was done.

    Raises WrongForm if it is newer than this program.
    """
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    # Several processes may start at once; one of them does it.
    with _alone(settings.data / ".upgrade.lock"):
        engine = _engine(settings.url())
        try:
            if current(engine) == HEAD:
                return False
            _run(engine)
            return True
        finally:
            engine.dispose()


def _engine(url):
    """Python's sqlite3 commits before each change of a table; here a step that is interrupted must leave nothing."""
    engine = create_engine(url)
    if engine.dialect.name == "sqlite":
        event.listen(engine, "connect", lambda connection, _record: setattr(connection, "isolation_level", None))
        event.listen(engine, "begin", lambda connection: connection.exec_driver_sql("BEGIN"))
    return engine


def current(engine) -> str | None:
    """The revision of a database; None before the first."""
    with engine.connect() as connection:
        if not inspect(connection).has_table("alembic_version"):
            return None
        return connection.scalar(text("SELECT version_num FROM alembic_version"))


def _run(engine):
    # Imported here: it takes longer than the rest of a start, and a second start does not need it.
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
def _alone(path: Path):
    with path.open("w") as file:
        try:
            import fcntl

            fcntl.flock(file, fcntl.LOCK_EX)
        except ImportError:  # Windows: run.py there starts the processes one after the other
            pass
        yield
