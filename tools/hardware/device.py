"""
A board on a serial port: find the port, call functions on the board, copy files to it.

    with device.connect("/dev/ttyUSB0") as board:
        properties = board.call("identify")                 # a function of tools/hardware/on_board.py
        board.put({"/incoming/main.py": b"..."}, advance)   # advance(number of bytes) as they are sent
        output = board.restart(20, is_done)                 # its output for 20 s, or until is_done(output)

The board is reached by mpremote (the default) or by rshell. Every failure of the connection is raised
as a ToolError that names the port.
"""

import argparse
import base64
import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from tools.hardware.on_board import BUNDLE, MARK
from tools.hardware.payload import file_hash
from tools.lib.errors import ToolError

AGENT = Path(__file__).with_name("on_board.py")
AGENT_NAME = "ansim_agent"  # its module name on the board, as rshell copies it
BAUD = 115200
CHUNK_BYTES = 1536  # of a file in one command: 2 kB of text
RSHELL_BYTES = (
    128  # rshell's buffer; a board's serial input holds 256 bytes, and rshell's default of 32 takes four times as long
)
REPLY_S = 10  # a board that is silent for longer is gone
HASHING_S = 120  # ... or it is reading its whole flash

OUTPUT_BYTES = 4000  # kept of a board's output
BANNER = "Ansim "  # start of the firmware's first line

# USB vendors whose chips are on ESP32 boards: Espressif, Silicon Labs, WCH, FTDI, Prolific.
BOARD_VENDORS = {0x303A, 0x10C4, 0x1A86, 0x0403, 0x067B}

TRANSPORTS = ("mpremote", "rshell")
RSHELL_TRIES = 3
NO_PROMPT = "raw repl"  # in the message of a failure to reach the prompt


def ports() -> list[str]:
    """Return the serial ports that may have a board, sorted."""
    from serial.tools import list_ports

    return sorted(port.device for port in list_ports.comports() if port.vid in BOARD_VENDORS)


def only_port() -> str:
    """Return the one port with a board. Raises ToolError if there is none, or more than one."""
    candidates = ports()
    if not candidates:
        raise ToolError(
            "no board found on USB; check that the cable is a data cable and the driver (CP210x, CH340) is installed, "
            "or name the port with --port"
        )
    if len(candidates) > 1:
        raise ToolError(
            f"several boards found ({', '.join(candidates)}); choose one with --port (flash.py also takes --all-ports)"
        )
    return candidates[0]


def add_options(parser: argparse.ArgumentParser, several: bool = False) -> None:
    """Add --port and --via; `several` lets --port be repeated, so options.port is then a list or None."""
    port_help = "serial port of the board (default: the only one found)"
    if several:
        parser.add_argument("--port", action="append", help=port_help + "; may be repeated")
    else:
        parser.add_argument("--port", default="", help=port_help)
    parser.add_argument("--via", choices=TRANSPORTS, default="mpremote", help="program that talks to the board")


def connect(port: str, via: str = "mpremote") -> "MpremoteBoard | RshellBoard":
    """Return a board, to be used as a context manager as shown in the module docstring. `via` is one of TRANSPORTS."""
    return MpremoteBoard(port) if via == "mpremote" else RshellBoard(port)


class Board(Protocol):
    """A connected board: what an installation needs of it."""

    port: str
    via: str

    def call(self, name: str, *arguments) -> Any: ...

    def put(self, files: dict[str, bytes], advance: Callable[[int], object] = ...) -> None: ...


