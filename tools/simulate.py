"""
Run virtual sensors: the unchanged firmware on the real MicroPython, one process each, in a simulated scene.

    python -m tools.simulate tools/scenes/camera_station.json --sensors sensors.json --port 1883
    python -m tools.simulate quiet crowded --sensors sensors.json --speed 20 --count 10
    python -m tools.simulate --demo --data data/demo --port 1883

A scene is a path, or a name in tools/scenes. The n-th sensor receives the n-th scene; with fewer scenes
than sensors they start again from the first. --sensors is a JSON file [{"device": "hall-1", "key": "64 hex
digits"}, ...] or a folder of settings files (ansim/settings.py). A row may have further settings, which
replace the defaults of this tool, and "scene". --demo uses <data>/sensors.json, which tools/run.py --demo
writes.

The traffic is simulated, also if a scene plays a recording; the findings and messages of the sensors are
real. From Python, see tools/virtual_sensor/sensor.py:

    sensor = start_sensor(settings_for("hall-1", key, port=1883), "quiet", "data/hall-1")
    ...
    sensor.stop()
"""

import argparse
import json
import signal
import sys
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ansim.settings import BadSettings, checked
from tools.lib import arguments, errors
from tools.lib.errors import ToolError
from tools.lib.paths import SCENES, WORK
from tools.virtual_sensor import air_file
from tools.virtual_sensor.sensor import HEAP, IN_FILES, IN_IMAGE, IN_ROM, VirtualSensor, networks_of

NETWORK = "ansim-virtual"  # Wi-Fi network that is added to every scene
UPLOAD_EVERY_S = 15  # shorter than on a real sensor, for people who watch


def main(argv: Sequence[str] | None = None) -> int:
    options = _parser().parse_args(argv)
    rows = _read_sensors(options)
    sensors = []
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.set())
    try:
        for settings, scene in _configure(options, rows):
            folder = options.data / "sensors" / settings["device"]
            say = _printer(settings["device"])
            air = air_file.compile_cached(scene, options.data / "scenes", options.seed, networks_of(settings))
            variant = {"speed": options.speed, "heap": options.heap, "flash_image": options.image, "code": options.code}
            sensors.append(VirtualSensor(settings, air, folder, on_output=say, **variant))
            sensors[-1].start()
            if stopping.is_set():
                break
        while not stopping.wait(0.5) and any(sensor.is_on() for sensor in sensors):
            pass
    finally:
        for sensor in sensors:
            sensor.stop()
    return 0


def start_sensor(settings: dict[str, Any], scene: Path | str, folder: Path | str, **options: Any) -> VirtualSensor:
    """
    Start one virtual sensor and return it.

    settings  as in ansim/settings.py; settings_for() makes them
    scene     path of a scene file, or a name in tools/scenes
    folder    of the sensor, created if missing
    options   of VirtualSensor; also seed, for the scene

    Raises ToolError.
    """
    air = air_file.compile_cached(
        scene_path(scene), Path(folder) / "scenes", options.get("seed", 0), networks_of(settings)
    )
    sensor = VirtualSensor(settings, air, folder, **options)
    sensor.start()
    return sensor


def settings_for(
    device: str,
    key: bytes | str,
    broker: str = "127.0.0.1",
    port: int = 1883,
    ca: str = "",
    uplink: str = "wifi",
    **settings: Any,
) -> dict[str, Any]:
    """
    Return settings for a virtual sensor.

    key       32 bytes, or 64 hex digits
    ca        PEM text of the authority of the broker's certificate; "" is without TLS
    settings  any other of ansim/settings.py; they replace the defaults of this tool

    Raises ToolError if a setting is wrong.
    """
    complete = {
        "device": device,
        "key": key if isinstance(key, str) else key.hex(),
        "broker": broker,
        "port": port,
        "tls": bool(ca),
        "ca": ca,
        "uplink": uplink,
        "wifi": [{"ssid": NETWORK, "password": "virtual-only"}] if uplink == "wifi" else [],
        "board": "esp32_devkit" if uplink == "wifi" else "esp32_ethernet",
        "upload_every_s": UPLOAD_EVERY_S,
        "ntp": "",
        **settings,
    }
    try:
        checked(complete)
    except BadSettings as error:
        raise ToolError(f"the settings of {device} are not usable: {error}") from error
    return complete


