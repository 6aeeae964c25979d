"""
A supervisor for the services that tools/run.py starts: broker, ingest, web server and notifier.

It starts them in order, restarts those that exit, and stops them in reverse order. The pause before
a restart doubles up to LONGEST_PAUSE_S; after GIVE_UP_AFTER exits in a row the supervisor gives up
and reports the last lines of the service's output.
"""

from __future__ import annotations  # tools/run.py must get as far as its check of the Python version

import collections
import ctypes
import errno
import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import IO

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15
STABLE_AFTER_S = 20  # a service that ran this long has its failures forgotten
GIVE_UP_AFTER = 8  # exits in a row
STOP_WITHIN_S = 10
TAIL_LINES = 12
LOCK = ".running"  # lock file in a data folder; holds the number of the process
PR_SET_PDEATHSIG = 1  # prctl(2)


class Service:
    """
    One child process and the last lines of its output.

    name      for messages
    command   program and arguments
    environ   its environment; None inherits ours
    log_file  its output is appended there
    quiet     False also prints its output, prefixed with the name
    """

    def __init__(
        self, name: str, command: list[str], environ: dict[str, str] | None, log_file: Path, quiet: bool = True
    ):
        self.name = name
        self.command = command
        self.failures = 0
        self.tail = collections.deque(maxlen=TAIL_LINES)
        self.process: subprocess.Popen[str] | None = None
        self.restart_at_s: float | None = None  # time.monotonic(); None: running, or not started yet
        self._environ = environ
        self._log_file = log_file
        self._quiet = quiet
        self._started_s = 0.0

    def start(self) -> None:
        self.restart_at_s = None
        self._started_s = time.monotonic()
        # A session of its own: Ctrl-C in the terminal reaches only run.py, which then stops all in order.
        self.process = subprocess.Popen(
            self.command,
            env=self._environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=signal_on_parent_exit(signal.SIGTERM),
            text=True,
            errors="replace",
        )
        threading.Thread(target=self._copy_output, args=(self.process.stdout,), daemon=True).start()

    def _copy_output(self, stream):
        with open(self._log_file, "a", encoding="utf-8") as log_file:
            for line in stream:
                self.tail.append(line.rstrip())
                log_file.write(line)
                log_file.flush()
                if not self._quiet:
                    print(f"{self.name}: {line}", end="", flush=True)

    @property
    def exit_code(self) -> int | None:
        """The exit code if the process has been started and has exited, else None."""
        return self.process.poll() if self.process else None

    def detect_exit(self) -> bool:
        """Return True once for each exit of the process, and schedule the restart."""
        if self.exit_code is None or self.restart_at_s is not None:
            return False
        now_s = time.monotonic()
        self.failures = 1 if now_s - self._started_s > STABLE_AFTER_S else self.failures + 1
        self.restart_at_s = now_s + min(FIRST_PAUSE_S * 2 ** (self.failures - 1), LONGEST_PAUSE_S)
        return True

    def stop(self) -> None:
        """Terminate the process and wait for it; kill its process group after STOP_WITHIN_S."""
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """Starts services, restarts those that exit, and stops all in the reverse order of their start."""

    def __init__(self):
        self._services: list[Service] = []

    def start(self, service: Service) -> Service:
        service.start()
        self._services.append(service)
        return service

    def watch(self) -> None:
        """Restart services for ever. Raises ServiceFailed if one cannot be kept running."""
        while True:
            time.sleep(0.2)
            for service in self._services:
                self._restart_if_due(service)

    def _restart_if_due(self, service):
        if service.detect_exit():
            if service.failures >= GIVE_UP_AFTER:
                raise ServiceFailed(service)
            print(f"{service.name} ended ({service.exit_code}); starting it again.", file=sys.stderr, flush=True)
        elif service.restart_at_s is not None and time.monotonic() >= service.restart_at_s:
            service.start()

    def stop(self) -> None:
        for service in reversed(self._services):
            service.stop()


class ServiceFailed(Exception):
    """A service exited again and again."""

    def __init__(self, service: Service):
        super().__init__(f"{service.name} does not keep running; its last lines:\n  " + "\n  ".join(service.tail))


class FolderInUse(Exception):
    """Another process holds the lock of a folder; the text names folder and process."""


def lock_folder(folder: Path) -> IO[str]:
    """
    Lock a folder until the returned file is closed or this process ends.

    Raises FolderInUse if another process holds the lock, OSError if the folder cannot be written.
    """
    file = (folder / LOCK).open("a+")
    try:
        _lock(file)
    except OSError:
        file.seek(0)
        owner = file.read().strip()
        file.close()
        raise FolderInUse(f"{folder} is in use by process {owner or 'unknown'}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _lock(file):
    """Lock an open file until it is closed or the process ends. Raises OSError if another process holds it."""
    if sys.platform == "win32":
        import msvcrt

        file.seek(1 << 20)  # beyond the text, which other processes may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def signal_on_parent_exit(number: int) -> Callable[[], object] | None:
    """
    Return a preexec_fn that makes the kernel send a signal to a child when its parent ends, however it ends.

    None on other systems than Linux. Call Popen from a thread that lives as long as the child, because the
    kernel takes the end of that thread for the end of the parent.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, number)


def port_problem(host: str, port: int) -> str:
    """Return why no process can listen on an address, as the end of a sentence; "" if one can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return "is taken by another program"
            if error.errno == errno.EACCES:
                return "is not for this user, who may use 1024 to 65535"
            return f"cannot be used on {host} ({error.strerror})"
    return ""


def wait_until_listening(host: str, port: int, service: Service, within_s: float = 30) -> None:
    """Return when a service listens. Raises ServiceFailed if it exits or takes longer than `within_s`."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((host, port)) == 0:
                return
        if service.exit_code is not None:
            time.sleep(0.1)  # its last lines are still being read
            raise ServiceFailed(service)
        time.sleep(0.05)
    raise ServiceFailed(service)
