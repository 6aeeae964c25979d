"""
How soon a sensor listens after its start, and how soon what it finds is at the server.

    python -m tests.bench.prompt [--rounds 3]

One virtual sensor on a wire, with the program in the interpreter's image, TLS, and a camera in the scene; scene
time is the clock's. Told are, for each round:

    listening   ms of the sensor's own time from its start to the first channel
    computing   ms of the processor until then, times 96: what an ESP32 at 240 MHz needs for it (tests/bench/detect.py)
    finding     ms from the detector's conclusion to the server, of the finding that took longest

The server's clock and the sensor's are compared by the report that came fastest of all.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from ansim import messages
from tests.bench.detect import ESP32_OVER_X86_BYTECODE
from tests.bench.heap import authority
from tests.support import brokers
from tests.support.delivery import DEVICE, KEY, TinyServer
from tests.support.ports import free_port
from tests.support.simulated_board import SMALL_SCENE
from tools.lib.errors import run
from tools.simulate import settings_for
from tools.traffic.scene import Scene
from tools.virtual_sensor.sensor import IN_IMAGE, VirtualSensor

LISTENING_MS, FINDING_MS = 3000, 5000
WAIT_S = 60


class Stamping(TinyServer):
    """Notes when each report came, beside the sensor's own time of it."""

    def __init__(self, *arguments, **more):
        super().__init__(*arguments, **more)
        self.lags_ms = []  # (the server's clock minus the sensor's, kind)

    def _keep(self, message):
        self.lags_ms.append((time.monotonic() * 1000 - message["tick_ms"], message["kind"]))
        super()._keep(message)


def measure() -> dict:
    """Run one sensor until a finding came; return listening, computing and finding in ms (None: it did not happen)."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ca = authority(folder)
        broker = brokers.mosquitto(folder, free_port(), tls="broker").start()
        server = Stamping(broker.port, ca=ca).start()
        settings = settings_for(DEVICE, KEY, port=broker.port, uplink="ethernet", broker="localhost", ca=ca.read_text())
        sensor = VirtualSensor(
            settings, Scene(SMALL_SCENE), folder / "sensor", 1, code=IN_IMAGE, on_output=lambda _: None
        )
        try:
            sensor.start()
            computing_ms = _computing_ms(sensor)
            end_s = time.monotonic() + WAIT_S
            while time.monotonic() < end_s and not any(kind == messages.FINDING for _, kind in server.lags_ms):
                time.sleep(0.1)
        finally:
            sensor.stop()
            server.stop()
            broker.kill()
        listening = sensor.world / "listening"
        fastest_ms = min([lag_ms for lag_ms, _ in server.lags_ms], default=0)
        delays_ms = [lag_ms - fastest_ms for lag_ms, kind in server.lags_ms if kind == messages.FINDING]
        return {
            "listening": int(listening.read_text()) if listening.exists() else None,
            "computing": computing_ms and computing_ms * ESP32_OVER_X86_BYTECODE,
            "finding": max(delays_ms, default=None),
        }


def _computing_ms(sensor):
    """Processor time of the sensor's process until it listens, in ms; None if the system does not tell or it does not."""
    for _ in range(20_000):
        if (sensor.world / "listening").exists():
            try:
                with open(f"/proc/{sensor.pid}/schedstat") as file:
                    return int(file.read().split()[0]) / 1e6
            except OSError:
                return None
        time.sleep(0.0005)
    return None


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.prompt", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--rounds", type=int, default=3)
    given = parser.parse_args(arguments)
    failed = 0
    for _ in range(given.rounds):
        found = measure()
        print(", ".join(f"{name} {'-' if ms is None else round(ms)} ms" for name, ms in found.items()), flush=True)
        is_good = None not in (found["listening"], found["finding"])
        failed += not (is_good and found["listening"] <= LISTENING_MS and found["finding"] <= FINDING_MS)
    return 1 if failed else 0


if __name__ == "__main__":
    run(lambda: sys.exit(main()))
