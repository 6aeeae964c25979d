"""
The heartbeat of ingest: a small file in the data folder that says when ingest was last at work.

It holds a time of the monotonic clock in milliseconds, which all processes of a machine share and nobody sets.
A restart of the machine begins that clock again, so an older file counts as missing. The web server can judge
it only on the machine and with the data folder of ingest.
"""

import contextlib
import os
import time
from pathlib import Path

EVERY_S = 10
STALE_AFTER_S = 60
_NAME = ".ingest"
_DIGITS = 20  # always the same length: it is overwritten in place, which a full disk allows


def beat(folder: Path) -> None:
    """Write the heartbeat. A file that cannot be written is left as it is: the heartbeat is then missed."""
    with contextlib.suppress(OSError):
        file = os.open(folder / _NAME, os.O_WRONLY | os.O_CREAT, 0o600)
        try:
            os.write(file, f"{_now_ms():0{_DIGITS}}".encode())
        finally:
            os.close(file)


def is_beating(folder: Path) -> bool:
    """Return True if ingest has written its heartbeat within STALE_AFTER_S."""
    try:
        written_ms = int((folder / _NAME).read_text())
    except (OSError, ValueError):
        return False
    return 0 <= _now_ms() - written_ms <= STALE_AFTER_S * 1000


def is_known(folder: Path) -> bool:
    """Return True if an ingest process has ever used this data folder, so that a missing heartbeat says something."""
    return (folder / _NAME).exists()


def _now_ms():
    return int(time.monotonic() * 1000)
