"""
The sniffer module itself, compiled into the real MicroPython from the system's source package.

The first run builds two interpreters (about a minute); later runs take them from build/native.
"""

import os
import subprocess
from pathlib import Path

import pytest

from tests.support.waiting import PATIENCE

HERE = Path(__file__).parent
ROOT = HERE.parent.parent

pytestmark = pytest.mark.build


def run(interpreter, script, *arguments):
    done = subprocess.run(
        [interpreter, str(HERE / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "MICROPYPATH": str(ROOT)},
        timeout=120 * PATIENCE,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done


def test_the_module_keeps_its_promises(interpreter):
    done = run(interpreter, "module_on_micropython.py")

    assert done.stdout == "all hold\n"


def test_two_million_records_are_read_whole_while_a_thread_writes(interpreter):
    done = run(interpreter, "race_on_micropython.py", 2_000_000, 8_000_000)

    read, torn, _heard, dropped = map(int, done.stdout.split())
    assert (read >= 2_000_000, torn) == (True, 0)
    assert dropped > 0  # the ring was full at times: that edge was raced too


def test_thread_sanitizer_finds_nothing(sanitized_interpreter):
    done = run(sanitized_interpreter, "race_on_micropython.py", 100_000, 2_000_000)

    read, torn, heard, _dropped = map(int, done.stdout.split())
    assert (torn, heard >= 2_000_000, read > 0) == (0, True, True)
    assert "WARNING: ThreadSanitizer" not in done.stderr
