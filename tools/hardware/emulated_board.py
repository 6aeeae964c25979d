#!/usr/bin/env python3
"""
An emulated board on a serial port, to try tools and firmware without hardware.

    python -m tools.hardware.emulated_board data/board --link /tmp/ttyBOARD      # then: mpremote connect /tmp/ttyBOARD

It is the real MicroPython with its real prompt on a pseudo-terminal, with a LittleFS image as flash and
the simulated chip of tools/virtual_sensor/sim. Soft reset, machine.reset(), a crash, a power cut and a
pulled cable behave as on a board. The folder holds the flash and the other state that survives a reset;
a new board starts with an empty flash.

    with Board(tmp_path) as board:
        subprocess.run(["mpremote", "connect", board.port, "exec", "print(1)"])
        board.power_cut()
"""

import contextlib
import fcntl
import os
import pty
import select
import shutil
import signal
import subprocess
import sys
import termios
import threading
import time
from collections.abc import Sequence
from pathlib import Path

from tools.lib import arguments, errors
from tools.lib.paths import TOOLS
from tools.traffic import scene
from tools.virtual_sensor import air_file, code_image
from tools.virtual_sensor.sensor import micropython_path

SIM = TOOLS / "virtual_sensor" / "sim"
FLASH_BYTES = 2 << 20  # the file partition of MicroPython's 4 MiB boards
RAW_PROMPT, FRIENDLY_PROMPT = b"raw REPL; CTRL-B to exit\r\n", b'Type "help()"'
ROM_BANNER = b"\r\nets Jul 29 2019 12:21:46\r\n\r\nrst:0x%x (%s),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
RESETS = {
    "PWRON": (1, b"POWERON_RESET"),
    "BROWNOUT": (15, b"RTCWDT_BROWN_OUT_RESET"),
    "USB": (21, b"USB_UART_CHIP_RESET"),
    "WDT": (8, b"TG1WDT_SYS_RESET"),
    "DEEPSLEEP": (5, b"DEEPSLEEP_RESET"),
}
OTHER_RESET = (12, b"SW_CPU_RESET")
POLL_S = 0.005  # how often to check whether MicroPython can take pending input
PROMPT_S = 1.0  # the prompt appears within this time after a start or Ctrl-C, or not at all
READER_GONE_S = 0.5  # without a reader for this long, output is lost, as on a real serial line


