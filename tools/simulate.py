"""
Virtual sensors: the unchanged firmware on the real MicroPython, one process each, hearing a scene.

    python -m tools.simulate tools/scenes/camera_station.json --sensors sensors.json --port 1883
    python -m tools.simulate quiet crowded --sensors sensors.json --speed 20 --count 10
    python -m tools.simulate --demo --data data/demo --port 1883

A scene is a path, or the name of one in tools/scenes. The n-th sensor hears the n-th scene, and
so on from the first again. --sensors is a JSON file [{"device": "hall-1", "key": "64 hex
digits"}, ...] or a folder of settings files (ansim/settings.py); a row may have more settings,
which go before those made up here, and "scene". --demo takes <data>/sensors.json, which
tools/run.py --demo writes.

What is on the air is made up, also where a scene plays a recording; what the sensors conclude
and send is not. From Python, see tools/virtual_sensor/sensor.py:

    sensor = start_sensor(settings_for("hall-1", key, port=1883), "quiet", "data/hall-1")
    ...
    sensor.stop()
"""

import argparse
import json
import signal
import sys
import threading
from pathlib import Path

from ansim.settings import BadSettings, checked
from tools.lib import errors
from tools.lib.errors import ToolError
from tools.virtual_sensor import air_file
from tools.virtual_sensor.sensor import HEAP, IN_FILES, IN_IMAGE, IN_ROM, VirtualSensor, networks_of

ROOT = Path(__file__).resolve().parent.parent
SCENES = ROOT / "tools" / "scenes"
NETWORK = "ansim-virtual"  # the Wi-Fi that every scene gets for its sensor
UPLOAD_EVERY_S = 15  # more often than a real one: somebody is watching


def main(arguments=None) -> int:
    given = _parser().parse_args(arguments)
    rows = _rows(given)
    sensors = []
    stopping = threading.Event()
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, lambda *_: stopping.set())
    try:
        for settings, scene in _wanted(given, rows):
            folder = given.data / "sensors" / settings["device"]
            say = _prefixed(settings["device"])
            air = air_file.compile_cached(scene, given.data / "scenes", given.seed, networks_of(settings))
            more = {"speed": given.speed, "heap": given.heap, "flash_image": given.image, "code": given.code}
            sensors.append(VirtualSensor(settings, air, folder, on_output=say, **more))
            sensors[-1].start()
            if stopping.is_set():
                break
        while not stopping.wait(0.5) and any(one.is_on() for one in sensors):
            pass
    finally:
        for one in sensors:
            one.stop()
    return 0


def start_sensor(settings, scene, folder, **options) -> VirtualSensor:
    """
    Start one virtual sensor and return it.

    settings  dict for ansim/settings.py; settings_for() makes one
    scene     path of a scene file, or a name in tools/scenes
    folder    its own, made if missing
    options   of VirtualSensor: speed, heap, flash_image, seed, on_output, environ

    Raises ToolError.
    """
    air = air_file.compile_cached(scene_path(scene), Path(folder) / "scenes", options.get("seed", 0), networks_of(settings))
    sensor = VirtualSensor(settings, air, folder, **options)
    sensor.start()
    return sensor


def settings_for(device, key, broker="127.0.0.1", port=1883, ca="", uplink="wifi", **more) -> dict:
    """
    Return settings for a virtual sensor.

    key   32 bytes, or 64 hex digits
    ca    PEM text of the broker's authority; "" is without TLS
    more  any other of ansim/settings.py, before what is made up here

    Raises ToolError if a setting is wrong.
    """
    settings = {
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
    }
    settings.update(more)
    try:
        checked(settings)
    except BadSettings as error:
        raise ToolError(f"the settings of {device} are not usable: {error}") from error
    return settings