def scene_path(scene: Path | str) -> Path:
    """Return the path of a scene, given its path or its name in tools/scenes. Raises ToolError."""
    for path in (Path(scene), SCENES / str(scene), SCENES / f"{scene}.json"):
        if path.is_file():
            return path
    names = ", ".join(sorted(path.stem for path in SCENES.glob("*.json")))
    raise ToolError(f"no scene {scene}; give a file, or one of {names}")


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.simulate", description=arguments.summary_line(__doc__))
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="a scene file, or a name in tools/scenes")
    parser.add_argument("--broker", default="127.0.0.1", metavar="HOST", help="default %(default)s")
    parser.add_argument("--port", type=arguments.port, default=1883, help="of the broker (default %(default)s)")
    parser.add_argument("--tls", action="store_true", help="connect with TLS; needs --ca")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="PEM file of the authority of the broker's certificate")
    parser.add_argument("--sensors", type=Path, metavar="FILE", help="JSON file or folder with devices and keys")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="start only the first N sensors")
    parser.add_argument("--uplink", choices=("wifi", "ethernet"), default="wifi", help="default %(default)s")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="run the scene N times as fast")
    parser.add_argument("--heap", default="", metavar="SIZE", help=f"heap of each interpreter (default {HEAP[IN_ROM]})")
    parser.add_argument(
        "--code",
        choices=(IN_ROM, IN_FILES, IN_IMAGE),
        default=IN_ROM,
        help="run the code in place or load it (default %(default)s)",
    )
    parser.add_argument("--image", action="store_true", help="store each flash as a LittleFS image")
    parser.add_argument(
        "--seed", type=int, default=0, metavar="N", help="of everything random in the scenes (default 0)"
    )
    parser.add_argument(
        "--data", type=Path, default=WORK / "data", help="folder of the sensors' flash (default ./data)"
    )
    parser.add_argument("--demo", action="store_true", help="start the sensors of tools/run.py --demo")
    return parser


def _read_sensors(options):
    """Return [settings without defaults, ...] of the sensors to start."""
    path = options.sensors or (options.data / "sensors.json" if options.demo else None)
    if path is None:
        raise ToolError("no sensors; give a file of devices and keys with --sensors")
    files = sorted(path.glob("*.json")) if path.is_dir() else [path]
    rows = []
    for file in files:
        try:
            content = json.loads(file.read_text())
        except OSError as error:
            raise ToolError(f"cannot read {file}: {error.strerror}; give another file with --sensors") from error
        except ValueError as error:
            raise ToolError(f"{file} is not JSON; check it with `python -m json.tool`") from error
        for row in content if isinstance(content, list) else [content]:
            if not isinstance(row, dict) or "device" not in row or "key" not in row:
                raise ToolError(f'{file} should hold objects with "device" and "key"')
            rows.append(row)
    rows = rows[: options.count or len(rows)]
    if not rows:
        raise ToolError(f"{path} lists no sensor; give another with --sensors")
    return rows


def _configure(options, rows):
    """Yield (settings, path of the scene) of each sensor."""
    if options.tls and not options.ca:
        raise ToolError("--tls needs the authority of the broker's certificate; give it with --ca")
    try:
        ca = options.ca.read_text() if options.ca else ""
    except OSError as error:
        raise ToolError(f"cannot read {options.ca}: {error.strerror}; give another file with --ca") from error
    for index, row in enumerate(rows):
        settings = dict(row)
        scene = settings.pop("scene", "quiet")
        if options.scenes:
            scene = options.scenes[index % len(options.scenes)]
        # One of the demo's sensors is wired, so that commands reach it at once.
        uplink = settings.pop("uplink", "ethernet" if options.demo and index == 0 else options.uplink)
        device, key = settings.pop("device"), settings.pop("key")
        yield (
            settings_for(device, key, options.broker, options.port, ca if options.tls else "", uplink, **settings),
            scene_path(scene),
        )


def _printer(device):
    """Return a function that prints a line of a sensor's output."""

    def say(line):
        print(f"{device}: {line}", file=sys.stdout, flush=True)

    return say


if __name__ == "__main__":
    errors.run(main)