class MpremoteBoard:
    """A board reached through mpremote's transport class; one connection is kept open."""

    via = "mpremote"

    def __init__(self, port: str):
        self.port = port
        self._transport: Any = None  # an mpremote SerialTransport, while connected

    def __enter__(self) -> "MpremoteBoard":
        self._open()
        return self

    def __exit__(self, *_) -> None:
        self._close()

    def _open(self):
        from mpremote import transport_serial

        # It prints unexpected output of the board. (redirect_stdout() would affect the other threads too.)
        transport_serial.print = lambda *_: None  # pyright: ignore[reportAttributeAccessIssue]  (a new global)
        with self._as_tool_errors():
            self._transport = transport_serial.SerialTransport(self.port, baudrate=BAUD, timeout=REPLY_S)
            self._transport.enter_raw_repl()
            self._transport.exec(AGENT.read_bytes())

    def _close(self):
        if self._transport:
            transport, self._transport = self._transport, None
            with contextlib.suppress(OSError):
                transport.close()

    def call(self, name: str, *arguments) -> Any:
        """Call a function of tools/hardware/on_board.py; return its reply, None if it makes none."""
        return _parse_reply(self._run(f"{name}({', '.join(map(repr, arguments))})", HASHING_S))

    def put(self, files: dict[str, bytes], advance: Callable[[int], object] = lambda amount: None) -> None:
        """Write {path: content} to the board, creating folders. advance() is called with each number of bytes sent."""
        for folder in sorted({path.rpartition("/")[0] for path in files} - {""}):
            self._run(f"make_folder({folder!r})")
        for path, content in files.items():
            self._run(f"f = open({path!r}, 'wb')")
            for start in range(0, len(content), CHUNK_BYTES):
                chunk = content[start : start + CHUNK_BYTES]
                self._run(f"f.write(binascii.a2b_base64({base64.b64encode(chunk).decode()!r}))")
                advance(len(chunk))
            self._run("f.close()")

    def restart(self, listen_s: float = 0, is_done: Callable[[str], object] = lambda output: False) -> str:
        """Restart the board and disconnect. Return its output of `listen_s` seconds, or until is_done(output)."""
        with self._as_tool_errors():
            self._transport.exec_raw_no_follow("restart()")
            self._transport.serial.timeout = 0.2
        output = _read_output(self.port, listen_s, is_done, "", self._transport.serial)
        self._close()
        return output

    def _run(self, code, within_s=REPLY_S):
        from mpremote.transport import TransportExecError

        with self._as_tool_errors():
            output, error = self._transport.exec_raw(code, timeout=within_s)
            if error:
                raise TransportExecError(output, error.decode(errors="replace"))
            return output.decode(errors="replace")

    @contextlib.contextmanager
    def _as_tool_errors(self):
        from mpremote.transport import TransportError, TransportExecError

        try:
            yield
        except TransportExecError as error:
            raise ToolError(_explain_traceback(self.port, error.error_output)) from error
        except (TransportError, OSError, struct.error) as error:
            raise ToolError(_explain_failure(self.port, str(error))) from error


class RshellBoard:
    """A board reached through rshell; one process is started for each step."""

    via = "rshell"

    def __init__(self, port: str):
        self.port = port

    def __enter__(self) -> "RshellBoard":
        if not os.path.exists(self.port):
            raise ToolError(_explain_failure(self.port, "failed to access"))
        self._rshell("cp", str(AGENT), f"/pyboard/{AGENT_NAME}.py")
        return self

    def __exit__(self, *_) -> None:
        pass

    def call(self, name: str, *arguments) -> Any:
        """Call a function of tools/hardware/on_board.py; return its reply, None if it makes none."""
        argument_list = ", ".join(map(repr, arguments))
        # rshell reads ; as its own separator and ~ as the end, so this is one expression without either.
        output = self._rshell("repl", "~", f'__import__("{AGENT_NAME}").{name}({argument_list})', "~")
        if "Traceback (most recent call last)" in output:
            raise ToolError(_explain_traceback(self.port, output.replace(">>>", "").strip()))
        return _parse_reply(output)

    def put(self, files: dict[str, bytes], advance: Callable[[int], object] = lambda amount: None) -> None:
        """
        Write {path: content} to the board, creating folders; as one bundle, because rshell takes 0.5 s for each file.
        """
        with tempfile.TemporaryDirectory() as scratch:
            bundle = Path(scratch, "bundle")
            bundle.touch(mode=0o600)  # the settings may be in it
            with bundle.open("wb") as packed:
                for path, content in files.items():
                    packed.write(json.dumps([path, len(content)]).encode() + b"\n" + content)
            self._rshell("cp", str(bundle), "/pyboard" + BUNDLE)
        self.call("unpack")
        advance(sum(map(len, files.values())))

    def restart(self, listen_s: float = 0, is_done: Callable[[str], object] = lambda output: False) -> str:
        """Restart the board, as MpremoteBoard.restart() does. rshell itself reads the first output."""
        output = self._rshell("repl", "~", f'__import__("{AGENT_NAME}").restart()', "~", may_fail=True)
        return _read_output(self.port, listen_s, is_done, output.replace("\r", ""))

    def _rshell(self, *arguments, may_fail=False):
        command = [
            sys.executable,
            "-m",
            "rshell.main",
            "--quiet",
            "--nocolor",
            "--baud",
            str(BAUD),
            "--port",
            self.port,
        ]
        for tries_left in reversed(range(RSHELL_TRIES)):
            process = subprocess.run(
                [*command, *arguments],
                stdin=subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                errors="replace",
            )
            last_line = process.stdout.strip().rpartition("\n")[2]
            # rshell waits a second for the prompt, which a board that runs its program may need; nothing was sent yet.
            if not process.returncode or NO_PROMPT not in last_line or not tries_left:
                break
            time.sleep(1)
        if process.returncode and not may_fail:
            raise ToolError(_explain_failure(self.port, last_line or "rshell failed"))
        return process.stdout