def scene_path(scene) -> Path:
    """Return the path of a scene given by path or by its name in tools/scenes. Raises ToolError."""
    for path in (Path(scene), SCENES / str(scene), SCENES / f"{scene}.json"):
        if path.is_file():
            return path
    shipped = ", ".join(sorted(path.stem for path in SCENES.glob("*.json")))
    raise ToolError(f"no scene {scene}; give a file, or one of {shipped}")


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tools.simulate", description=__doc__.strip().splitlines()[0])
    parser.add_argument("scenes", nargs="*", metavar="SCENE", help="a scene file, or the name of one in tools/scenes")
    parser.add_argument("--broker", default="127.0.0.1", metavar="HOST")
    parser.add_argument("--port", type=int, default=1883)
    parser.add_argument("--tls", action="store_true", help="connect by TLS; needs --ca")
    parser.add_argument("--ca", type=Path, metavar="FILE", help="PEM of the authority of the broker's certificate")
    parser.add_argument("--sensors", type=Path, metavar="FILE", help="JSON file or folder with devices and keys")
    parser.add_argument("--count", type=int, default=0, metavar="N", help="only the first N of them")
    parser.add_argument("--uplink", choices=("wifi", "ethernet"), default="wifi")
    parser.add_argument("--speed", type=float, default=1.0, metavar="N", help="scene time runs N times as fast")
    parser.add_argument("--heap", default="", metavar="SIZE", help=f"of each interpreter (default {HEAP[IN_ROM]})")
    parser.add_argument(
        "--code", choices=(IN_ROM, IN_FILES, IN_IMAGE), default=IN_ROM, help="run code in place, or load it"
    )
    parser.add_argument("--image", action="store_true", help="keep each flash as a LittleFS image")
    parser.add_argument("--seed", type=int, default=0, metavar="N", help="of everything random in the scenes")
    parser.add_argument("--data", type=Path, default=ROOT / "data", help="where sensors keep their flash")
    parser.add_argument("--demo", action="store_true", help="the sensors of tools/run.py --demo")
    return parser


def _rows(given):
    """Return [settings without defaults, ...] of the sensors that were asked for."""
    place = given.sensors or (given.data / "sensors.json" if given.demo else None)
    if place is None:
        raise ToolError("no sensors; name a file of devices and keys with --sensors")
    files = sorted(place.glob("*.json")) if place.is_dir() else [place]
    rows = []
    for file in files:
        try:
            found = json.loads(file.read_text())
        except OSError as error:
            raise ToolError(f"cannot read {file}: {error.strerror}; name another with --sensors") from error
        except ValueError as error:
            raise ToolError(f"{file} is not JSON") from error
        for row in found if isinstance(found, list) else [found]:
            if not isinstance(row, dict) or "device" not in row or "key" not in row:
                raise ToolError(f'{file} should hold objects with "device" and "key"')
            rows.append(row)
    rows = rows[: given.count or len(rows)]
    if not rows:
        raise ToolError(f"{place} lists no sensor")
    return rows


def _wanted(given, rows):
    """Yield (settings, path of the scene) of each sensor."""
    if given.tls and not given.ca:
        raise ToolError("--tls needs --ca: a sensor trusts one authority only")
    try:
        ca = given.ca.read_text() if given.ca else ""
    except OSError as error:
        raise ToolError(f"cannot read {given.ca}: {error.strerror}") from error
    for place, row in enumerate(rows):
        more = dict(row)
        scene = more.pop("scene", "quiet")
        if given.scenes:
            scene = given.scenes[place % len(given.scenes)]
        # One of the demo's sensors is wired, so that orders reach it at once.
        uplink = more.pop("uplink", "ethernet" if given.demo and place == 0 else given.uplink)
        device, key = more.pop("device"), more.pop("key")
        yield (
            settings_for(device, key, given.broker, given.port, ca if given.tls else "", uplink, **more),
            scene_path(scene),
        )


def _prefixed(device):
    def say(line):
        print(f"{device}: {line}", file=sys.stdout, flush=True)

    return say


if __name__ == "__main__":
    errors.run(main)
