"""
A supervisor for the services that tools/run.py starts: broker, ingest, web server and notifier.

It starts them in order, restarts those that exit, and stops them in reverse order. A service that exits
again and again is restarted for ever, after pauses that double up to LONGEST_PAUSE_S; the others keep
running. What a service prints is read as long as it runs, also when its file cannot be written.
"""

from __future__ import annotations  # tools/run.py must get as far as its check of the Python version

import collections
import contextlib
import ctypes
import errno
import http.client
import os
import signal
import socket
import subprocess
import sys
import threading
import time
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import IO

FIRST_PAUSE_S = 1
LONGEST_PAUSE_S = 60
STABLE_AFTER_S = 60  # a service that ran this long has its failures forgotten
STOP_WITHIN_S = 10
TAIL_LINES = 12
LONGEST_LINE = 100_000  # characters; a longer line is handled as several
LARGEST_FILE_BYTES = 10_000_000  # of an output file; then it becomes <name>.1, and that <name>.2, ...
KEPT_FILES = 3
SAY_EVERY_S = 3600  # how often the console hears that an output file cannot be written
LOCK = ".running"  # lock file in a data folder; holds the number of the process
PR_SET_PDEATHSIG = 1  # prctl(2)


class OutputFile:
    """
    The file with the output of a service. Lines that cannot be written, as on a full disk, are dropped and counted.

    The console hears of it at once, then at most every SAY_EVERY_S; the file gets the number of dropped lines as
    soon as it can be written again.
    """

    def __init__(self, name: str, path: Path):
        self.dropped = 0  # lines since the last one that was written
        self._name = name
        self._path = path
        self._file: IO[bytes] | None = None
        self._say_at_s = 0.0  # time.monotonic()
        self._lock = threading.Lock()  # the reader of an earlier process may still be at work

    def write(self, line: str) -> None:
        """Append a line. Raises nothing: a reader that ends would leave its service blocked in a full pipe."""
        with self._lock:
            try:
                self._append(line)
                self.dropped = 0
            except OSError as error:
                self._drop(error)

    def _append(self, line):
        if self._file is None:
            self._file = self._path.open("ab", buffering=0)  # unbuffered, so that close() has nothing to write
        if self.dropped:
            line = f"\n({self.dropped} lines were dropped, because this file could not be written)\n{line}"
        data = line.encode("utf-8", "replace")
        if self._file.tell() + len(data) > LARGEST_FILE_BYTES:
            self._rotate()
        if self._file.write(data) != len(data):
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def _rotate(self):
        """Rename the file to .1, .1 to .2, and so on, and begin a new one."""
        if self._file is not None:
            self._file.close()
        for number in range(KEPT_FILES - 1, 0, -1):
            with contextlib.suppress(FileNotFoundError):
                self._numbered(number).replace(self._numbered(number + 1))
        self._path.replace(self._numbered(1))
        self._file = self._path.open("ab", buffering=0)

    def _numbered(self, number):
        return self._path.with_name(f"{self._path.name}.{number}")

    def _drop(self, error):
        self.dropped += 1
        if self._file is not None:
            with contextlib.suppress(OSError):
                self._file.close()
            self._file = None
        if time.monotonic() >= self._say_at_s:
            self._say_at_s = time.monotonic() + SAY_EVERY_S
            say(f"{self._name}: cannot write {self._path} ({error.strerror}); its output is dropped until it can be.")


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
        self.failures = 0  # in a row
        self.tail = collections.deque(maxlen=TAIL_LINES)
        self.output = OutputFile(name, log_file)
        self.process: subprocess.Popen[str] | None = None
        self.restart_at_s: float | None = None  # time.monotonic(); None: running, or not started yet
        self._environ = environ
        self._quiet = quiet
        self._started_s = 0.0

    def start(self) -> None:
        """Start the process. Raises OSError if the system cannot, as without memory."""
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
        try:
            threading.Thread(target=self._copy_output, args=(self.process.stdout,), daemon=True).start()
        except RuntimeError as error:  # no thread to be had: nobody would read, and the service would block
            self.stop()
            raise OSError(errno.EAGAIN, str(error)) from error
        self.restart_at_s = None

    def _copy_output(self, stream):
        for line in iter(lambda: stream.readline(LONGEST_LINE), ""):
            self.tail.append(line.rstrip())
            self.output.write(line)
            if not self._quiet:
                say(f"{self.name}: {line.rstrip()}", sys.stdout)

    @property
    def exit_code(self) -> int | None:
        """The exit code if the process has been started and has exited, else None."""
        return self.process.poll() if self.process else None

    def detect_exit(self) -> bool:
        """Return True once for each exit of the process, and schedule the restart."""
        if self.exit_code is None or self.restart_at_s is not None:
            return False
        if self._is_stable():
            self.failures = 0
        self.postpone()
        return True

    def postpone(self) -> None:
        """Count a failure and schedule the next start."""
        self.failures += 1
        pause_s = FIRST_PAUSE_S * 2 ** min(self.failures - 1, 30)
        self.restart_at_s = time.monotonic() + min(pause_s, LONGEST_PAUSE_S)

    def detect_recovery(self) -> bool:
        """Return True once when the process has run for STABLE_AFTER_S after failures, which are then forgotten."""
        if not self.failures or self.restart_at_s is not None or not self._is_stable():
            return False
        self.failures = 0
        return True

    def _is_stable(self):
        return time.monotonic() - self._started_s >= STABLE_AFTER_S

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

    def check_all_run(self) -> None:
        """Raise ServiceFailed if a service has exited."""
        for service in self._services:
            if service.exit_code is not None:
                time.sleep(0.1)  # its last lines are still being read
                raise ServiceFailed(service)

    def watch(self) -> None:
        """Restart services for ever, however often one of them exits."""
        while True:
            time.sleep(0.2)
            self.restart_due()

    def restart_due(self) -> None:
        """Notice services that have exited, start those whose pause is over, and say what has changed."""
        for service in self._services:
            self._restart_if_due(service)

    def _restart_if_due(self, service):
        failures = service.failures
        if service.detect_exit():
            if service.failures == 1:
                say(f"{service.name} ended ({service.exit_code}); starting it again.")
            elif service.failures == 2:
                say(
                    f"{service.name} keeps ending ({service.exit_code}); it is started again after growing pauses of "
                    f"up to {LONGEST_PAUSE_S:g} s, the others go on. Its last line: {next(reversed(service.tail), '')}"
                )
        elif service.restart_at_s is not None and time.monotonic() >= service.restart_at_s:
            try:
                service.start()
            except OSError as error:
                service.postpone()
                if service.failures <= 2:
                    say(f"{service.name} cannot be started ({error.strerror}); trying again.")
        elif service.detect_recovery() and failures > 1:
            say(f"{service.name} is well again: it has run for {STABLE_AFTER_S:g} s.")

    def stop(self) -> None:
        for service in reversed(self._services):
            service.stop()


