"""
Measure the heap of the whole firmware, and whether it stays the same over hours.

    python -m tests.bench.heap [--heap 92k] [--hours 1] [--scene crowded] [--tls] [--csv heap.csv]
    python -m tests.bench.heap --minimum          # the smallest heap with which the firmware runs
    python -m tests.bench.heap --modules          # what each module takes, the simulated hardware's apart

One virtual sensor, a real mosquitto and a small server that confirms every report. Scene time runs faster than the
clock while the firmware waits. After each minute of scene time the heap is collected and measured; the CSV has
scene_s, bytes in use before and after the collection, and free bytes. The largest free block is measured at the same
moments; its minimum is printed.

The bench fails if the firmware restarts (as after a MemoryError), if fewer reports arrive than expected, or if the free
heap of the last quarter lies more than FLAT_BYTES below that of the second quarter. The first quarter does not count,
because everything is set up then.

--stations 72 gives the scene that many transmitters, more than the station table has places for; the last two are
cameras. --panel fits every part that a panel can have. --day sends the commands of an inspector's day: an inspection,
following a signal, the stimulus test, a self-test.

The simulated hardware uses the same heap. With --code image the program is frozen into a 32-bit interpreter that
tools/native.py builds, whose objects have a board's size. The interpreter from PyPI has 64 bits, so objects are about
twice that size: with --code rom the program runs in place, as from a board's ROMFS, where its functions and names take
heap; with --code files it is loaded into the heap.
"""

import argparse
import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple, Protocol

from ansim import messages
from tests.support import brokers
from tests.support.delivery import DEVICE, KEY, TinyServer
from tests.support.ports import free_port
from tools import native
from tools.lib.errors import ToolError, run
from tools.lib.paths import ROOT
from tools.simulate import scene_path, settings_for
from tools.virtual_sensor.sensor import IN_FILES, IN_IMAGE, IN_ROM, VirtualSensor

MEASURE_S = 60
PANEL = ("led", "button", "buzzer", "oled", "battery")
FLAT_BYTES = 2048
STEP_K = 8
HARDWARE = "simulated hardware"
BLOCK_BYTES = {IN_IMAGE: 16, IN_ROM: 32, IN_FILES: 32}  # of the interpreter's heap, by its size of a pointer
MEM_INFO = ("stack: ", "GC: total", "No. of 1-blocks")  # beginnings of the lines of micropython.mem_info()
MINIMUM_HOURS = 0.2
MODULES_SCRIPT = ROOT / "tests" / "bench" / "modules_on_micropython.py"


class Measurement(NamedTuple):
    """
    The result of a run.

    rows           [(scene_s, bytes used before a collection, after it, bytes free), ...]
    largest_block  minimum of the largest free block, in bytes
    restarts       unexpected starts of the firmware
    reports        number of reports that arrived
    findings       detectors and events
    acks           [(command, "" or the code of the refusal or None without an answer), ...]
    took_s         seconds by the clock
    output         lines that the sensor printed
    """

    rows: list[tuple[int, ...]]
    largest_block: int
    restarts: int
    reports: int
    findings: list[tuple[str, str]]
    acks: list[tuple[str, str | None]]
    took_s: float
    output: list[str]


class Schedule(Protocol):
    """Events of a run, such as commands of the server."""

    def __init__(self, server: TinyServer, broker: brokers.Broker): ...

    def update(self, scene_s: int) -> None:
        """Run the events that are due."""

    def answers(self) -> list[tuple[str, str | None]]:
        """Return Measurement.acks."""
        ...


