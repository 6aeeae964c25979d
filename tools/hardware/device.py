"""
A board on a serial port: which ports there are, what is on the board, putting files there.

    with device.connect("/dev/ttyUSB0") as board:
        about = board.call("look")                          # a function of tools/hardware/on_board.py
        board.put({"/incoming/main.py": b"..."}, advance)   # advance(bytes) as they go
        said = board.restart(20, until_banner)              # what it says for 20 s, or until that is true

Two ways to the same board: mpremote (the default), and rshell for whoever prefers or needs
it. Everything that can go wrong with a cable comes out as a ToolError with the port in it.
"""

import base64
import contextlib
import json
import os
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tools.hardware.on_board import BUNDLE, MARK
from tools.lib.errors import ToolError

AGENT = Path(__file__).with_name("on_board.py")
AGENT_NAME = "ansim_agent"  # on the board, while rshell works
BAUD = 115200
CHUNK_BYTES = 1536  # of a file in one command: 2 kB of text
RSHELL_BYTES = 128  # a board's serial input holds 256; rshell's own 32 takes four times as long
SILENT_S = 10  # a board that says nothing for so long is not there any more
HASHING_S = 120  # ... unless it reads its whole flash

HEARD_BYTES = 4000
BANNER = "Ansim "  # how the firmware begins its first line

# USB makers whose chips sit on ESP32 boards: Espressif, Silicon Labs, WCH, FTDI, Prolific.
BOARD_MAKERS = {0x303A, 0x10C4, 0x1A86, 0x0403, 0x067B}

TRANSPORTS = ("mpremote", "rshell")


def ports() -> list[str]:
    """Return the serial ports that a board may be on, sorted."""
    from serial.tools import list_ports

    return sorted(found.device for found in list_ports.comports() if found.vid in BOARD_MAKERS)


def only_port() -> str:
    """Return the one port with a board. Raises ToolError if there is none, or more than one."""
    found = ports()
    if not found:
        raise ToolError(
            "no board found on USB; is the cable a data cable, and the driver (CP210x, CH340) there? Otherwise name it with --port"
        )
    if len(found) > 1:
        raise ToolError(f"boards on {', '.join(found)}; choose one with --port, or take --all-ports")
    return found[0]


def connect(port: str, via: str = "mpremote"):
    """Return a board to be used as a context manager, see the module's text. `via` is one of VIAS."""
    return {"mpremote": MpremoteBoard, "rshell": RshellBoard}[via](port)


class MpremoteBoard:
    """Through mpremote's own transport: one connection, kept open."""

    via = "mpremote"

    def __init__(self, port: str):
        self.port = port
        self._line = None

    def __enter__(self):
        self._open()
        return self

    def __exit__(self, *_):
        self._close()

    def _open(self):
        from mpremote import transport_serial

        # It prints what it got when that is not what it expected. (redirect_stdout() would not do: there are threads.)
        transport_serial.print = lambda *_: None
        with self._in_words():
            self._line = transport_serial.SerialTransport(self.port, baudrate=BAUD, timeout=SILENT_S)
            self._line.enter_raw_repl()
            self._line.exec(AGENT.read_bytes())

    def _close(self):
        if self._line:
            line, self._line = self._line, None
            with contextlib.suppress(OSError):
                line.close()

    def call(self, name: str, *arguments):
        """Call a function of tools/hardware/on_board.py; return what it tells, None if it tells nothing."""
        return _told(self._run(f"{name}({', '.join(map(repr, arguments))})", HASHING_S))

    def put(self, files: dict[str, bytes], advance=lambda amount: None) -> None:
        """Write files; folders are made."""
        for folder in sorted({path.rpartition("/")[0] for path in files} - {""}):
            self._run(f"make_folder({folder!r})")
        for path, content in files.items():
            self._run(f"f = open({path!r}, 'wb')")
            for at in range(0, len(content), CHUNK_BYTES):
                piece = content[at : at + CHUNK_BYTES]
                self._run(f"f.write(binascii.a2b_base64({base64.b64encode(piece).decode()!r}))")
                advance(len(piece))
            self._run("f.close()")

    def restart(self, for_s: float = 0, enough=lambda heard: False) -> str:
        """
        Start the board anew; it is not connected any more.

        Returns what it says in `for_s` seconds, or until enough(what was heard so far).
        """
        with self._in_words():
            self._line.exec_raw_no_follow("restart()")
            self._line.serial.timeout = 0.2
        heard = _hear(self.port, for_s, enough, "", self._line.serial)
        self._close()
        return heard

    def _run(self, code, within_s=SILENT_S):
        from mpremote.transport import TransportExecError

        with self._in_words():
            said, error = self._line.exec_raw(code, timeout=within_s)
            if error:
                raise TransportExecError(said, error.decode(errors="replace"))
            return said.decode(errors="replace")

    @contextlib.contextmanager
    def _in_words(self):
        from mpremote.transport import TransportError, TransportExecError

        try:
            yield
        except TransportExecError as error:
            raise ToolError(_refusal(self.port, error.error_output)) from error
        except (TransportError, OSError, struct.error) as error:
            raise ToolError(_trouble(self.port, str(error))) from error


