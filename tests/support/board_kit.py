"""Emulated boards for tests, and small firmwares to install on them."""

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


def firmware(folder: Path, version: str, loop: bool = False, **more: bytes) -> Path:
    """
    Write a checkout with a firmware that says its version, and return its folder.

    loop  it then never gives the prompt back by itself, as the real one
    more  further files below ansim/: name -> content
    """
    for package in ("ansim", "firmware"):
        (folder / package).mkdir(parents=True, exist_ok=True)
    (folder / "ansim" / "__init__.py").write_text(f'VERSION = "{version}"\n')
    # The version is in two files, so that a mixture of versions would show.
    (folder / "firmware" / "__init__.py").write_text("")
    (folder / "firmware" / "part.py").write_text(f'NAME = "part-{version}"\n')
    (folder / "ansim" / "helper.py").write_text("def double(number):\n    return number * 2\n")
    (folder / "firmware" / "main.py").write_text(MAIN.format(loop=loop))
    shutil.copy(ROOT / "firmware" / "boot.py", folder / "firmware" / "boot.py")
    for name, content in more.items():
        (folder / "ansim" / name.replace("_dot_", ".")).write_bytes(content)
    return folder


def tool(name: str, *arguments, check: bool = True) -> subprocess.CompletedProcess:
    """Run one of tools/ as a person would."""
    command = [sys.executable, str(ROOT / "tools" / f"{name}.py"), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, timeout=240 * PATIENCE)
    assert not check or done.returncode == 0, done.stdout + done.stderr
    return done


def mpremote(board: Board, *arguments) -> str:
    """Run the real mpremote; return what it says."""
    command = [sys.executable, "-m", "mpremote", "connect", board.port, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60 * PATIENCE)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def says_at_power_on(board: Board, what: str = "Ansim ", seconds: float = 30) -> str:
    """Cut the power, open the port, and return the first line that begins with `what`."""
    import serial

    with serial.Serial(board.port, timeout=0.1) as line:
        board.power_cut()
        heard = b""
        until_s = time.monotonic() + seconds * PATIENCE
        while time.monotonic() < until_s:
            heard += line.read(line.in_waiting or 1)
            for one in heard.decode(errors="replace").splitlines(keepends=True):
                if one.startswith(what) and one.endswith("\n"):
                    return one.strip()
    raise AssertionError(f"no {what!r} in {heard!r}")


def options(*arguments):
    """The options of tools/flash.py for a command line."""
    before = sys.argv
    sys.argv = ["flash", *map(str, arguments)]
    try:
        with contextlib.redirect_stderr(io.StringIO()):
            return flash._options()
    finally:
        sys.argv = before
