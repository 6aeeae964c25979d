"""
One ingest process of a name at a time.

Two of one name would end each other's connection to the broker, several times a second: the client id is the same. So
the second one waits until the first has ended, by a lock on a file in the data folder, and on PostgreSQL also by an
advisory lock of the database, which processes on other machines share.
"""

import time
import zlib
from typing import Any

import structlog
from sqlalchemy import create_engine, text
from sqlalchemy.engine import make_url

from server.config import Settings

LOOK_EVERY_S = 0.5
_ADVISORY_CLASS = 0x416E73  # first of the two numbers of the advisory lock; the second is made of the worker's name

log = structlog.get_logger()


def wait_for_turn(settings: Settings) -> list[Any]:
    """Return once no other ingest process has this worker's name; keep what is returned until the process ends."""
    held: list[Any] = [_wait(lambda: _lock_file(settings), settings)]
    url = make_url(settings.url())
    if url.get_backend_name() == "postgresql":
        connection = create_engine(url).connect()
        held.append(connection)
        _wait(lambda: _lock_row(connection, settings.worker), settings)
    return held


def _wait(lock, settings):
    has_told = False
    while not (held := lock()):
        if not has_told:
            log.warning(
                "another ingest process of this name is running; waiting until it ends",
                worker=settings.worker,
                try_instead="ANSIM_WORKER",
            )
        has_told = True
        time.sleep(LOOK_EVERY_S)
    return held


def _lock_file(settings):
    try:
        import fcntl
    except ImportError:  # Windows
        return True
    settings.data.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = (settings.data / f".ingest-{settings.worker}.lock").open("a")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError:
        file.close()
        return None
    return file


def _lock_row(connection, worker):
    query = text("SELECT pg_try_advisory_lock(:class, :worker)")
    values = {"class": _ADVISORY_CLASS, "worker": zlib.crc32(worker.encode()) - (1 << 31)}
    held = connection.scalar(query, values)
    connection.commit()  # the lock stays until the connection ends
    return held
