"""
One virtual sensor: the unchanged firmware in its own MicroPython process, started again after
each reset as a board starts again.

    sensor = VirtualSensor(settings, "tools/scenes/quiet.json", "data/sensors/hall-1")
    sensor.start()                 # returns at once; its output goes to `say`
    sensor.power_cut()             # as if the battery fell out; it comes up again
    sensor.stop()                  # for good

The folder keeps flash/ (or flash.img) and world/; a sensor that is made again on the same
folder goes on where it was.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import threading
from hashlib import sha256
from pathlib import Path

from tools import native
from tools.lib import processes
from tools.lib.errors import ToolError
from tools.traffic import scene as scenes
from tools.virtual_sensor import air_file, code_image

ROOT = Path(__file__).resolve().parents[2]
IN_ROM, IN_FILES, IN_IMAGE = "rom", "files", "image"
# Enough for a crowd (tests/bench/heap.py finds the least). Objects are about twice the size of a board's,
# and the simulated hardware is in the same heap.
HEAP = {IN_ROM: "288k", IN_FILES: "384k", IN_IMAGE: "160k"}
IMAGE_BYTES = 1 << 20
POWER_UP_S = 0.2  # a board that keeps resetting must not take the whole processor
# What the chip remembers over a reset, and loses with the power.
VOLATILE = ("rtc", "sleep_ms")


class VirtualSensor:
    """
    settings  dict as ansim/settings.py wants it; written to the sensor's flash at start(). None: it has some
    scene     path of a scene file, or a tools.traffic.scene.Scene, or a path of a compiled scene (.air)
    folder    the sensor's own folder, made if missing
    speed     scene time runs so many times as fast while the firmware waits
    heap      heap of the interpreter, as `-X heapsize=` takes it; "" is HEAP
    image     True: the flash is a LittleFS image instead of a folder
    seed      of everything random in the scene
    say       function(line) for each line of output
    code      IN_ROM: runs in place, as from a board's ROMFS; IN_FILES: .mpy files, which are loaded into the heap;
              IN_IMAGE: frozen into an interpreter that is built for it (tools/native.py), without TLS
    environ   more environment variables
    """

    def __init__(
        self, settings, scene, folder, speed=1.0, heap="", image=False, seed=0, say=print, code=IN_ROM, environ=None
    ):
        self.name = (settings or {}).get("device", "sensor")
        self.starts = 0
        self._settings = settings
        self._scene = scene
        self._folder = Path(folder)
        self._speed = speed
        self._heap = heap or HEAP[code]
        self._image = image
        self._seed = seed
        self._say = say
        self._code = code
        self._environ = environ or {}
        self._stopping = threading.Event()
        self._process = None
        self._thread = None

    @property
    def flash(self) -> Path:
        """The folder or image that is its flash."""
        return self._folder / ("flash.img" if self._image else "flash")

    @property
    def world(self) -> Path:
        """The folder of what is outside of its flash; see tools/virtual_sensor/sim/_simulation.py."""
        return self._folder / "world"

    def start(self) -> None:
        """Switch it on. Raises ToolError if the scene or the interpreter is missing."""
        build = code_image.built()
        self.world.mkdir(parents=True, exist_ok=True)
        self._write_flash()
        self._write_air()
        self._write("cause", "PWRON")
        self._stopping.clear()
        self._thread = threading.Thread(
            target=self._run, args=(self._command(build), self._environment(build)), daemon=True
        )
        self._thread.start()

    def stop(self, within_s=5.0) -> None:
        """Switch it off for good."""
        self._stopping.set()
        self._kill()
        if self._thread:
            self._thread.join(within_s)

    def power_cut(self) -> None:
        """End the process at once; it starts again as after a power cut."""
        self._kill()

    def crash(self) -> None:
        """What a fault in the Wi-Fi driver does: the chip panics and starts again, its RTC memory intact."""
        if self.is_running():
            self._process.send_signal(signal.SIGABRT)

    def is_running(self) -> bool:
        """True while its process lives."""
        return self._process is not None and self._process.poll() is None

    def is_on(self) -> bool:
        """True until it is stopped, or its main.py ends: also in the moment between two starts."""
        return self._thread is not None and self._thread.is_alive()

    @property
    def pid(self) -> int:
        """The number of its process, 0 if it has none."""
        return self._process.pid if self._process else 0

    def _kill(self):
        if self.is_running():
            self._process.kill()

    def _write_flash(self):
        if not self._image:
            self.flash.mkdir(parents=True, exist_ok=True)
        elif not self.flash.exists():
            self.flash.write_bytes(b"\xff" * IMAGE_BYTES)
        if self._settings is None:
            return
        # Only the interpreter can write into an image, so boot.py moves this to the flash.
        secret = self.world / "settings.json"
        secret.touch(mode=0o600)
        secret.write_text(json.dumps(self._settings))

    def _write_air(self):
        target = self.world / "scene.air"
        if isinstance(self._scene, (str, Path)) and str(self._scene).endswith(".air"):
            target.unlink(missing_ok=True)
            target.symlink_to(Path(self._scene).resolve())
            return
        scene = self._scene if isinstance(self._scene, scenes.Scene) else scenes.load(self._scene)
        air_file.compile_scene(scene, target, self._seed, networks_of(self._settings))

    def _write(self, name, text):
        (self.world / name).write_text(text)

    def _read(self, name, otherwise=""):
        try:
            return (self.world / name).read_text()
        except OSError:
            return otherwise

    def _run(self, command, environ):
        while not self._stopping.is_set():
            cause = self._read("cause", "PWRON")
            if cause == "PWRON":
                for name in VOLATILE:
                    (self.world / name).unlink(missing_ok=True)
            if cause == "DEEPSLEEP":
                self._stopping.wait(int(self._read("sleep_ms", "0") or 0) / 1000 / self._speed)
            # What follows if nobody says otherwise: the process was killed from outside.
            self._write("cause", "PWRON")
            ended_well = self._run_once(command, {**environ, "SIM_CAUSE": cause})
            if self._stopping.is_set():
                return
            if ended_well:
                self._say("main.py has ended; a board would show its prompt now")
                return
            self._stopping.wait(POWER_UP_S)

    def _command(self, build):
        if self._code == IN_IMAGE:
            return [str(native.build_host(frozen=True)), "-X", f"heapsize={self._heap}", "-m", native.SIM_BOOT]
        start = [micropython()]
        if self._code == IN_ROM:
            start = [sys.executable, str(ROOT / "tools/virtual_sensor/start_process.py"), str(build / code_image.IMAGE)]
        return [*start, "-X", f"heapsize={self._heap}", str(build / "tools/virtual_sensor/sim/boot.py")]

    def _environment(self, build):
        environ = {**os.environ, **self._environ}
        environ.update(
            SIM_FLASH=str(self.flash.resolve()),
            SIM_WORLD=str(self.world.resolve()),
            SIM_SPEED=str(self._speed),
            SIM_ID=sha256(self.name.encode()).hexdigest()[:12],
        )
        if self._code == IN_FILES:
            environ["SIM_PROJECT"] = str(build)
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
            start_new_session=True,  # Ctrl-C is for us, who then stop it
            preexec_fn=processes.signal_on_parent_exit(signal.SIGKILL),  # two on one flash would harm each other
            text=True,
            errors="replace",
        ) as self._process:
            self.starts += 1
            if self._stopping.is_set():
                self._process.kill()
            for line in self._process.stdout:
                self._say(line.rstrip("\n"))
            code = self._process.wait()
        if code < 0 and code != -signal.SIGKILL:
            self._say(f"Guru Meditation Error: signal {-code}")
            self._write("cause", "PANIC")
        return code == 0


def networks_of(settings) -> list:
    """Names of the Wi-Fi networks that a sensor with these settings may join."""
    if not settings or settings.get("uplink", "wifi") != "wifi":
        return []
    return [one["ssid"] for one in settings.get("wifi", [])]


def micropython() -> str:
    """Return the path of the interpreter. Raises ToolError."""
    beside = Path(sys.executable).parent / "micropython"
    found = str(beside) if beside.exists() else shutil.which("micropython")
    if not found:
        raise ToolError("the MicroPython interpreter is missing; `pip install -r requirements.txt` brings it")
    return found
