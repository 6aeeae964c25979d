"""
How much heap the whole firmware needs, and whether that stays the same over hours.

    python -m tests.bench.heap [--heap 160k] [--hours 1] [--scene crowded] [--tls] [--csv heap.csv]
    python -m tests.bench.heap --least            # the smallest heap with which it runs

One virtual sensor, a real mosquitto and a small server that confirms every report. Scene time
runs faster than the clock while the firmware waits. Each minute of scene time the heap is
collected and weighed; the CSV has scene_s, bytes in use before and after the collection, and free. What it
says of pieces is the longest one that was free at each of these moments, at the least.

It fails if the firmware restarts (a MemoryError is one), if fewer reports arrive than the hours
must bring, or if the free heap of the last quarter lies more than FLAT_BYTES below that of the
second quarter. In the first everything is set up.

With --stations 72 the scene gets so many transmitters, more than the station table has places for, and the
last two are cameras. With --panel everything that a board can have on its panel is fitted. With --day the server
orders one thing after the other, as on an inspector's day: an inspection, to follow a signal, the movement
test, a self-test.

A pointer takes 8 bytes here and 4 on the board: objects are about twice the size. The simulated
hardware is in the same heap. With --code image the program is frozen into the interpreter, which
tools/native.py builds for it; with --code rom it runs in place on the interpreter from PyPI, as from
a board's ROMFS, where its functions and names take heap; with --code files it is loaded whole.
"""

import argparse
import json
import re
import statistics
import sys
import tempfile
import time
from pathlib import Path

from ansim import messages
from tests.support import brokers
from tests.support.delivery import DEVICE, KEY, TinyServer
from tests.support.ports import free_port
from tools.lib.errors import ToolError, run
from tools.simulate import scene_path, settings_for
from tools.virtual_sensor.sensor import IN_FILES, IN_IMAGE, IN_ROM, VirtualSensor

WEIGH_S = 60
PANEL = ("led", "button", "buzzer", "oled", "battery")
FLAT_BYTES = 2048
STEP_K = 8
BLOCK_BYTES = 32
MEM_INFO = ("stack: ", "GC: total", "No. of 1-blocks")  # how the lines of micropython.mem_info() begin
LEAST_HOURS = 0.2


