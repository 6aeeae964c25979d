"""
A few long-running programs that belong together: started in order, watched, stopped cleanly.

A program that ends by itself is started again after a pause that doubles up to
LONGEST_PAUSE_S; one that keeps ending at once is given up on with its last lines shown.
"""

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

FIRST_PAUSE_S = 0.5
LONGEST_PAUSE_S = 15
GOOD_AFTER_S = 20  # ran so long: the next end counts as the first
GIVE_UP_AFTER = 8  # ends in a row
STOP_WITHIN_S = 10
TAIL_LINES = 12
LOCK = ".running"  # in a folder that one process has: its number
PR_SET_PDEATHSIG = 1  # prctl(2)


class Service:
    """One child process and its last words."""

    def __init__(self, name, command, environ, log_file, quiet=True):
        self.name = name
        self.command = command
        self.failures = 0
        self.tail = collections.deque(maxlen=TAIL_LINES)
        self.process = None
        self._environ = environ
        self._log_file = log_file
        self._quiet = quiet
        self._started_s = 0.0
        self.start_again_s = None

    def start(self):
        self.start_again_s = None
        self._started_s = time.monotonic()
        # A session of its own: Ctrl-C in the terminal reaches run.py only, which then stops all in order.
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
        threading.Thread(target=self._read, args=(self.process.stdout,), daemon=True).start()

    def _read(self, stream):
        with open(self._log_file, "a", encoding="utf-8") as log:
            for line in stream:
                self.tail.append(line.rstrip())
                log.write(line)
                log.flush()
                if not self._quiet:
                    print(f"{self.name}: {line}", end="", flush=True)

    def ended(self) -> bool:
        """True once for each end; plans the next start."""
        if self.process is None or self.process.poll() is None or self.start_again_s is not None:
            return False
        now_s = time.monotonic()
        self.failures = 1 if now_s - self._started_s > GOOD_AFTER_S else self.failures + 1
        self.start_again_s = now_s + min(FIRST_PAUSE_S * 2 ** (self.failures - 1), LONGEST_PAUSE_S)
        return True

    def stop(self):
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        try:
            self.process.wait(STOP_WITHIN_S)
        except subprocess.TimeoutExpired:
            os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()


class Supervisor:
    """All of them; stop() stops in the reverse of the order in which they were started."""

    def __init__(self):
        self._programs = []

    def start(self, program: Service) -> Service:
        program.start()
        self._programs.append(program)
        return program

    def watch(self) -> None:
        """For ever. Raises GaveUp if a program cannot be kept running."""
        while True:
            time.sleep(0.2)
            for program in self._programs:
                self._tend(program)

    def _tend(self, program):
        if program.ended():
            if program.failures >= GIVE_UP_AFTER:
                raise ServiceFailed(program)
            code = program.process.returncode
            print(f"{program.name} ended ({code}); starting it again.", file=sys.stderr, flush=True)
        elif program.start_again_s is not None and time.monotonic() >= program.start_again_s:
            program.start()

    def stop(self):
        for program in reversed(self._programs):
            program.stop()


class ServiceFailed(Exception):
    """A program ended again and again."""

    def __init__(self, program):
        super().__init__(f"{program.name} does not keep running; its last lines:\n  " + "\n  ".join(program.tail))


class FolderInUse(Exception):
    """Somebody else has the folder, in words for the person at the keyboard."""


def lock_folder(folder):
    """Lock a folder until the returned file is closed or this process ends. Raises InUse, OSError."""
    file = (folder / LOCK).open("a+")
    try:
        _lock(file)
    except OSError:
        file.seek(0)
        by = file.read().strip()
        file.close()
        raise FolderInUse(f"{folder} is in use by process {by or 'unknown'}") from None
    file.truncate(0)
    file.write(str(os.getpid()))
    file.flush()
    return file


def _lock(file):
    """Lock an open file until it is closed or the process ends. Raises OSError if another process has."""
    if os.name == "nt":
        import msvcrt

        file.seek(1 << 20)  # beyond the text, which others may read
        msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
    else:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)


def signal_on_parent_exit(number):
    """
    Return a preexec_fn that has a child get this signal when its parent ends in whatever way; None if not on Linux.

    Call Popen from a thread that lives as long as the child: the kernel takes its end for the parent's.
    """
    if sys.platform != "linux":
        return None
    prctl = ctypes.CDLL(None).prctl
    return lambda: prctl(PR_SET_PDEATHSIG, number)


def port_problem(host: str, port: int) -> str:
    """Return why nobody can listen there, in words; "" if one can."""
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


def wait_until_listening(host: str, port: int, program: Service, within_s: float = 30) -> None:
    """Return when the program listens. Raises GaveUp if it ends or takes too long."""
    until_s = time.monotonic() + within_s
    while time.monotonic() < until_s:
        with socket.socket() as probe:
            probe.settimeout(1)
            if probe.connect_ex((host, port)) == 0:
                return
        if program.process.poll() is not None:
            time.sleep(0.1)  # its last lines are still being read
            raise ServiceFailed(program)
        time.sleep(0.05)
    raise ServiceFailed(program)
