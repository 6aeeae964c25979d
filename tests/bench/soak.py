"""
Run the whole firmware among faults, and check that no report is lost.

    python -m tests.bench.soak [--minutes 10] [--seed 1] [--heap 92k] [--speed 60]

One virtual sensor with its program in a 32-bit interpreter's image, TLS, Bluetooth and every part of a panel, a real
mosquitto and a small server that confirms every report: see heap.py. Every few seconds a random fault happens: the
power fails at any instant, the chip panics, browns out or is reset by USB, the access point goes and comes back, the
broker is killed, names are resolved after ten seconds or not at all, the server is silent, the chip's memory is too
small for TLS, or in pieces that are. The faults and their order depend on the seed; their instants depend on the
machine's speed, too.

After the last fault everything works again. The soak fails unless then the sensor connects within RECOVERY_S, every
report of every start has arrived once and unchanged (or a report says that it was dropped), the journal is empty, and
there were no other restarts than the faults and those for which the chip's memory was used up.
"""

import argparse
import random
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

from ansim import messages
from tests.bench.heap import PANEL, crowded_scene, make_authority
from tests.support import brokers
from tests.support.delivery import DEVICE, KEY, TinyServer
from tests.support.ports import free_port
from tools.lib.errors import run
from tools.simulate import scene_path, settings_for
from tools.virtual_sensor.sensor import IN_IMAGE, VirtualSensor

HEAP = "92k"
STATIONS = 24
OUTPUT_LINES = 300  # printed after a failure
RECOVERY_S = 90.0  # by the clock
TOO_LITTLE_FOR_TLS = "30000"
TOO_SMALL_FOR_TLS = "12000"  # for one of its buffers, and for Bluetooth
# Fault, weight. Those that end the sensor's run are rarer, so that it gets to work in between.
FAULTS = (
    ("power_cut", 3),
    ("crash", 2),
    ("usb_reset", 2),
    ("brown_out", 1),
    ("no_wifi", 3),
    ("broker_killed", 3),
    ("slow_names", 2),
    ("no_names", 1),
    ("server_silent", 2),
    ("no_memory_for_tls", 2),
    ("memory_in_pieces", 1),
)
RESTARTS = ("power_cut", "crash", "usb_reset", "brown_out")


class Result(NamedTuple):
    """
    What a soak did.

    faults    names in the order they happened
    reports   number of reports that arrived
    problems  what is wrong, as sentences
    output    lines that the sensor printed
    """

    faults: list[str]
    reports: int
    problems: list[str]
    output: list[str]


class _Faults:
    """Makes faults happen, and ends them."""

    def __init__(self, sensor: VirtualSensor, broker: brokers.Broker, server: TinyServer):
        self._sensor, self._broker, self._server = sensor, broker, server

    def begin(self, name: str) -> None:
        world = self._sensor.world
        if name == "power_cut":
            self._sensor.power_cut()
        elif name == "crash":
            self._sensor.crash()
        elif name == "usb_reset":
            self._sensor.usb_reset()
        elif name == "brown_out":
            self._sensor.brown_out()
        elif name == "no_wifi":
            (world / "no_wifi").touch()
        elif name == "broker_killed":
            self._broker.kill()
        elif name == "slow_names":
            self._sensor.write_world("dns_ms", "10000")
        elif name == "no_names":
            (world / "no_dns").touch()
        elif name == "server_silent":
            self._server.away = self._server.silent = True
        elif name == "no_memory_for_tls":
            self._sensor.write_world("idf_free", TOO_LITTLE_FOR_TLS)
        elif name == "memory_in_pieces":
            self._sensor.write_world("idf_largest", TOO_SMALL_FOR_TLS)

    def end(self, name: str) -> None:
        world = self._sensor.world
        for file in ("no_wifi", "dns_ms", "no_dns", "idf_free", "idf_largest"):
            (world / file).unlink(missing_ok=True)
        if name == "broker_killed":
            self._broker.start()
        if name == "server_silent":
            self._server.away = self._server.silent = False
            self._server.confirm()