def measure(
    scene: Path,
    heap: str,
    hours: float,
    speed: float,
    uplink: str = "wifi",
    code: str = IN_ROM,
    tls: bool = False,
    stations: int = 0,
    panel: bool = False,
    schedule: type[Schedule] | None = None,
    upload_every_s: int = 60,
    seed: int = 0,
    on_progress: Callable[[str], object] = lambda _: None,
) -> Measurement:
    """
    Run one virtual sensor for some hours of scene time.

    stations     number of transmitters in the scene; 0: its own
    panel        True: PANEL is fitted; False: the board's own parts
    schedule     DayOfCommands, or another class with its methods
    seed         of all random values in the scene
    on_progress  function(line)
    """
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        scene = crowded_scene(scene, stations, folder / "crowded.json") if stations else scene
        ca = make_authority(folder) if tls else None
        broker = brokers.mosquitto(folder, free_port(), tls="broker" if tls else "").start()
        server = TinyServer(broker.port, ca=ca).start()
        output, memory_lines = [], []
        options: dict[str, Any] = {"broker": "localhost", "ca": ca.read_text()} if ca else {}
        options |= {"fitted": list(PANEL)} if panel else {}
        settings = settings_for(DEVICE, KEY, port=broker.port, uplink=uplink, upload_every_s=upload_every_s, **options)
        sensor = VirtualSensor(
            settings,
            scene,
            folder / "sensor",
            speed,
            heap,
            code=code,
            seed=seed,
            on_output=lambda line: (memory_lines if line.lstrip().startswith(MEM_INFO) else output).append(line),
            environ={"SIM_HEAP_S": str(MEASURE_S)},
        )
        began_s = time.monotonic()
        sensor.start()
        if panel:
            (sensor.world / "oled").touch()
        events = schedule(server, broker) if schedule else None
        try:
            rows = _run(sensor, hours * 3600, on_progress, events)
        finally:
            sensor.stop()
            server.stop()
            broker.kill()
        findings = [report["body"] for report in server.reports.values() if report["kind"] == messages.FINDING]
        return Measurement(
            rows=rows,
            largest_block=largest_block(memory_lines, BLOCK_BYTES[code]),
            restarts=sensor.starts - 1,
            reports=len(server.order),
            findings=sorted({(finding["detector"], finding["event"]) for finding in findings}),
            acks=events.answers() if events else [],
            took_s=time.monotonic() - began_s,
            output=output,
        )


def crowded_scene(scene: Path, stations: int, file: Path) -> Path:
    """Write a scene with more emitters: its own, then phones and devices on all channels, then two cameras."""
    contents = json.loads(scene.read_text())
    emitters = contents["emitters"]
    for number in range(len(emitters), stations):
        kind = "camera" if number >= stations - 2 else ("iot", "web", "voice")[number % 3]
        channel = 1 + number % 13
        emitters.append({"pattern": {"kind": kind}, "channel": channel, "rssi_dbm": -55 - number % 20, "loss": 0.2})
    file.write_text(json.dumps(contents))
    return file


def make_authority(folder: Path) -> Path:
    """Make a certificate for the broker; return the file of its authority."""
    brokers.certificate(folder, "broker", brokers.certificate(folder, "ca"), host="localhost")
    return folder / "ca.pem"