def say(line: str, stream: IO[str] | None = None) -> None:
    """Print a line on the console (stderr unless given). A console that cannot be written must stop nothing."""
    with contextlib.suppress(OSError, ValueError):
        print(line, file=stream or sys.stderr, flush=True)


class ServiceFailed(Exception):
    """A service exited, or did not listen, while all were being started."""

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
    host = host.removeprefix("[").removesuffix("]")
    try:
        family, _, _, _, address = socket.getaddrinfo(
            host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        with socket.socket(family) as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            probe.bind(address)
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            return "is taken by another program"
        if error.errno == errno.EACCES:
            return "is not for this user, who may use 1024 to 65535"
        return f"cannot be used on {host} ({error.strerror})"
    return ""


def wait_until_listening(host: str, port: int, service: Service, within_s: float = 30) -> None:
    """Return when a service listens. Raises ServiceFailed if it exits or takes longer than `within_s`."""

    def is_listening():
        with contextlib.suppress(OSError), socket.create_connection((host, port), 1):
            return True
        return False

    _wait_until(is_listening, service, within_s)


def wait_until_answering(address: str, service: Service, within_s: float = 60) -> None:
    """Return when a service answers an address with 200. Raises ServiceFailed as wait_until_listening() does."""
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))

    def is_answering():
        # HTTPException: it has not answered as a web server does.
        with contextlib.suppress(OSError, http.client.HTTPException), opener.open(address, timeout=5) as answer:
            return answer.status == 200
        return False

    _wait_until(is_answering, service, within_s)


def _wait_until(condition, service, within_s):
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        if condition():
            return
        if service.exit_code is not None:
            time.sleep(0.1)  # its last lines are still being read
            raise ServiceFailed(service)
        time.sleep(0.05)
    raise ServiceFailed(service)
