"""
Chaos: processes are killed, stopped and restarted, their clocks set, the disk filled, and the database locked or
restarted, while sensors report.

    Chaos(server, seed).run(seconds)

What it does is decided by the seed; when exactly it happens is not.
"""

import contextlib
import os
import random
import resource
import signal
import sqlite3
import time
from collections.abc import Callable

from sqlalchemy.engine import make_url

LONGEST_STOP_S = 3.0
LOCK_S = 2.0
FULL_S = 1.5
JUMP_S = 2 * 86400


class Chaos:
    """
    Hurts the processes of an installation, one deed after another.

    server            tests.support.server_kit.Server, all of whose processes run
    restart_database  crashes and restarts the database server; None with SQLite
    """

    def __init__(self, server, seed: int, restart_database: Callable[[], None] | None = None):
        self.deeds: list[str] = []
        self._server = server
        self._random = random.Random(seed)
        self._processes = server.processes()
        self._restart_database = restart_database
        self._is_sqlite = make_url(server.settings.url()).get_backend_name() == "sqlite"

    def run(self, seconds: float) -> None:
        """Do deeds for so long, each kind at least once; all processes run afterwards, with the right clocks."""
        ends = time.monotonic() + seconds
        first = [(deed, name) for deed in self._all() for name in (self._random.choice(self._victims(deed)),)]
        self._random.shuffle(first)
        while first or time.monotonic() < ends:
            deed, name = first.pop() if first else self._choose()
            self.deeds.append(f"{deed.__name__[1:]} {name}")
            deed(name)
            time.sleep(self._random.uniform(0.3, 1.5))
        for name, process in self._processes.items():
            self._server.set_clock(name, 0)
            if process.status is not None:
                process.start()

    def _all(self):
        deeds: list[Callable[[str], None]] = [self._kill, self._terminate, self._stop, self._set_clock, self._fill_disk]
        return [*deeds, self._lock if self._is_sqlite else self._crash_database]

    def _victims(self, deed):
        """Return the names of the processes that a deed can hurt."""
        if deed in (self._lock, self._crash_database):
            return ["database"]
        if deed == self._fill_disk:
            return ["ingest"]
        names = list(self._processes)
        # The clock is set by a module of Python.
        return names if deed != self._set_clock or self._server.is_embedded else sorted(set(names) - {"broker"})

    def _choose(self):
        deed = self._random.choice(self._all())
        return deed, self._random.choice(self._victims(deed))

    def _kill(self, name):
        process = self._processes[name]
        if process.status is None:
            process.kill()
        time.sleep(self._random.uniform(0, 1))
        process.start()

    def _terminate(self, name):
        process = self._processes[name]
        if process.status is None:
            process.stop()
        process.start()

    def _stop(self, name):
        process = self._processes[name]
        if process.status is not None:
            process.start()
            return
        os.kill(process.process_id, signal.SIGSTOP)
        try:
            time.sleep(self._random.uniform(0.2, LONGEST_STOP_S))
        finally:
            os.kill(process.process_id, signal.SIGCONT)

    def _set_clock(self, name):
        self._server.set_clock(name, self._random.choice((-JUMP_S, JUMP_S, 0)))

    def _fill_disk(self, name):
        """Let the process write nothing to any file for a while, as on a full disk."""
        process = self._processes[name]
        if process.status is None:
            limits = resource.prlimit(process.process_id, resource.RLIMIT_FSIZE, (0, resource.RLIM_INFINITY))
            time.sleep(self._random.uniform(0.1, FULL_S))
            with contextlib.suppress(ProcessLookupError):  # it has ended, as it should when its database fails
                resource.prlimit(process.process_id, resource.RLIMIT_FSIZE, limits)
        if process.status is not None:
            process.start()

    def _lock(self, _name):
        path = make_url(self._server.settings.url()).database or ""
        with contextlib.closing(sqlite3.connect(path, timeout=5, isolation_level=None)) as database:
            with contextlib.suppress(sqlite3.OperationalError):
                database.execute("BEGIN IMMEDIATE")
            time.sleep(self._random.uniform(0.1, LOCK_S))

    def _crash_database(self, _name):
        assert self._restart_database
        self._restart_database()
        for process in self._processes.values():
            if process.status is not None:  # ended for want of the database; a service manager starts it again
                process.start()
