"""
Measure the heap of the whole firmware over a week in a restroom.

    python -m tests.bench.week [--days 7] [--heap 92k] [--speed 5000] [--csv week.csv]

One virtual sensor with its program in the interpreter's image, TLS, Bluetooth and every part of a panel, and a real
mosquitto: see heap.py. The scene is six hours in a restroom, four times a day: three permanent devices and now and
then a visitor's phone, twice a crowd with more transmitters than the station table has places for, and once a camera
for ten minutes. Once a day the server starts an inspection, stops it an hour later and requests a self-test; twice a
day the broker is down for half an hour.

It prints the minimum and the median of the free heap for each day. The clock is simulated: it runs ahead while the
firmware waits, so a week takes only the time for its computations.
"""

import argparse
import json
import math
import statistics
import sys
import tempfile
from pathlib import Path

from ansim import messages
from tests.bench import heap
from tests.support import brokers
from tests.support.delivery import TinyServer
from tools.lib.errors import run
from tools.virtual_sensor.sensor import IN_IMAGE

CYCLE_S = 6 * 3600
DAY_S = 86400
CROWD = 68
UPLOAD_EVERY_S = 900
OUTAGE_S = 1800


def restroom() -> dict:
    """Return the scene; all of it is synthetic."""
    devices = [
        {"pattern": {"kind": "iot", "every_s": every_s}, "channel": channel, "rssi_dbm": dbm}
        for every_s, channel, dbm in ((20, 1, -72), (30, 6, -75), (60, 11, -70))
    ]
    visitors = [
        _visit(("web", "audio_download", "voice")[number % 3], (1, 6, 11)[number % 3], 900 * number + 400, 240)
        for number in range(24)
    ]
    crowd = [
        _visit(("web", "iot", "voice")[number % 3], (1, 6, 11)[number % 3], start_s + 2 * number, 180)
        for start_s in (5400, 16200)
        for number in range(CROWD)
    ]
    camera = _visit("camera", 6, 10800, 600)
    return {
        "duration_s": CYCLE_S,
        "emitters": [*devices, *visitors, *crowd, camera],
        "access_points": [
            {"ssid": f"hall-{channel}", "bssid": f"ac:de:48:01:00:{channel:02x}", "channel": channel, "rssi_dbm": -60}
            for channel in (1, 6, 11)
        ],
        "ble": [
            {"addr": f"c2:de:48:05:00:{number:02x}", "name": "watch", "rssi_dbm": -70, "interval_ms": 2000}
            for number in range(4)
        ],
    }


def _visit(kind, channel, start_s, for_s):
    return {
        "pattern": {"kind": kind},
        "channel": channel,
        "rssi_dbm": -55 - start_s % 20,
        "loss": 0.2,
        "start_s": start_s,
        "end_s": start_s + for_s,
    }


class Days:
    """Sends each day's commands and stops the broker twice a day; a heap.Schedule."""

    COMMANDS = (  # hour of the day, name, arguments
        (8, messages.INSPECTION_START, {"inspection": "K7Q2", "known": []}),
        (9, messages.INSPECTION_STOP, {"inspection": "K7Q2"}),
        (10, messages.RUN_SELFTEST, {}),
    )
    OUTAGE_HOURS = (2, 14)

    def __init__(self, server: TinyServer, broker: brokers.Broker):
        self._server, self._broker = server, broker
        self._outages = 0
        self._sent = []  # (name, id of the command)
        self._ready_count = 0
        self._restart_s = None  # when the broker starts again

    def update(self, scene_s: int) -> None:
        """Run the events that are due."""
        if self._restart_s is not None:
            if scene_s >= self._restart_s:
                self._broker.start()
                self._restart_s = None
            return
        day, second = divmod(scene_s, DAY_S)
        if self._outages < 2 * day + sum(second >= 3600 * hour for hour in self.OUTAGE_HOURS):
            self._outages += 1
            self._broker.kill()
            self._restart_s = scene_s + OUTAGE_S
            return
        states = self._server.states
        ready_count = sum(state["state"] == messages.READY for state in states)
        is_ready = ready_count > self._ready_count and states[-1]["state"] == messages.READY
        due = 3 * day + sum(second >= 3600 * hour for hour, _, _ in self.COMMANDS)
        if is_ready and len(self._sent) < due:
            self._ready_count = ready_count
            _, name, arguments = self.COMMANDS[len(self._sent) % 3]
            self._sent.append((name, self._server.command(name, arguments, expires_in_s=DAY_S)))

    def answers(self) -> list[tuple[str, str | None]]:
        """Return heap.Measurement.acks."""
        return heap.answers_to(self._server, self._sent)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.week", description=(__doc__ or "").strip().splitlines()[0]
    )
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--heap", default="92k")
    parser.add_argument("--speed", type=float, default=5000)
    parser.add_argument("--csv", type=Path)
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "restroom.json"
        scene.write_text(json.dumps(restroom()))
        measurement = heap.measure(
            scene,
            options.heap,
            options.days * 24,
            options.speed,
            code=IN_IMAGE,
            tls=True,
            panel=True,
            schedule=Days,
            upload_every_s=UPLOAD_EVERY_S,
            on_progress=lambda line: print(line, flush=True) if "0 min" in line else None,
        )
    if options.csv:
        heap.write_csv(measurement.rows, options.csv)
    print("day  minimum free   median")
    for day, rows in enumerate(_by_day(measurement.rows, options.days), 1):
        free = [row[3] for row in rows]
        print(f"{day:3} {min(free):13} {statistics.median(free):8.0f}")
    print(f"minimum of the largest free block: {measurement.largest_block}; reports {measurement.reports}")
    print(f"findings: {measurement.findings}")
    failures = sum(line.startswith("link: ") for line in measurement.output)
    print(f"failed connections: {failures}; commands {measurement.acks}; {measurement.took_s:.0f} s")
    problems = heap.list_problems(measurement, options.days * 24, reports_an_hour=30)
    for problem in problems:
        print("FAILED:", problem, file=sys.stderr)
    return 1 if problems else 0


def _by_day(rows, days):
    last, rows_by_day = math.ceil(days) - 1, {}
    for row in rows:
        rows_by_day.setdefault(min(row[0] // DAY_S, last), []).append(row)
    return rows_by_day.values()


if __name__ == "__main__":
    run(main)
