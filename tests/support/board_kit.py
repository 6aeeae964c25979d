"""Small firmwares to install on emulated boards, and the tools that tests run on them."""

import argparse
import contextlib
import io
import shutil
import subprocess
import sys
import time
from pathlib import Path

from tests.conftest import ROOT
from tests.support.waiting import PATIENCE
from tools import flash
from tools.hardware.emulated_board import Board

MAIN = """
import sys
from ansim import VERSION
from ansim.helper import double
from firmware.part import NAME
print("Ansim %s" % VERSION, NAME, double(21))
while {loop}:
    pass
"""


def firmware(folder: Path, version: str, loop: bool = False, **files: bytes) -> Path:
    """
    Write a checkout with a firmware that prints its version, and return its folder.

    loop   True makes it run for ever, as the real firmware does
    files  further files below ansim/: name with _dot_ for the dot -> content
    """
    for package in ("ansim", "firmware"):
        (folder / package).mkdir(parents=True, exist_ok=True)
    (folder / "ansim" / "__init__.py").write_text(f'VERSION = "{version}"\n')
    # The version is in two files, so that a mixture of versions is noticed.
    (folder / "firmware" / "__init__.py").write_text("")
    (folder / "firmware" / "part.py").write_text(f'NAME = "part-{version}"\n')
    (folder / "ansim" / "helper.py").write_text("def double(number):\n    return number * 2\n")
    (folder / "firmware" / "main.py").write_text(MAIN.format(loop=loop))
    shutil.copy(ROOT / "firmware" / "boot.py", folder / "firmware" / "boot.py")
    for name, content in files.items():
        (folder / "ansim" / name.replace("_dot_", ".")).write_bytes(content)
    return folder


def tool(name: str, *arguments, check: bool = True) -> subprocess.CompletedProcess:
    """Run a command of tools/ in a process of its own."""
    command = [sys.executable, str(ROOT / "tools" / f"{name}.py"), *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240 * PATIENCE)
    assert not check or process.returncode == 0, process.stdout + process.stderr
    return process


def mpremote(board: Board, *arguments) -> str:
    """Run the real mpremote; return its output."""
    command = [sys.executable, "-m", "mpremote", "connect", board.port, *map(str, arguments)]
    process = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def line_at_power_on(board: Board, start: str = "Ansim ", seconds: float = 30) -> str:
    """Cut the power and return the first line of output that begins with `start`."""
    import serial

    with serial.Serial(board.port, timeout=0.1) as line:
        board.power_cut()
        output = b""
        until_s = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < until_s:
            output += line.read(line.in_waiting or 1)
            for text in output.decode(errors="replace").splitlines(keepends=True):
                if text.startswith(start) and text.endswith("\n"):
                    return text.strip()
    raise AssertionError(f"no {start!r} in {output!r}")


def options(*arguments) -> argparse.Namespace:
    """Return the options of tools/flash.py for a command line."""
    before = sys.argv
    sys.argv = ["flash", *map(str, arguments)]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return flash._options()
    finally:
        sys.argv = before