def verify_incoming(board: Board, files: dict[str, bytes]) -> None:
    """Compare {path: content} with the files in /incoming on a board, by hash. Raises ToolError if any differs."""
    hashes = board.call("hash_incoming")
    damaged = [path for path, content in files.items() if hashes.get(path) != file_hash(content)]
    if damaged:
        raise ToolError(
            f"{len(damaged)} of {len(files)} files arrived damaged at the board on {board.port}; check the cable and "
            "try again"
        )


def find_banner(output: str) -> str:
    """Return the firmware's first line if a board's output has it completely, else ""."""
    for line in output.splitlines(keepends=True):
        if line.startswith(BANNER) and line.endswith("\n"):
            return line.strip()
    return ""


def _read_output(port, listen_s, is_done, output, line=None):
    """
    Return the output of a board, after what was read already; `line` is an open serial line, reopened when it breaks.
    """
    import serial

    until_s = time.monotonic() + listen_s
    data = output.encode()
    while time.monotonic() < until_s and not is_done(output):
        try:
            if line is None:
                line = serial.Serial(port, BAUD, timeout=0.2)
            data = (data + line.read(line.in_waiting or 1))[-OUTPUT_BYTES:]
            output = data.decode(errors="replace").replace("\r\n", "\n")
        except (OSError, serial.SerialException):
            line = None  # a board with USB of its own is gone while it restarts
            time.sleep(0.2)
    return output


def _parse_reply(output):
    """Return the decoded JSON of the reply line in a board's output, None if there is none."""
    for line in output.splitlines():
        _, mark, rest = line.partition(MARK)
        if mark:
            try:
                return json.loads(rest)
            except ValueError as error:
                raise ToolError("the board's reply arrived damaged; check the cable and try again") from error
    return None


def _explain_traceback(port, traceback):
    """Return one line about an exception on the board."""
    last = traceback.strip().splitlines()[-1] if traceback.strip() else "an error without a text"
    if "OSError: 28" in last or "ENOSPC" in last:
        listing = f"`mpremote connect {port} ls` lists them"
        return f"the flash of the board on {port} is full; delete files that are not Ansim's ({listing})"
    return f"the board on {port} raised an error: {last}; run `mpremote connect {port} reset` and try again"


def _explain_failure(port, reason):
    """Return one line about a connection that failed."""
    if "failed to access" in reason or "No such file" in reason:
        return (
            f"cannot open {port}; check that the board is plugged in and no other program (mpremote, an editor) uses it"
        )
    if NO_PROMPT in reason:
        return (
            f"no MicroPython prompt on {port}; press the board's RESET button and try again, or write an interpreter "
            "to it with --image"
        )
    return (
        f"the board on {port} fell silent ({reason or 'no reply'}); check the cable and try again; the board kept its "
        "old version"
    )
