"""
The heap of the whole firmware over a week of a restroom's days.

    python -m tests.bench.week [--days 7] [--heap 160k] [--speed 5000] [--csv week.csv]

One virtual sensor in an interpreter image, with TLS, Bluetooth and everything on its panel, and a real
mosquitto: see heap.py. The scene is six hours of a restroom, four times a day: most of the time three things
that are always there and now and then a visitor's phone, twice a crowd with more transmitters than the
station table has places for, and once a camera for ten minutes. Once a day the server orders an inspection,
ends it ten minutes later and orders a self-test; twice a day the broker is away for half an hour.

It prints a row a day: the least free heap, the median, and how many reports came. The clock is simulated: it
runs ahead while the firmware waits, so a week takes as long as the computing for it.
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
from tools.lib.errors import run
from tools.virtual_sensor.sensor import IN_IMAGE

CYCLE_S = 6 * 3600
DAY_S = 86400
CROWD = 68
UPLOAD_EVERY_S = 900
AWAY_S = 1800


def restroom() -> dict:
    """Return the scene; everything in it is made up."""
    things = [
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
        "emitters": [*things, *visitors, *crowd, camera],
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
    """Gives each day's orders, and takes the broker away twice a day."""

    ORDERS = (  # hour of the day, order
        (8, messages.INSPECTION_START, {"inspection": "K7Q2", "known": []}),
        (9, messages.INSPECTION_STOP, {"inspection": "K7Q2"}),
        (10, messages.RUN_SELFTEST, {}),
    )
    AWAY_HOURS = (2, 14)

    def __init__(self, server, broker):
        self.away = 0
        self._server, self._broker = server, broker
        self._given = []
        self._ready = 0
        self._back_s = None

    def look(self, scene_s):
        """Do what is due."""
        if self._back_s is not None:
            if scene_s >= self._back_s:
                self._broker.start()
                self._back_s = None
            return
        day, second = divmod(scene_s, DAY_S)
        if self.away < 2 * day + sum(second >= 3600 * hour for hour in self.AWAY_HOURS):
            self.away += 1
            self._broker.kill()
            self._back_s = scene_s + AWAY_S
            return
        states = self._server.states
        ready = sum(one["state"] == messages.READY for one in states)
        connected = ready > self._ready and states[-1]["state"] == messages.READY
        due = 3 * day + sum(second >= 3600 * hour for hour, _, _ in self.ORDERS)
        if connected and len(self._given) < due:
            self._ready = ready
            _, name, arguments = self.ORDERS[len(self._given) % 3]
            self._given.append((name, self._server.command(name, arguments, expires_in_s=DAY_S)))

    def answers(self) -> list:
        """As heap.Orders.answers()."""
        acks = [(name, self._server.ack_of(command_id)) for name, command_id in self._given]
        return [(name, ack and ack["error"]) for name, ack in acks]


def main(arguments=None) -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.bench.week", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--days", type=float, default=7)
    parser.add_argument("--heap", default="160k")
    parser.add_argument("--speed", type=float, default=5000)
    parser.add_argument("--csv", type=Path)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as folder:
        scene = Path(folder) / "restroom.json"
        scene.write_text(json.dumps(restroom()))
        found = heap.measure(
            scene,
            given.heap,
            given.days * 24,
            given.speed,
            code=IN_IMAGE,
            tls=True,
            panel=True,
            orders=Days,
            upload_every_s=UPLOAD_EVERY_S,
            say=lambda line: print(line, flush=True) if "0 min" in line else None,
        )
    if given.csv:
        heap.write(found["rows"], given.csv)
    print("day  free at the least  median")
    for day, rows in enumerate(_by_day(found["rows"], given.days), 1):
        free = [row[3] for row in rows]
        print(f"{day:3} {min(free):18} {statistics.median(free):8.0f}")
    print(f"longest free piece at the least: {found['piece']}; reports {found['reports']}; {found['findings']}")
    lost = sum(line.startswith("link: ") for line in found["said"])
    print(f"the broker was missed {lost} times; orders {found['acks']}; {found['took_s']:.0f} s")
    wrong = heap.problems(found, given.days * 24, reports_an_hour=30)
    for problem in wrong:
        print("FAILED:", problem, file=sys.stderr)
    return 1 if wrong else 0


def _by_day(rows, days):
    last, found = math.ceil(days) - 1, {}
    for row in rows:
        found.setdefault(min(row[0] // DAY_S, last), []).append(row)
    return found.values()


if __name__ == "__main__":
    run(main)