def measure(
    scene,
    heap,
    hours,
    speed,
    uplink="wifi",
    code=IN_ROM,
    tls=False,
    stations=0,
    panel=False,
    orders=None,
    upload_every_s=60,
    say=lambda _: None,
) -> dict:
    """
    Run one virtual sensor for some hours of scene time.

    stations   how many transmitters the scene gets, 0: its own
    panel      PANEL is fitted; else what the board is sold with
    orders     Orders, or another class made with the server and the broker: gives the server's orders

    Returns rows [(scene_s, before, after, free)], piece (the longest free one, in bytes, at the least), restarts,
    reports (how many arrived), findings (kinds and events), acks ((order, "" or why it was refused)), took_s, and
    what the sensor said.
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        scene = packed(scene, stations, folder / "packed.json") if stations else scene
        ca = authority(folder) if tls else None
        broker = brokers.mosquitto(folder, free_port(), tls="broker" if tls else "").start()
        server = TinyServer(broker.port, ca=ca).start()
        said, pieces = [], []
        host = {"broker": "localhost", "ca": ca.read_text()} if ca else {}
        host |= {"fitted": list(PANEL)} if panel else {}
        settings = settings_for(DEVICE, KEY, port=broker.port, uplink=uplink, upload_every_s=upload_every_s, **host)
        sensor = VirtualSensor(
            settings,
            scene,
            folder / "sensor",
            speed,
            heap,
            code=code,
            on_output=lambda line: (pieces if line.lstrip().startswith(MEM_INFO) else said).append(line),
            environ={"SIM_HEAP_S": str(WEIGH_S)},
        )
        began_s = time.monotonic()
        sensor.start()
        if panel:
            (sensor.world / "oled").touch()
        orders = orders(server, broker) if orders else None
        try:
            rows = _watch(sensor, hours * 3600, say, orders)
        finally:
            sensor.stop()
            server.stop()
            broker.kill()
        findings = [one["body"] for one in server.reports.values() if one["kind"] == messages.FINDING]
        return {
            "rows": rows,
            "piece": longest_piece(pieces),
            "restarts": sensor.starts - 1,
            "reports": len(server.order),
            "findings": sorted({(one["detector"], one["event"]) for one in findings}),
            "acks": orders.answers() if orders else [],
            "took_s": time.monotonic() - began_s,
            "said": said,
        }


def packed(scene, stations: int, file: Path) -> Path:
    """Write a scene with so many emitters: its own, then phones and things on all channels, then two cameras."""
    given = json.loads(scene.read_text())
    emitters = given["emitters"]
    for number in range(len(emitters), stations):
        kind = "camera" if number >= stations - 2 else ("iot", "web", "voice")[number % 3]
        channel = 1 + number % 13
        emitters.append({"pattern": {"kind": kind}, "channel": channel, "rssi_dbm": -55 - number % 20, "loss": 0.2})
    file.write_text(json.dumps(given))
    return file


def authority(folder):
    """Make a certificate for the broker; return the file of the authority it comes from."""
    brokers.certificate(folder, "broker", brokers.certificate(folder, "ca"), host="localhost")
    return folder / "ca.pem"


class Orders:
    """Gives the server's orders, one in each EVERY_S of scene time, when the sensor has just said that it is ready."""

    EVERY_S = 120

    def __init__(self, server, _broker):
        self._server = server
        self._given = []  # (name, id of the command)
        self._seen = 0
        self._next_s = self.EVERY_S

    def look(self, scene_s):
        """Give the next order if it is time."""
        ready = [one for one in self._server.states if one["state"] == messages.READY]
        fresh = len(ready) > self._seen or (ready and self._server.states[-1]["state"] == messages.READY)
        self._seen = len(ready)
        order = self._order(len(self._given)) if fresh and scene_s >= self._next_s else None
        if order:
            self._given.append((order[0], self._server.command(*order, expires_in_s=10_000_000)))
            self._next_s = scene_s + self.EVERY_S

    def _order(self, number):
        """Return (name, arguments) of an order, None if there are no more or nothing was found yet."""
        found = [one["body"] for one in self._server.reports.values() if one["kind"] == messages.FINDING]
        if number > 5 or not found:
            return None
        subject = {"subject": found[0]["subject"], "channel": found[0]["channel"]}
        slots = [[start_ms, 4000, start_ms // 4000 % 2] for start_ms in range(0, 48_000, 4000)]
        return (
            (messages.INSPECTION_START, {"inspection": "K7Q2", "known": []}),
            (messages.LOCATE, subject | {"seconds": 60}),
            (messages.SLOTS, subject | {"slots": slots}),
            (messages.DWELL, {"channel": subject["channel"], "seconds": 20}),
            (messages.INSPECTION_STOP, {"inspection": "K7Q2"}),
            (messages.RUN_SELFTEST, {}),
        )[number]

    def answers(self) -> list:
        """[(order, why it was refused; "" if it was done; None without an answer), ...]"""
        acks = [(name, self._server.ack_of(command_id)) for name, command_id in self._given]
        return [(name, ack and ack["error"]) for name, ack in acks]


def _watch(sensor, scene_s, say, orders=None):
    file = sensor.world / "heap.csv"
    last = None
    changed_s = time.monotonic()
    while True:
        time.sleep(0.2)
        rows = _rows(file)
        if rows and rows[-1] != last:
            last, changed_s = rows[-1], time.monotonic()
            say(f"{last[0] / 60:6.0f} min  {last[3]} bytes free")
        if orders and rows:
            orders.look(rows[-1][0])
        if sensor.starts > 1 or (rows and rows[-1][0] >= scene_s):
            return rows
        if not sensor.is_on() or time.monotonic() - changed_s > 60:
            return rows  # it has ended, or it hangs


def _rows(file):
    try:
        lines = file.read_text().splitlines()
    except OSError:
        return []
    return [tuple(int(part) for part in line.split(",")) for line in lines if line.count(",") == 3]


def longest_piece(said) -> int:
    """The least of what mem_info() said of the longest free piece, in bytes: it counts in blocks of four pointers."""
    found = [re.search(r"max free sz: (\d+)", line) for line in said]
    return min((int(one[1]) * BLOCK_BYTES for one in found if one), default=0)


def problems(found: dict, hours: float, reports_an_hour=30) -> list:
    """Return what speaks against it, as sentences; empty if it is good."""
    rows, wrong = found["rows"], []
    if found["restarts"]:
        wrong.append("the firmware restarted: " + "; ".join(found["said"][-3:]))
    if not rows or rows[-1][0] < hours * 3600:
        wrong.append(f"it ended after {rows[-1][0] if rows else 0} s of scene time")
        return wrong
    wrong += [f"{name}: {error or 'no answer'}" for name, error in found.get("acks", []) if error != ""]
    if found["reports"] < hours * reports_an_hour:
        wrong.append(f"only {found['reports']} reports arrived")
    second, last = quarters(rows)
    if second - last > FLAT_BYTES:
        wrong.append(f"the free heap sank by {second - last} bytes from the second to the last quarter")
    return wrong


def write(rows, file: Path) -> None:
    """Write the rows as CSV."""
    lines = [",".join(str(part) for part in row) for row in rows]
    file.write_text("scene_s,used_before,used_after,free\n" + "\n".join(lines) + "\n")


def quarters(rows) -> tuple:
    """The median free heap of the second and of the last quarter."""
    quarter = max(1, len(rows) // 4)
    free = [row[3] for row in rows]
    return round(statistics.median(free[quarter : 2 * quarter])), round(statistics.median(free[-quarter:]))


def least_heap(measured_with, low_k=120, high_k=480) -> int:
    """The smallest heap in kB, in steps of STEP_K, with which measured_with("<n>k") comes to its end."""
    while high_k - low_k > STEP_K:
        middle_k = (low_k + high_k) // 2 // STEP_K * STEP_K
        if middle_k in (low_k, high_k):
            break
        found = measured_with(f"{middle_k}k")
        if found["restarts"] or not found["rows"] or found["rows"][-1][0] < LEAST_HOURS * 3600:
            low_k = middle_k
        else:
            high_k = middle_k
        print(f"{middle_k}k {'is enough' if high_k == middle_k else 'is too little'}", flush=True)
    return high_k


def main(arguments=None) -> int:
    given = _parser().parse_args(arguments)
    if given.hours * 3600 < 8 * WEIGH_S:
        raise ToolError(f"--hours {given.hours} is too short; give {8 * WEIGH_S / 3600} or more")
    scene = scene_path(given.scene)
    how = (given.speed, given.uplink, given.code, given.tls, given.stations, given.panel, Orders if given.day else None)
    words = f"{given.scene}, {given.stations or 'its own'} stations, {given.uplink}, TLS {'on' if given.tls else 'off'}"
    words += f"{', panel' if given.panel else ''}{', a day of orders' if given.day else ''}, code in {given.code}"
    if given.least:
        print(f"least heap: {least_heap(lambda heap: measure(scene, heap, LEAST_HOURS, *how))}k ({words})")
        return 0
    found = measure(scene, given.heap, given.hours, *how, say=print)
    if given.csv:
        write(found["rows"], given.csv)
    wrong = problems(found, given.hours)
    if found["rows"]:
        second, last = quarters(found["rows"])
        print(f"heap {given.heap}, {given.hours} h of scene time in {found['took_s']:.0f} s ({words})")
        print(
            f"free: {min(row[3] for row in found['rows'])} bytes at the least, {second} in the second quarter, {last} in the last"
        )
        print(f"longest free piece: {found['piece']} bytes at the least")
        print(f"reports that arrived: {found['reports']}; findings: {found['findings'] or 'none'}")
        if given.day:
            print(f"orders: {found['acks']}")
    for problem in wrong:
        print("FAILED:", problem, file=sys.stderr)
    return 1 if wrong else 0


def _parser():
    parser = argparse.ArgumentParser(prog="python -m tests.bench.heap", description=__doc__.strip().splitlines()[0])
    parser.add_argument("--heap", default="160k")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--scene", default="crowded")
    parser.add_argument("--uplink", choices=("wifi", "ethernet"), default="wifi")
    parser.add_argument("--code", choices=(IN_IMAGE, IN_ROM, IN_FILES), default=IN_IMAGE)
    parser.add_argument(
        "--stations", type=int, default=0, help="how many transmitters are heard (default: the scene's)"
    )
    parser.add_argument("--panel", action="store_true", help="everything a panel can have is fitted")
    parser.add_argument("--day", action="store_true", help="the server gives an inspector's orders")
    parser.add_argument("--tls", action="store_true", help="the connection to the broker is encrypted")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--least", action="store_true", help="search the smallest heap that is enough")
    return parser


if __name__ == "__main__":
    run(main)