class RshellBoard:
    """Through rshell: one process for each step."""

    via = "rshell"

    def __init__(self, port: str):
        self.port = port

    def __enter__(self):
        if not os.path.exists(self.port):
            raise ToolError(_trouble(self.port, "failed to access"))
        self._rshell("cp", str(AGENT), f"/pyboard/{AGENT_NAME}.py")
        return self

    def __exit__(self, *_):
        pass

    def call(self, name: str, *arguments):
        """Call a function of tools/hardware/on_board.py; return what it tells, None if it tells nothing."""
        given = ", ".join(map(repr, arguments))
        # rshell takes ; as its own and ~ as the end, so this is one expression without either.
        said = self._rshell("repl", "~", f'__import__("{AGENT_NAME}").{name}({given})', "~")
        if "Traceback (most recent call last)" in said:
            raise ToolError(_refusal(self.port, said.replace(">>>", "").strip()))
        return _told(said)

    def put(self, files: dict[str, bytes], advance=lambda amount: None) -> None:
        """Write files; folders are made. They travel as one file, because rshell takes half a second for each."""
        with tempfile.TemporaryDirectory() as scratch:
            bundle = Path(scratch, "bundle")
            bundle.touch(mode=0o600)  # the settings may be in it
            with bundle.open("wb") as packed:
                for path, content in files.items():
                    packed.write(json.dumps([path, len(content)]).encode() + b"\n" + content)
            self._rshell("cp", str(bundle), "/pyboard" + BUNDLE)
        self.call("unpack")
        advance(sum(map(len, files.values())))

    def restart(self, for_s: float = 0, enough=lambda heard: False) -> str:
        """Start the board anew, as above. rshell itself hears the first moments."""
        said = self._rshell("repl", "~", f'__import__("{AGENT_NAME}").restart()', "~", may_fail=True)
        return _hear(self.port, for_s, enough, said.replace("\r", ""))

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
        running = subprocess.run(
            [*command, *arguments],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
        )
        said = running.stdout
        if running.returncode and not may_fail:
            raise ToolError(_trouble(self.port, said.strip().rpartition("\n")[2] or "rshell failed"))
        return said


def find_banner(heard: str) -> str:
    """Return the firmware's first line if it is in what a board said, else ""."""
    for line in heard.splitlines(keepends=True):
        if line.startswith(BANNER) and line.endswith("\n"):
            return line.strip()
    return ""


def _hear(port, for_s, enough, heard, line=None):
    """Return what a board says; `line` is open already, and is opened again when it breaks."""
    import serial

    until_s = time.monotonic() + for_s
    said = heard.encode()
    while time.monotonic() < until_s and not enough(heard):
        try:
            if line is None:
                line = serial.Serial(port, BAUD, timeout=0.2)
            said = (said + line.read(line.in_waiting or 1))[-HEARD_BYTES:]
            heard = said.decode(errors="replace").replace("\r\n", "\n")
        except (OSError, serial.SerialException):
            line = None  # a board with USB of its own is gone while it restarts
            time.sleep(0.2)
    return heard


def _told(said):
    for line in said.splitlines():
        _, mark, rest = line.partition(MARK)
        if mark:
            try:
                return json.loads(rest)
            except ValueError as error:
                raise ToolError("the board's answer came broken; is the cable good? Try again") from error
    return None


def _refusal(port, traceback):
    """One line of what went wrong on the board."""
    last = traceback.strip().splitlines()[-1] if traceback.strip() else "an error without a word"
    if "OSError: 28" in last or "ENOSPC" in last:
        return f"the flash of the board on {port} is full; take unknown files off it (`mpremote connect {port} ls`)"
    return f"the board on {port} refused: {last}; `mpremote connect {port} reset` and try again"


def _trouble(port, why):
    if "failed to access" in why or "No such file" in why:
        return f"cannot open {port}; is the board plugged in, and no other program (mpremote, an editor) using it?"
    if "raw repl" in why:
        return f"no MicroPython prompt on {port}; press the board's RESET button and try again, or put an interpreter on it with --image"
    return f"the board on {port} fell silent ({why or 'no answer'}); check the cable and try again, the board kept its version"