def soak(
    seed: int,
    minutes: float,
    heap: str = HEAP,
    speed: float = 60,
    on_progress: Callable[[str], object] = lambda _: None,
) -> Result:
    """Run one soak; `minutes` are by the clock, and scene time passes up to `speed` times as fast."""
    chance = random.Random(seed)
    faults, output = [], []
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ca = make_authority(folder)
        broker = brokers.mosquitto(folder, free_port(), tls="broker").start()
        server = TinyServer(broker.port, ca=ca).start()
        options = {"broker": "localhost", "ca": ca.read_text(), "fitted": list(PANEL)}
        settings = settings_for(DEVICE, KEY, port=broker.port, uplink="wifi", upload_every_s=30, **options)
        scene = crowded_scene(scene_path("crowded"), STATIONS, folder / "scene.json")
        sensor = VirtualSensor(
            settings, scene, folder / "sensor", speed, heap, code=IN_IMAGE, seed=seed, on_output=output.append
        )
        sensor.start()
        (sensor.world / "oled").touch()
        maker = _Faults(sensor, broker, server)
        try:
            until_s = time.monotonic() + 60 * minutes
            while time.monotonic() < until_s:
                time.sleep(chance.uniform(1, 6))
                (name,) = chance.choices([row[0] for row in FAULTS], [row[1] for row in FAULTS])
                on_progress(name)
                faults.append(name)
                maker.begin(name)
                time.sleep(chance.uniform(0, 0.5 if name in RESTARTS else 5))
                maker.end(name)
            problems = _await_recovery(sensor, server)
            problems += _list_problems(sensor, server, faults, output)
            return Result(faults, len(server.order), problems, output)
        finally:
            sensor.stop()
            server.stop()
            broker.kill()


def _await_recovery(sensor, server):
    """Wait until the sensor is connected and has delivered everything; return what did not happen in time."""
    seen = len(server.infos)
    until_s = time.monotonic() + RECOVERY_S
    while time.monotonic() < until_s and sensor.is_on():
        newest = server.infos[-1] if len(server.infos) > seen + 1 else None
        # The info message comes at the beginning of a connection, so a few new reports may wait.
        if newest and newest["journal_reports"] <= 3 and _missing(server) == []:
            return []
        time.sleep(0.2)
    return [f"after {RECOVERY_S:.0f} s the sensor has not delivered everything; missing: {_missing(server)[:5]}"]


def _missing(server):
    """Return [(boot, seq), ...] of reports before the newest of each start that did not arrive."""
    arrived: dict[int, set[int]] = {}
    for (boot, seq), message in server.reports.items():
        first = message["body"]["first"] if message["kind"] == messages.DROPPED else seq
        arrived.setdefault(boot, set()).update(range(first, seq + 1))
    return [(boot, seq) for boot, seqs in sorted(arrived.items()) for seq in range(1, max(seqs) + 1) if seq not in seqs]


def _list_problems(sensor, server, faults, output):
    problems = []
    if server.conflicts or server.unsigned:
        problems.append(f"{server.conflicts} reports came with two contents, {server.unsigned} unsigned")
    on_purpose = sum("The chip's memory is used up" in line for line in output)
    expected = 1 + sum(name in RESTARTS for name in faults) + on_purpose
    if sensor.starts > expected:
        raised = [line for line in output if "Error" in line and "Guru" not in line]
        problems.append(f"{sensor.starts} starts instead of {expected} at most: {raised[-3:]}")
    dropped = sum(message["kind"] == messages.DROPPED for message in server.reports.values())
    if dropped:
        problems.append(f"{dropped} reports say that others were dropped, although the flash has room")
    return problems


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.soak", description=(__doc__ or "").strip().splitlines()[0]
    )
    parser.add_argument("--minutes", type=float, default=10.0, help="by the clock")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--heap", default=HEAP)
    parser.add_argument("--speed", type=float, default=60.0)
    options = parser.parse_args(arguments)
    result = soak(options.seed, options.minutes, options.heap, options.speed, on_progress=print)
    print(f"seed {options.seed}: {len(result.faults)} faults, {result.reports} reports arrived")
    for problem in result.problems:
        print("FAILED:", problem, file=sys.stderr)
    if result.problems:
        print("\n".join(result.output[-OUTPUT_LINES:]))
    return 1 if result.problems else 0


if __name__ == "__main__":
    run(main)