class DayOfCommands:
    """Sends the commands of an inspector's day, one in each EVERY_S of scene time, when the sensor becomes ready."""

    EVERY_S = 120

    def __init__(self, server: TinyServer, broker: brokers.Broker):
        self._server = server
        self._sent = []  # (name, id of the command)
        self._ready_count = 0
        self._next_s = self.EVERY_S

    def update(self, scene_s: int) -> None:
        """Send the next command if it is due."""
        states = self._server.states
        ready_count = sum(state["state"] == messages.READY for state in states)
        is_ready = ready_count > self._ready_count or (ready_count and states[-1]["state"] == messages.READY)
        self._ready_count = ready_count
        command = self._command(len(self._sent)) if is_ready and scene_s >= self._next_s else None
        if command:
            self._sent.append((command[0], self._server.command(*command, expires_in_s=10_000_000)))
            self._next_s = scene_s + self.EVERY_S

    def _command(self, number):
        """Return (name, arguments) of a command, None after the last one or before a finding."""
        findings = [report["body"] for report in self._server.reports.values() if report["kind"] == messages.FINDING]
        if number > 5 or not findings:
            return None
        subject = {"subject": findings[0]["subject"], "channel": findings[0]["channel"]}
        slots = [[start_ms, 4000, start_ms // 4000 % 2] for start_ms in range(0, 48_000, 4000)]
        return (
            (messages.INSPECTION_START, {"inspection": "K7Q2", "known": []}),
            (messages.LOCATE, subject | {"seconds": 60}),
            (messages.SLOTS, subject | {"slots": slots}),
            (messages.DWELL, {"channel": subject["channel"], "seconds": 20}),
            (messages.INSPECTION_STOP, {"inspection": "K7Q2"}),
            (messages.RUN_SELFTEST, {}),
        )[number]

    def answers(self) -> list[tuple[str, str | None]]:
        """Return Measurement.acks."""
        return answers_to(self._server, self._sent)


def answers_to(server: TinyServer, commands: list[tuple[str, str]]) -> list[tuple[str, str | None]]:
    """Return Measurement.acks for commands as (name, id)."""
    acks = [(name, server.ack_of(command_id)) for name, command_id in commands]
    return [(name, ack and ack["error"]) for name, ack in acks]


def _run(sensor, scene_s, on_progress, events=None):
    file = sensor.world / "heap.csv"
    last = None
    changed_s = time.monotonic()
    while True:
        time.sleep(0.2)
        rows = _rows(file)
        if rows and rows[-1] != last:
            last, changed_s = rows[-1], time.monotonic()
            on_progress(f"{last[0] / 60:6.0f} min  {last[3]} bytes free")
        if events and rows:
            events.update(rows[-1][0])
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


def largest_block(output: list[str], block_bytes: int) -> int:
    """Return the minimum of the largest free block in the output of mem_info(), in bytes."""
    matches = [re.search(r"max free sz: (\d+)", line) for line in output]
    return min((int(match[1]) * block_bytes for match in matches if match), default=0)


def modules() -> dict[str, int]:
    """Return {name of a module: bytes that it takes of the heap}, with the program in the image; all are imported."""
    with tempfile.TemporaryDirectory() as scratch:
        flash, world = Path(scratch) / "flash", Path(scratch) / "world"
        flash.mkdir()
        world.mkdir()
        (world / "settings.json").write_text(json.dumps(settings_for(DEVICE, KEY, fitted=list(PANEL))))
        (world / "chip").write_text("esp32")
        environ = {**os.environ, "SIM_FLASH": str(flash), "SIM_WORLD": str(world), "SIM_FROZEN": "1"}
        command = [str(native.build_host(frozen=True)), "-X", "heapsize=400k", str(MODULES_SCRIPT)]
        process = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)
    try:
        return json.loads(process.stdout.splitlines()[-1])
    except (IndexError, ValueError) as error:
        raise ToolError(f"{MODULES_SCRIPT.name} failed: {process.stdout} {process.stderr}") from error


def group_of(name: str) -> str:
    """Return to which part of the program a module of modules() belongs."""
    if name.startswith(("ansim", "firmware.")):
        return ".".join(name.split(".")[:2]) if name.startswith("firmware.") else "ansim"
    if name.startswith("asyncio."):
        return "asyncio"
    stand_ins = {file.stem for file in (ROOT / "tools" / "virtual_sensor" / "sim").glob("*.py")} - {"boot"}
    return HARDWARE if name in stand_ins or name == native.SIM_BOOT else "MicroPython"


def _print_modules():
    taken = modules()
    groups: dict[str, int] = {}
    for name, size in taken.items():
        groups[group_of(name)] = groups.get(group_of(name), 0) + size
    for rows in (taken, groups):
        for name, size in sorted(rows.items(), key=lambda row: -row[1]):
            print(f"{size:7}  {name}")
        print()
    print(f"{sum(taken.values()) - groups[HARDWARE]:7}  without the simulated hardware")


def list_problems(measurement: Measurement, hours: float, reports_an_hour: int = 30) -> list[str]:
    """Return the reasons for which a run failed, as sentences."""
    rows, problems = measurement.rows, []
    if measurement.restarts:
        problems.append("the firmware restarted: " + "; ".join(measurement.output[-3:]))
    if not rows or rows[-1][0] < hours * 3600:
        problems.append(f"it ended after {rows[-1][0] if rows else 0} s of scene time")
        return problems
    problems += [f"{name}: {error or 'no answer'}" for name, error in measurement.acks if error != ""]
    if measurement.reports < hours * reports_an_hour:
        problems.append(f"only {measurement.reports} reports arrived")
    second, last = quarters(rows)
    if second - last > FLAT_BYTES:
        problems.append(f"the free heap sank by {second - last} bytes from the second to the last quarter")
    return problems


def write_csv(rows: list[tuple[int, ...]], file: Path) -> None:
    """Write the rows of a Measurement as CSV."""
    lines = [",".join(str(value) for value in row) for row in rows]
    file.write_text("scene_s,used_before,used_after,free\n" + "\n".join(lines) + "\n")


def quarters(rows: list[tuple[int, ...]]) -> tuple[int, int]:
    """Return the median free heap of the second and of the last quarter."""
    quarter = max(1, len(rows) // 4)
    free = [row[3] for row in rows]
    return round(statistics.median(free[quarter : 2 * quarter])), round(statistics.median(free[-quarter:]))


def minimum_heap(measure_with: Callable[[str], Measurement], low_k: int = 120, high_k: int = 480) -> int:
    """Return the smallest heap in kB, in steps of STEP_K, with which measure_with("<n>k") runs to its end."""
    while high_k - low_k > STEP_K:
        middle_k = (low_k + high_k) // 2 // STEP_K * STEP_K
        if middle_k in (low_k, high_k):
            break
        measurement = measure_with(f"{middle_k}k")
        rows = measurement.rows
        if measurement.restarts or not rows or rows[-1][0] < MINIMUM_HOURS * 3600:
            low_k = middle_k
        else:
            high_k = middle_k
        print(f"{middle_k}k {'is enough' if high_k == middle_k else 'is not enough'}", flush=True)
    return high_k


def main(arguments: list[str] | None = None) -> int:
    options = _parser().parse_args(arguments)
    if options.hours * 3600 < 8 * MEASURE_S:
        raise ToolError(f"--hours {options.hours} is too short; give {8 * MEASURE_S / 3600} or more")
    scene = scene_path(options.scene)
    conditions = (options.speed, options.uplink, options.code, options.tls, options.stations, options.panel)
    schedule = DayOfCommands if options.day else None
    text = f"{options.scene}, {options.stations or 'its own'} stations, {options.uplink}"
    text += f", TLS {'on' if options.tls else 'off'}{', panel' if options.panel else ''}"
    text += f"{', a day of commands' if options.day else ''}, code in {options.code}"
    if options.modules:
        _print_modules()
        return 0
    if options.minimum:
        smallest_k = minimum_heap(lambda heap: measure(scene, heap, MINIMUM_HOURS, *conditions, schedule))
        print(f"minimum heap: {smallest_k}k ({text})")
        return 0
    measurement = measure(
        scene, options.heap, options.hours, *conditions, schedule, seed=options.seed, on_progress=print
    )
    if options.csv:
        write_csv(measurement.rows, options.csv)
    problems = list_problems(measurement, options.hours)
    if measurement.rows:
        second, last = quarters(measurement.rows)
        minimum = min(row[3] for row in measurement.rows)
        print(f"heap {options.heap}, {options.hours} h of scene time in {measurement.took_s:.0f} s ({text})")
        print(f"free: minimum {minimum} bytes, {second} in the second quarter, {last} in the last")
        print(f"largest free block: minimum {measurement.largest_block} bytes")
        print(f"reports that arrived: {measurement.reports}; findings: {measurement.findings or 'none'}")
        if options.day:
            print(f"commands: {measurement.acks}")
    for problem in problems:
        print("FAILED:", problem, file=sys.stderr)
    return 1 if problems else 0


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tests.bench.heap", description=(__doc__ or "").strip().splitlines()[0]
    )
    parser.add_argument("--heap", default="92k")
    parser.add_argument("--hours", type=float, default=1.0)
    parser.add_argument("--speed", type=float, default=60.0)
    parser.add_argument("--scene", default="crowded")
    parser.add_argument("--uplink", choices=("wifi", "ethernet"), default="wifi")
    parser.add_argument("--code", choices=(IN_IMAGE, IN_ROM, IN_FILES), default=IN_IMAGE)
    parser.add_argument("--stations", type=int, default=0, help="number of transmitters (default: the scene's)")
    parser.add_argument("--panel", action="store_true", help="fit every part that a panel can have")
    parser.add_argument("--day", action="store_true", help="send the commands of an inspector's day")
    parser.add_argument("--tls", action="store_true", help="encrypt the connection to the broker")
    parser.add_argument("--seed", type=int, default=0, help="of all random values in the scene")
    parser.add_argument("--csv", type=Path)
    parser.add_argument("--modules", action="store_true", help="print what each module takes of the heap")
    parser.add_argument("--minimum", action="store_true", help="search for the smallest sufficient heap")
    return parser


if __name__ == "__main__":
    run(main)
