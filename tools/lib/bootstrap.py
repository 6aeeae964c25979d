"""
Create the project's virtual environment, `.venv`, and continue in it.

Commands that start on a bare machine use this before they import anything else, so this file
imports nothing outside the standard library.
"""

import hashlib
import importlib.util
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

from tools.lib.paths import IS_INSTALLED, ROOT, TOOLS

UNVERIFIED = "ANSIM_INSTALL_UNVERIFIED"  # "1": install the pinned versions without comparing hashes
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def enter(requirements: str) -> None:
    """
    Return when the running program is in `.venv` and a requirements file of the checkout is installed there.

    The first time takes minutes and shows pip's progress; later a hash is compared. Exits with one
    line if the environment cannot be made.
    """
    if sys.version_info < (3, 11):  # noqa: UP036  (this runs before pip could check)
        sys.exit(
            f"error: Python {sys.version.split()[0]} is too old; Ansim needs 3.11 or newer (try `python3.11 "
            f"{sys.argv[0]}`)"
        )
    if IS_INSTALLED:
        return  # pip has installed the requirements
    stamp = VENV / f".installed-{Path(requirements).stem}"
    fingerprint = _fingerprint(ROOT / requirements)
    if not stamp.exists() or stamp.read_text() != fingerprint:
        try:
            _install(ROOT / requirements)
        except KeyboardInterrupt:
            print("\nStopped; run the same command again to continue.", file=sys.stderr)
            sys.exit(130)
        stamp.write_text(fingerprint)
    if Path(sys.prefix).resolve() != VENV.resolve():
        # exec keeps the process id, so Ctrl-C and `kill` reach the program itself; Ctrl-C is blocked meanwhile.
        _block_ctrl_c(True)
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != TOOLS]
    os.environ["PATH"] = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    _block_ctrl_c(False)


def enter_for(module: str, requirements: str = "requirements.txt") -> None:
    """Continue in `.venv` unless a module can be imported already, so that another environment works too."""
    if importlib.util.find_spec(module) is None:
        enter(requirements)


def _block_ctrl_c(block):
    """Block SIGINT: an interpreter interrupted while it starts shows a traceback. The signal mask outlives exec."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK if block else signal.SIG_UNBLOCK, {signal.SIGINT})


def _fingerprint(path: Path) -> str:
    """Return a hash that changes with any pinned version, with Python's version and with the checkout's path."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {VENV}".encode())
    for line in path.read_text().splitlines():
        digest.update(line.split("#")[0].strip().encode() + b"\n")
        if line.startswith("-r "):
            digest.update(_fingerprint(path.parent / line[3:].strip()).encode())
    return digest.hexdigest()


def _has_pip():
    """False also if an earlier run was interrupted while it created `.venv`."""
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-m", "pip", "-V"], capture_output=True).returncode == 0


def _what_to_install(requirements: Path) -> list[str]:
    """Return pip's arguments: the lock file with its hashes if there is one, else the versions alone."""
    lock = requirements.with_suffix(".lock")
    if not lock.exists() or os.environ.get(UNVERIFIED) == "1":
        return ["-r", str(requirements)]
    return ["--require-hashes", "-r", str(lock)]


def _install(requirements: Path) -> None:
    started = time.monotonic()
    if not _has_pip():
        print(f"Creating {VENV.relative_to(ROOT)} (once) ...", flush=True)
        try:
            venv.create(VENV, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"error: cannot create {VENV}: {error}; on Debian run `apt install python3-venv`")
    print(f"Installing the packages of {requirements.name} (once, a few minutes) ...", flush=True)
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", *_what_to_install(requirements)]
    pip = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tail = []
    for line in pip.stdout or ():
        tail = ([*tail, line.rstrip()])[-15:]
        if line.startswith(("Collecting ", "Installing ")):
            print("  " + line.strip()[:100], flush=True)
    if pip.wait() != 0:
        print("\n".join(tail), file=sys.stderr)
        sys.exit(
            "error: pip could not install the requirements; check the network, then run the same command again. If a"
            f" package's hash is another one than in the lock file, find out why; {UNVERIFIED}=1 installs without it"
        )
    print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)
