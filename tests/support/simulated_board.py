"""Runs pieces of Python on the real MicroPython among the simulated hardware of tools/virtual_sensor/sim."""

import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

from tests.conftest import ROOT
from tests.support.waiting import PATIENCE
from tools.traffic.scene import Scene
from tools.virtual_sensor import air_file, code_image

CAMERA, ROUTER = "ac:de:48:00:00:00", "ac:de:48:01:00:06"

# A camera on channel 6 from the first second on, a router and a watch.
SMALL_SCENE = {
    "duration_s": 60,
    "emitters": [{"pattern": {"kind": "camera", "kbps": 800, "fps": 15}, "channel": 6, "rssi_dbm": -50}],
    "access_points": [
        {"ssid": "hall", "bssid": ROUTER, "channel": 6, "rssi_dbm": -55, "auth": "wpa2-psk"},
        {"ssid": "cafe", "bssid": "ac:de:48:01:00:01", "channel": 1, "rssi_dbm": -70, "auth": "open"},
    ],
    "ble": [{"addr": "c2:de:48:05:00:01", "addr_type": 1, "name": "watch", "rssi_dbm": -60, "interval_ms": 500}],
}
SILENCE = {"duration_s": 60}


class Board:
    """
    A simulated board that runs one piece of Python at each power-on.

    folder  its own
    scene   what is on the air, as a dict
    """

    def __init__(self, folder: Path, scene: dict = SMALL_SCENE):
        self.flash, self.world = folder / "flash", folder / "world"
        self.flash.mkdir(parents=True)
        self.world.mkdir()
        air_file.compile_scene(Scene(scene), self.world / "scene.air", networks=["hall"])

    def run(self, code: str, cause="PWRON", speed=50, heap="1M", seconds=20):
        """Run the code; return what it printed, each line read as JSON if it is."""
        (self.world / "code.py").write_text(textwrap.dedent(code))
        build = code_image.build()
        environ = {
            **os.environ,
            "SIM_FLASH": str(self.flash),
            "SIM_WORLD": str(self.world),
            "SIM_MAIN": "/.world/code.py",
            "SIM_SPEED": str(speed),
            "SIM_CAUSE": cause,
        }
        command = [sys.executable, ROOT / "tools/virtual_sensor/start_process.py", build / code_image.IMAGE]
        done = subprocess.run(
            [*command, "-X", f"heapsize={heap}", build / "tools/virtual_sensor/sim/boot.py"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=seconds * PATIENCE,
        )
        return [_read(line) for line in done.stdout.splitlines()]

    def cause(self) -> str:
        """What the board will have been reset by when it starts again."""
        return (self.world / "cause").read_text()


def _read(line):
    try:
        return json.loads(line)
    except ValueError:
        return line