class Board:
    """
    An emulated board, used as a context manager.

    folder    holds flash.img and world/ (see tools/virtual_sensor/sim/_simulation.py); created if missing
    heap      of the interpreter, as `-X heapsize=` takes it; objects are twice as big as on a chip
    air       path of the scene file that the radios hear; None is silence
    networks  names of the Wi-Fi networks that can be joined
    unique_id 12 hex digits, returned by machine.unique_id()
    """

    def __init__(
        self,
        folder: Path | str,
        heap: str = "640k",
        air: Path | str | None = None,
        networks: Sequence[str] = (),
        unique_id: str = "246f28aabb01",
    ):
        self.folder = Path(folder)
        self.port = ""  # path of the serial port while plugged in
        self.starts = 0
        self._heap = heap
        self._air = air
        self._networks = networks
        self._unique_id = unique_id
        self._raw = False  # the prompt is in raw mode
        self._process: subprocess.Popen | None = None
        self._thread: threading.Thread | None = None
        self._stopping = False
        self._cause = "PWRON"
        self._outside_cause = ""  # of a reset from outside that is under way
        self._pending = b""  # input from the serial line that MicroPython has not got yet
        self._hold_until_s = 0.0  # until then input waits for the prompt, which is about to appear

    def __enter__(self) -> "Board":
        self.start()
        return self

    def __exit__(self, *_) -> None:
        self.stop()

    @property
    def flash(self) -> Path:
        """The LittleFS image of the flash."""
        return self.folder / "flash.img"

    @property
    def world(self) -> Path:
        """The folder of the state outside the flash."""
        return self.folder / "world"

    def start(self) -> None:
        """Plug the board in; `port` can be opened when this returns."""
        self._prepare()
        self._stopping = False
        self._line, self._other_end = pty.openpty()
        # With our own handle on the other end, reading does not fail while no program has the port open.
        _set_raw(self._other_end)
        os.set_blocking(self._line, False)
        self.port = os.ttyname(self._other_end)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Pull the cable, which ends power and serial line. start() plugs it in again, possibly on another port."""
        if not self._thread:
            return
        self._stopping = True
        os.write(self._wake_write, b"!")
        self._thread.join()
        self._thread = None
        for end in (self._line, self._other_end, self._wake_read, self._wake_write):
            os.close(end)
        self.port = ""

    def power_cut(self) -> None:
        """Cut the power for a moment; the serial line stays, as on a board with a USB chip of its own."""
        self._send_signal(signal.SIGKILL)

    def usb_reset(self) -> None:
        """Reset it by USB, as some computers do when a serial monitor is opened."""
        self._outside_cause = "USB"
        self._send_signal(signal.SIGKILL)

    def crash(self) -> None:
        """Make the chip panic and restart, as a bug in the Wi-Fi driver does."""
        self._send_signal(signal.SIGABRT)

    def _send_signal(self, number):
        if self._process and self._process.poll() is None:
            self._process.send_signal(number)

    def _prepare(self):
        modules = self.folder / "modules"
        self.world.mkdir(parents=True, exist_ok=True)
        if not self.starts:
            # A copy, because a program on the board may write and delete any file that it sees.
            shutil.rmtree(modules, ignore_errors=True)
            shutil.copytree(code_image.build() / "tools" / "virtual_sensor" / "sim", modules)
        if not self.flash.exists():
            self.flash.write_bytes(b"\xff" * FLASH_BYTES)
        silence = self.world / "silence.json"
        silence.write_text('{"duration_s": 10}')
        air_file.compile_scene(scene.load(self._air or silence), self.world / "scene.air", 0, list(self._networks))
        self._write_cause("PWRON")
        self._raw = False
        self._pending = b""

    def _write_cause(self, cause):
        (self.world / "cause").write_text(cause)

    def _take_cause(self):
        """Return why the process ended, as it recorded itself. Reset it: an end without a record is a power cut."""
        cause, self._outside_cause = self._outside_cause or (self.world / "cause").read_text(), ""
        self._write_cause("PWRON")
        return cause

    def _spawn(self):
        cause = self._cause
        if cause == "PWRON":
            (self.world / "rtc").unlink(missing_ok=True)
        (self.world / "starting").touch()
        self._console, terminal = pty.openpty()
        _set_raw(terminal, interrupts=True)
        environ = {
            **os.environ,
            "SIM_FLASH": str(self.flash.resolve()),
            "SIM_WORLD": str(self.world.resolve()),
            "SIM_MODULES": str((self.folder / "modules").resolve()),
            "SIM_SPEED": "1",
            "SIM_CAUSE": cause,
            "SIM_ID": self._unique_id,
            "SIM_RAW": "1" if self._raw else "",
        }
        environ.pop("SIM_PROJECT", None)
        boot = str(SIM / "boot.py")
        self._process = subprocess.Popen(
            [micropython_path(), "-X", f"heapsize={self._heap}", "-i", boot],
            stdin=terminal,
            stdout=terminal,
            stderr=terminal,
            env=environ,
            start_new_session=True,
            preexec_fn=_own_terminal,  # so that Ctrl-C interrupts only the program on the board
        )
        os.close(terminal)
        self._write_cause("PWRON")
        self.starts += 1
        self._tail = b""  # last output, to recognise the prompt's mode
        self._last_byte = 0
        self._is_reader_gone = False
        self._hold_until_s = time.monotonic() + PROMPT_S
        if self._raw:
            self._pending = b"\x01" + self._pending  # a soft reset keeps the mode of the prompt

    def _run(self):
        self._spawn()
        try:
            while not self._stopping:
                ends = [self._line, self._console, self._wake_read]
                ready, _, _ = select.select(ends, [], [], POLL_S if self._pending else 0.5)
                if self._line in ready:
                    self._read_line()
                if self._pending:
                    self._forward_input()
                if self._console in ready:
                    self._forward_output()
                elif self._running().poll() is not None:
                    self._restart()
        finally:
            self._running().kill()
            self._running().wait()
            os.close(self._console)

    def _running(self) -> subprocess.Popen:
        assert self._process, "the board is not plugged in"
        return self._process

    def _read_line(self):
        with contextlib.suppress(OSError):
            self._pending += os.read(self._line, 4096)

    def _forward_input(self):
        """
        Pass input from the serial line to MicroPython, when none of it can be lost.

        A chip keeps input until it is read. Here the prompt discards input that arrived before it, and
        Ctrl-C, which is a signal to a running program, kills MicroPython while it starts and between
        two commands. So after a start and after Ctrl-C the input waits for the prompt, but not for ever,
        because a program may read it.
        """
        if not termios.tcgetattr(self._console)[3] & termios.ISIG:  # the prompt has the terminal
            self._write_console()
            self._hold_until_s = 0.0
        elif b"\x03" in self._pending:
            if not (self.world / "starting").exists() and _catches_interrupt(self._running().pid):
                self._pending = self._pending.replace(b"\x03", b"", 1)
                with contextlib.suppress(OSError):
                    self._running().send_signal(signal.SIGINT)
                self._hold_until_s = time.monotonic() + PROMPT_S
        elif time.monotonic() > self._hold_until_s and not (self.world / "starting").exists():
            self._write_console()

    def _write_console(self):
        with contextlib.suppress(OSError):
            count = os.write(self._console, self._pending)
            self._pending = self._pending[count:]

    def _forward_output(self):
        try:
            output = os.read(self._console, 4096)
        except OSError:
            output = b""
        if not output:
            self._restart()
            return
        self._tail = (self._tail + output)[-200:]
        raw, friendly = self._tail.rfind(RAW_PROMPT), self._tail.rfind(FRIENDLY_PROMPT)
        if raw != friendly:
            self._raw = raw > friendly
        self._write_line(self._with_returns(output))

    def _with_returns(self, output):
        """Turn \\n into \\r\\n, as a board does for print(); the prompt writes \\r\\n by itself."""
        converted = bytearray()
        for byte in output:
            if byte == 10 and self._last_byte != 13:
                converted.append(13)
            converted.append(byte)
            self._last_byte = byte
        return bytes(converted)

    def _write_line(self, data):
        """Write to the serial line; drop the data if no program has read it for READER_GONE_S."""
        while data:
            try:
                data = data[os.write(self._line, data) :]
                self._is_reader_gone = False
            except BlockingIOError:
                if self._is_reader_gone or not select.select([], [self._line], [], READER_GONE_S)[1]:
                    self._is_reader_gone = True
                    return

    def _restart(self):
        code = self._running().wait()
        os.close(self._console)
        cause = self._take_cause()
        if code == 0 or cause == "SOFT":
            self._cause = "SOFT"
            self._write_line(b"MPY: soft reboot\r\n")
        else:
            if code != -signal.SIGKILL:
                cause = "PANIC"
                self._write_line(b"\r\nGuru Meditation Error: Core 0 panic'ed (signal %d).\r\n" % -code)
            self._cause, self._raw = cause, False
            self._pending = b""  # a chip that resets loses unread input
            self._write_line(ROM_BANNER % RESETS.get(cause, OTHER_RESET))
        self._spawn()


def _set_raw(terminal, interrupts=False):
    settings = termios.tcgetattr(terminal)
    settings[0] = settings[1] = 0
    settings[3] = termios.ISIG if interrupts else 0
    settings[6][termios.VMIN], settings[6][termios.VTIME] = 1, 0
    settings[6][termios.VINTR] = b"\x03"
    settings[6][termios.VQUIT] = settings[6][termios.VSUSP] = b"\x00"
    termios.tcsetattr(terminal, termios.TCSANOW, settings)


def _catches_interrupt(process_id):
    """Return True if a process has a handler for SIGINT."""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return True  # not on Linux: assume it
    caught = int(status.partition("SigCgt:")[2].split(maxsplit=1)[0], 16)
    return bool(caught >> (signal.SIGINT - 1) & 1)


def _own_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def main() -> None:
    parser = arguments.full_parser(__doc__)
    parser.prog = "python -m tools.hardware.emulated_board"
    parser.add_argument("folder", type=Path, help="folder of the flash; created if missing")
    parser.add_argument("--link", type=Path, help="symbolic link to the port, a name that stays the same")
    parser.add_argument("--heap", default="640k", help="heap of the interpreter (default %(default)s)")
    parser.add_argument("--scene", type=Path, help="scene file that the radios hear (default: silence)")
    parser.add_argument(
        "--wifi", action="append", default=[], metavar="NAME", help="name of a network that can be joined"
    )
    options = parser.parse_args()
    with Board(options.folder, options.heap, options.scene, options.wifi) as board:
        if options.link:
            options.link.unlink(missing_ok=True)
            options.link.symlink_to(board.port)
        print(options.link or board.port, flush=True)
        try:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            threading.Event().wait()
        finally:
            if options.link:
                options.link.unlink(missing_ok=True)


if __name__ == "__main__":
    errors.run(main)
