"""Runs Python code on the real MicroPython with the simulated hardware of tools/virtual_sensor/sim."""

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
    A simulated board that runs given Python code at each power-on.

    folder  its own
    scene   what is on the air, as a dict
    """

    def __init__(self, folder: Path, scene: dict = SMALL_SCENE):
        self.flash, self.world = folder / "flash", folder / "world"
        self.flash.mkdir(parents=True)
        self.world.mkdir()
        air_file.compile_scene(Scene(scene), self.world / "scene.air", networks=["hall"])

    def run(self, code: str, cause: str = "PWRON", speed: float = 50, heap: str = "1M", timeout_s: float = 20) -> list:
        """Run the code; return the lines it printed, each parsed as JSON where possible."""
        (self.world / "code.py").write_text(textwrap.dedent(code))
        code_folder = code_image.build()
        environ = {
            **os.environ,
            "SIM_FLASH": str(self.flash),
            "SIM_WORLD": str(self.world),
            "SIM_MAIN": "/.world/code.py",
            "SIM_SPEED": str(speed),
            "SIM_CAUSE": cause,
        }
        command = [sys.executable, ROOT / "tools/virtual_sensor/start_process.py", code_folder / code_image.IMAGE]
        process = subprocess.run(
            [*command, "-X", f"heapsize={heap}", code_folder / "tools/virtual_sensor/sim/boot.py"],
            env=environ,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=timeout_s * PATIENCE,
        )
        return [_parse(line) for line in process.stdout.splitlines()]

    def reset_cause(self) -> str:
        """Return the reset cause of the next start."""
        return (self.world / "cause").read_text()


def _parse(line):
    try:
        return json.loads(line)
    except ValueError:
        return line
