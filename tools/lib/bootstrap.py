"""
Make the project's own virtual environment, with nothing but Python.

Only tools/run.py and tools/test.py use this: they start on a bare machine and go on in
`.venv`, so this file must not import anything outside the standard library.
"""

import hashlib
import os
import signal
import subprocess
import sys
import time
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
VENV = ROOT / ".venv"
PYTHON = VENV / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def enter(requirements: str) -> None:
    """
    Return when this very program runs in `.venv` with `requirements` installed.

    The first time that takes minutes and shows pip's progress; afterwards a hash is
    compared. Exits with one line if it cannot be done.
    """
    if sys.version_info < (3, 11):  # noqa: UP036  (this file runs before pip could check)
        sys.exit(
            f"error: Python {sys.version.split()[0]} is too old; Ansim needs 3.11 or newer (try `python3.11 {sys.argv[0]}`)"
        )
    stamp = VENV / f".installed-{Path(requirements).stem}"
    wanted = _fingerprint(ROOT / requirements)
    if not stamp.exists() or stamp.read_text() != wanted:
        try:
            _install(ROOT / requirements)
        except KeyboardInterrupt:
            print("\nStopped; the same command goes on.", file=sys.stderr)
            sys.exit(130)
        stamp.write_text(wanted)
    if Path(sys.prefix).resolve() != VENV.resolve():
        # exec keeps the process id, so that Ctrl-C and `kill` reach the program itself; a Ctrl-C meanwhile waits.
        _hold_ctrl_c(True)
        os.execv(PYTHON, [str(PYTHON), *sys.argv])
    if str(ROOT) not in sys.path:
        sys.path.insert(0, str(ROOT))
    sys.path[:] = [place for place in sys.path if Path(place or ".").resolve() != ROOT / "tools"]
    os.environ["PATH"] = f"{PYTHON.parent}{os.pathsep}{os.environ.get('PATH', '')}"
    _hold_ctrl_c(False)


def _hold_ctrl_c(hold):
    """An interpreter that is interrupted while it starts shows a traceback; the signal mask outlives exec."""
    if hasattr(signal, "pthread_sigmask"):
        signal.pthread_sigmask(signal.SIG_BLOCK if hold else signal.SIG_UNBLOCK, {signal.SIGINT})


def _fingerprint(path: Path) -> str:
    """A change of any pinned version, of Python or of the checkout's place installs again."""
    digest = hashlib.sha256(f"{sys.version_info[:2]} {VENV}".encode())
    for line in path.read_text().splitlines():
        digest.update(line.split("#")[0].strip().encode() + b"\n")
        if line.startswith("-r "):
            digest.update(_fingerprint(path.parent / line[3:].strip()).encode())
    return digest.hexdigest()


def _has_pip():
    """False also if making `.venv` was interrupted halfway."""
    return PYTHON.exists() and subprocess.run([str(PYTHON), "-m", "pip", "-V"], capture_output=True).returncode == 0


def _install(requirements: Path) -> None:
    started = time.monotonic()
    if not _has_pip():
        print(f"Making {VENV.relative_to(ROOT)} (once) ...", flush=True)
        try:
            venv.create(VENV, with_pip=True)
        except (OSError, subprocess.CalledProcessError) as error:
            sys.exit(f"error: cannot make {VENV}: {error}; on Debian `apt install python3-venv` helps")
    print(f"Installing what {requirements.name} names (once, a few minutes) ...", flush=True)
    command = [str(PYTHON), "-m", "pip", "install", "--disable-pip-version-check", "-r", str(requirements)]
    installed = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    tail = []
    for line in installed.stdout:
        tail = ([*tail, line.rstrip()])[-15:]
        if line.startswith(("Collecting ", "Installing ")):
            print("  " + line.strip()[:100], flush=True)
    if installed.wait() != 0:
        print("\n".join(tail), file=sys.stderr)
        sys.exit("error: pip could not install the requirements; is the network there? Run the same command again")
    print(f"Installed in {time.monotonic() - started:.0f} s.", flush=True)
