#!/usr/bin/env python3
"""
An emulated board on a serial port, for trying tools and firmware without hardware.

    python3 -m tools.hardware.emulated_board data/board --link /tmp/ttyBOARD      # then: mpremote connect /tmp/ttyBOARD

It is the real MicroPython with its real prompt, on a pseudo-terminal, with a LittleFS image as
flash and the simulated chip of tools/virtual_sensor/sim around it. Soft reset, machine.reset(), a crash, a
power cut and a pulled cable behave as on a board. The folder keeps the flash and what else
survives; a new board starts on an empty flash.

    with Board(tmp_path) as board:
        subprocess.run(["mpremote", "connect", board.port, "exec", "print(1)"])
        board.power_cut()
"""

import argparse
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
from pathlib import Path

if __name__ == "__main__":
    sys.path.insert(0, str(Path(__file__).resolve().parents[2]))

from tools.lib import errors
from tools.traffic import scene
from tools.virtual_sensor import air_file, code_image
from tools.virtual_sensor.sensor import micropython

ROOT = Path(__file__).resolve().parents[2]
FLASH_BYTES = 2 << 20  # the file partition of MicroPython's 4 MiB boards
RAW_PROMPT, FRIENDLY_PROMPT = b"raw REPL; CTRL-B to exit\r\n", b'Type "help()"'
ROM_BANNER = b"\r\nets Jul 29 2019 12:21:46\r\n\r\nrst:0x%x (%s),boot:0x13 (SPI_FAST_FLASH_BOOT)\r\n"
RESETS = {"PWRON": (1, b"POWERON_RESET"), "WDT": (8, b"TG1WDT_SYS_RESET"), "DEEPSLEEP": (5, b"DEEPSLEEP_RESET")}
OTHER_RESET = (12, b"SW_CPU_RESET")
LOOK_S = 0.005  # how often to look whether MicroPython can take what waits
PROMPT_S = 1.0  # so soon the prompt comes after a start or Ctrl-C, if it comes
READER_GONE_S = 0.5  # without a reader for so long, output is lost, as on a real serial line


