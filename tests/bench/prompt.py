"""
Measure how soon a sensor listens after its start, and how soon a finding arrives at the server.

    python -m tests.bench.prompt [--rounds 3]

One wired virtual sensor with its program in the interpreter's image, TLS, and a camera in the scene; scene time runs
at the clock's speed. Printed for each round:

    listening   ms of the sensor's own time from its start to the first channel
    computing   ms of processor time until then, times 96: the estimate for an ESP32 at 240 MHz (tests/bench/detect.py)
    finding     ms from the detector's judgement to the server, for the slowest finding

The report that arrived fastest gives the offset between the server's clock and the sensor's.
"""

import argparse
import sys
import tempfile
import time
from pathlib import Path

from ansim import messages
from tests.bench.detect import ESP32_OVER_X86_BYTECODE
from tests.bench.heap import make_authority
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


class TimingServer(TinyServer):
    """Records the delay of each report."""

    def __init__(self, *arguments, **options):
        super().__init__(*arguments, **options)
        self.delays_ms = []  # (server's clock minus the time in the report, kind)

    def _keep(self, message):
        self.delays_ms.append((time.monotonic() * 1000 - message["tick_ms"], message["kind"]))
        super()._keep(message)


def measure() -> dict[str, float | None]:
    """Run one sensor until its first finding; return listening, computing and finding in ms, None if not reached."""
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        ca = make_authority(folder)
        broker = brokers.mosquitto(folder, free_port(), tls="broker").start()
        server = TimingServer(broker.port, ca=ca).start()
        settings = settings_for(DEVICE, KEY, port=broker.port, uplink="ethernet", broker="localhost", ca=ca.read_text())
        sensor = VirtualSensor(
            settings, Scene(SMALL_SCENE), folder / "sensor", 1, code=IN_IMAGE, on_output=lambda _: None
        )
        try:
            sensor.start()
            computing_ms = _computing_ms(sensor)
            end_s = time.monotonic() + WAIT_S
            while time.monotonic() < end_s and not any(kind == messages.FINDING for _, kind in server.delays_ms):
                time.sleep(0.1)
        finally:
            sensor.stop()
            server.stop()
            broker.kill()
        listening = sensor.world / "listening"
        offset_ms = min([delay_ms for delay_ms, _ in server.delays_ms], default=0)
        findings_ms = [delay_ms - offset_ms for delay_ms, kind in server.delays_ms if kind == messages.FINDING]
        return {
            "listening": int(listening.read_text()) if listening.exists() else None,
            "computing": computing_ms and computing_ms * ESP32_OVER_X86_BYTECODE,
            "finding": max(findings_ms, default=None),
        }


def _computing_ms(sensor):
    """Return the processor time in ms until the sensor listens; None if it does not, or the system has no figure."""
    for _ in range(20_000):
        if (sensor.world / "listening").exists():
            try:
                with open(f"/proc/{sensor.pid}/schedstat") as file:
                    return int(file.read().split()[0]) / 1e6
            except OSError:
                return None
        time.sleep(0.0005)
    return None


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.prompt", description=(__doc__ or "").strip().splitlines()[0]
    )
    parser.add_argument("--rounds", type=int, default=3)
    options = parser.parse_args(arguments)
    failed = 0
    for _ in range(options.rounds):
        times_ms = measure()
        print(", ".join(f"{name} {'-' if ms is None else round(ms)} ms" for name, ms in times_ms.items()), flush=True)
        listening_ms, finding_ms = times_ms["listening"], times_ms["finding"]
        failed += not (
            listening_ms is not None
            and finding_ms is not None
            and listening_ms <= LISTENING_MS
            and finding_ms <= FINDING_MS
        )
    return 1 if failed else 0


if __name__ == "__main__":
    run(lambda: sys.exit(main()))
