"""
Chaos: processes are killed, stopped and restarted, and the database is locked, while sensors report.

    Chaos(server, seed).run(seconds)

What it does is decided by the seed; when exactly it happens is not.
"""

import contextlib
import os
import random
import signal
import sqlite3
import time
from collections.abc import Callable

from sqlalchemy.engine import make_url

LONGEST_STOP_S = 3.0
LOCK_S = 2.0


class Chaos:
    """Hurts the processes of an installation, one deed after another."""

    def __init__(self, server, seed: int):
        self.deeds: list[str] = []
        self._server = server
        self._random = random.Random(seed)
        self._processes = {"broker": server.broker, "ingest": server.ingest}
        self._is_sqlite = make_url(server.settings.url()).get_backend_name() == "sqlite"

    def run(self, seconds: float) -> None:
        """Do deeds for so long; all processes run afterwards."""
        ends = time.monotonic() + seconds
        while time.monotonic() < ends:
            self._do_one()
            time.sleep(self._random.uniform(0.3, 1.5))
        for process in self._processes.values():
            if process.status is not None:
                process.start()

    def _do_one(self):
        deeds: list[Callable] = [self._kill, self._terminate, self._stop]
        if self._is_sqlite:
            deeds.append(self._lock)
        deed, name = self._random.choice(deeds), self._random.choice(list(self._processes))
        self.deeds.append(f"{deed.__name__[1:]} {name}")
        deed(self._processes[name])

    def _kill(self, process):
        if process.status is None:
            process.kill()
        time.sleep(self._random.uniform(0, 1))
        process.start()

    def _terminate(self, process):
        if process.status is None:
            process.stop()
        process.start()

    def _stop(self, process):
        if process.status is not None:
            process.start()
            return
        os.kill(process.process_id, signal.SIGSTOP)
        try:
            time.sleep(self._random.uniform(0.2, LONGEST_STOP_S))
        finally:
            os.kill(process.process_id, signal.SIGCONT)

    def _lock(self, _process):
        path = make_url(self._server.settings.url()).database or ""
        with contextlib.closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as database:
            with contextlib.suppress(sqlite3.OperationalError):
                database.execute("BEGIN IMMEDIATE")
            time.sleep(self._random.uniform(0.1, LOCK_S))
