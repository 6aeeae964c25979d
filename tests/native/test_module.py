"""
The sniffer module, compiled into the real MicroPython from the system's source package.

The first run builds two interpreters (about a minute); later runs use those in build/native.
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
    process = subprocess.run(
        [interpreter, str(HERE / script), *map(str, arguments)],
        capture_output=True,
        text=True,
        env={**os.environ, "MICROPYPATH": str(ROOT)},
        timeout=120 * PATIENCE,
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process


def test_the_module_s_checks_pass(interpreter):
    process = run(interpreter, "module_on_micropython.py")

    assert process.stdout == "ok\n"


def test_two_million_records_are_read_whole_while_a_thread_writes(interpreter):
    process = run(interpreter, "race_on_micropython.py", 2_000_000, 8_000_000)

    read, torn, _sent, dropped = map(int, process.stdout.split())
    assert (read >= 2_000_000, torn) == (True, 0)
    assert dropped > 0  # the ring was full at times, so that case was raced too


def test_thread_sanitizer_reports_nothing(sanitized_interpreter):
    process = run(sanitized_interpreter, "race_on_micropython.py", 100_000, 2_000_000)

    read, torn, sent, _dropped = map(int, process.stdout.split())
    assert (torn, sent >= 2_000_000, read > 0) == (0, True, True)
    assert "WARNING: ThreadSanitizer" not in process.stderr
