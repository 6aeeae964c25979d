"""Runs Python on the real MicroPython interpreter, with the project's folder as import root."""

import json
import subprocess

from tests.conftest import ROOT
from tools import native


def environment(micropython: str) -> dict[str, str]:
    """
    Return the environment in which an interpreter imports the project's sources and its own asyncio.

    The image of tools/native.py has the simulated hardware as well, which would replace modules such as `time`.
    """
    has_program = micropython.startswith(str(native.BUILD / "host-frozen"))
    own = native.asyncio_folder() if has_program else ".frozen"
    return {"MICROPYPATH": f"{ROOT}:{own}"}


def run(micropython: str, *arguments: object, heap: str = "", stdin: str = "") -> str:
    """
    Run the interpreter in the project's folder; return its output. Fails if it exits with an error.

    micropython  path of the interpreter
    arguments    a script with its arguments, or "-c" and code
    heap         size as for `-X heapsize=`; "" is the interpreter's default
    """
    options = ["-X", f"heapsize={heap}"] if heap else []
    process = subprocess.run(
        [micropython, *options, *map(str, arguments)],
        input=stdin,
        capture_output=True,
        text=True,
        cwd=ROOT,
        env=environment(micropython),
    )
    assert process.returncode == 0, process.stdout + process.stderr
    return process.stdout


def run_json(micropython: str, *arguments: object, heap: str = "", stdin: str = "") -> list:
    """Run the interpreter as run() does; return its output lines, each parsed as JSON."""
    return [json.loads(line) for line in run(micropython, *arguments, heap=heap, stdin=stdin).splitlines()]