class Board:
    """
    folder    keeps flash.img and world/ (see tools/virtual_sensor/sim/_simulation.py); made if missing
    heap      of the interpreter, as `-X heapsize=` takes it; objects are twice as big here as on a chip
    air       path of a scene file: what the radios hear; None: nobody sends
    networks  names of the Wi-Fi networks that can be joined
    unique_id 12 hex digits, machine.unique_id()
    """

    def __init__(self, folder, heap="640k", air=None, networks=(), unique_id="246f28aabb01"):
        self.folder = Path(folder)
        self.port = ""  # of the serial line while it is plugged in
        self.starts = 0
        self._heap = heap
        self._air = air
        self._networks = networks
        self._unique_id = unique_id
        self._raw = False
        self._process = None
        self._thread = None
        self._stopping = False
        self._cause = "PWRON"
        self._heard = b""  # what came over the line and is not handed over yet
        self._hold_until_s = 0.0  # until then it is for the prompt, which is about to come

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.stop()

    @property
    def flash(self) -> Path:
        """The LittleFS image that is its flash."""
        return self.folder / "flash.img"

    @property
    def world(self) -> Path:
        """The folder of what is outside of its flash."""
        return self.folder / "world"

    def start(self) -> None:
        """Plug it in; `port` can be opened when this returns."""
        self._prepare()
        self._stopping = False
        self._line, self._other_end = pty.openpty()
        # Our own handle on the other end, or reading would fail whenever nobody has the port open.
        _set_raw(self._other_end)
        os.set_blocking(self._line, False)
        self.port = os.ttyname(self._other_end)
        self._wake_read, self._wake_write = os.pipe()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Pull the cable: power and serial line are gone. start() plugs it in again, maybe on another port."""
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
        """Cut the power for a moment; the serial line stays (a board with its own USB chip)."""
        self._end(signal.SIGKILL)

    def crash(self) -> None:
        """What a bug in the Wi-Fi driver does: the chip panics and starts again."""
        self._end(signal.SIGABRT)

    def _end(self, how):
        if self._process and self._process.poll() is None:
            self._process.send_signal(how)

    def _prepare(self):
        modules = self.folder / "modules"
        self.world.mkdir(parents=True, exist_ok=True)
        if not self.starts:
            # A copy, because what runs on the board may write and delete wherever it sees files.
            shutil.rmtree(modules, ignore_errors=True)
            shutil.copytree(code_image.built() / "tools" / "virtual_sensor" / "sim", modules)
        if not self.flash.exists():
            self.flash.write_bytes(b"\xff" * FLASH_BYTES)
        silence = self.world / "silence.json"
        silence.write_text('{"duration_s": 10}')
        air_file.compile_scene(scene.load(self._air or silence), self.world / "scene.air", 0, list(self._networks))
        self._write_cause("PWRON")
        self._raw = False
        self._heard = b""

    def _write_cause(self, cause):
        (self.world / "cause").write_text(cause)

    def _take_cause(self):
        """Why the process ended, as it noted itself; what follows unless it says more is a power cut."""
        cause = (self.world / "cause").read_text()
        self._write_cause("PWRON")
        return cause

    def _spawn(self):
        cause = self._cause
        if cause == "PWRON":
            (self.world / "rtc").unlink(missing_ok=True)
        (self.world / "starting").touch()
        self._console, end = pty.openpty()
        _set_raw(end, interrupts=True)
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
        boot = str(ROOT / "tools" / "virtual_sensor" / "sim" / "boot.py")
        self._process = subprocess.Popen(
            [micropython(), "-X", f"heapsize={self._heap}", "-i", boot],
            stdin=end,
            stdout=end,
            stderr=end,
            env=environ,
            start_new_session=True,
            preexec_fn=_own_terminal,  # so that Ctrl-C interrupts the program and nobody else
        )
        os.close(end)
        self._write_cause("PWRON")
        self.starts += 1
        self._tail = b""
        self._last = 0
        self._deaf = False
        self._hold_until_s = time.monotonic() + PROMPT_S
        if self._raw:
            self._heard = b"\x01" + self._heard  # a soft reset leaves the prompt in the mode it was in

    def _run(self):
        self._spawn()
        try:
            while not self._stopping:
                ends = [self._line, self._console, self._wake_read]
                ready, _, _ = select.select(ends, [], [], LOOK_S if self._heard else 0.5)
                if self._line in ready:
                    self._hear()
                if self._heard:
                    self._hand_over()
                if self._console in ready:
                    self._speak()
                elif self._process.poll() is not None:
                    self._start_again()
        finally:
            self._process.kill()
            self._process.wait()
            os.close(self._console)

    def _hear(self):
        with contextlib.suppress(OSError):
            self._heard += os.read(self._line, 4096)

    def _hand_over(self):
        """
        Give MicroPython what came over the line, when nothing of it can be lost.

        A chip keeps it until somebody reads it. Here the prompt throws away what came before it, and
        Ctrl-C, which is a signal for a running program, kills MicroPython while it starts and between
        two commands. So after a start and after Ctrl-C bytes wait for the prompt, but not for ever: a
        program may want them.
        """
        if not termios.tcgetattr(self._console)[3] & termios.ISIG:  # the prompt has the terminal
            self._give(len(self._heard))
            self._hold_until_s = 0.0
        elif b"\x03" in self._heard:
            if not (self.world / "starting").exists() and _catches_interrupt(self._process.pid):
                self._heard = self._heard.replace(b"\x03", b"", 1)
                with contextlib.suppress(OSError):
                    self._process.send_signal(signal.SIGINT)
                self._hold_until_s = time.monotonic() + PROMPT_S
        elif time.monotonic() > self._hold_until_s and not (self.world / "starting").exists():
            self._give(len(self._heard))

    def _give(self, count):
        with contextlib.suppress(OSError):
            count = os.write(self._console, self._heard[:count])
            self._heard = self._heard[count:]

    def _speak(self):
        try:
            said = os.read(self._console, 4096)
        except OSError:
            said = b""
        if not said:
            self._start_again()
            return
        self._tail = (self._tail + said)[-200:]
        raw, friendly = self._tail.rfind(RAW_PROMPT), self._tail.rfind(FRIENDLY_PROMPT)
        if raw != friendly:
            self._raw = raw > friendly
        self._send(self._with_returns(said))

    def _with_returns(self, said):
        """What print() ends with \\n leaves a board as \\r\\n; the prompt sends \\r\\n by itself."""
        out = bytearray()
        for byte in said:
            if byte == 10 and self._last != 13:
                out.append(13)
            out.append(byte)
            self._last = byte
        return bytes(out)

    def _send(self, data):
        while data:
            try:
                data = data[os.write(self._line, data) :]
                self._deaf = False
            except BlockingIOError:
                if (
                    self._deaf
                    or not select.select(
                        [],
                        [
                            self._line,
                        ],
                        [],
                        READER_GONE_S,
                    )[1]
                ):
                    self._deaf = True
                    return

    def _start_again(self):
        code = self._process.wait()
        os.close(self._console)
        cause = self._take_cause()
        if code == 0 or cause == "SOFT":
            self._cause = "SOFT"
            self._send(b"MPY: soft reboot\r\n")
        else:
            if code != -signal.SIGKILL:
                cause = "PANIC"
                self._send(b"\r\nGuru Meditation Error: Core 0 panic'ed (signal %d).\r\n" % -code)
            self._cause, self._raw = cause, False
            self._heard = b""  # a chip that resets forgets what it has not read
            self._send(ROM_BANNER % RESETS.get(cause, OTHER_RESET))
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
    """Is SIGINT among the signals that a process has a handler for?"""
    try:
        status = Path(f"/proc/{process_id}/status").read_text()
    except OSError:
        return True  # no Linux: hope
    caught = int(status.partition("SigCgt:")[2].split(maxsplit=1)[0], 16)
    return bool(caught >> (signal.SIGINT - 1) & 1)


def _own_terminal():
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="keeps the flash; made if missing")
    parser.add_argument("--link", type=Path, help="a name for the port that stays the same")
    parser.add_argument("--heap", default="640k", help="heap of the interpreter (default %(default)s)")
    parser.add_argument("--scene", type=Path, help="what the radios hear (default: nothing)")
    parser.add_argument("--wifi", action="append", default=[], metavar="NAME", help="a network that can be joined")
    given = parser.parse_args()
    with Board(given.folder, given.heap, given.scene, given.wifi) as board:
        if given.link:
            given.link.unlink(missing_ok=True)
            given.link.symlink_to(board.port)
        print(given.link or board.port, flush=True)
        try:
            signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
            threading.Event().wait()
        finally:
            if given.link:
                given.link.unlink(missing_ok=True)


if __name__ == "__main__":
    errors.run(main)
