"""
Put load on an installation with thousands of light devices, and compare the confirmed reports with the stored ones.

    python -m tools.loadtest --devices 500 --rate 500 --seconds 60     # an installation of its own, embedded broker
    python -m tools.loadtest --devices 2000 --burst 50 --seconds 60    # all come back with 50 reports
    python -m tools.loadtest --devices 10000 --rate 200 --storm 20     # after 20 s all connections are cut at once
    python -m tools.loadtest --data data/test --broker ansim-test:8883 --ca ca.pem --yes

A light device has a sensor's messages, signatures, journal and window, without the firmware. Without --data a broker
and an ingest process run for the test, in a temporary folder. With --data the devices are enrolled in that
installation (names load-1, load-2, ...), which leaves entries in its log for good: use one that is for tests.

At the end the devices keep sending until all their reports are confirmed, for at most --drain seconds. The exit status
is 1 if a confirmed report is missing or stored twice.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import resource
import socket
import ssl
import statistics
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from rich.console import Console
from rich.live import Live
from rich.table import Table

from tools.lib import arguments, errors, processes, server_data
from tools.lib.errors import ToolError
from tools.load.device import Figures, LightDevice

TICK_S = 0.05
SHOWN_EVERY_S = 1
RAMP_PER_S = 200  # new connections a second at the start; a storm has no such limit
PREFIX = "load-"
SETTLED_S = 0.5


def main() -> int:
    """Run the command; return the exit status."""
    options = _parser().parse_args()
    _raise_file_limit(options.devices)
    with contextlib.ExitStack() as stack:
        if options.data is None:
            options.data = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="ansim-load-")))
            options.address = "127.0.0.1", stack.enter_context(_own_installation(options.data))
        elif not options.yes:
            raise ToolError("--data enrols devices for good; confirm with --yes that this installation is for tests")
        keys = enrol(options.data, options.devices)
        figures = Figures()
        tls = ssl.create_default_context(cafile=str(options.ca)) if options.ca else None
        seconds = asyncio.run(_drive(options, keys, figures, tls))
        result = summary(figures, seconds, count_stored(options.data, keys))
    print(json.dumps(result, indent=1) if options.json else _as_text(result))
    return 1 if result["lost"] or result["stored_twice"] else 0


async def _drive(options: argparse.Namespace, keys: dict[str, bytes], figures: Figures, tls: Any) -> float:
    """Run the devices; return the seconds from the start of the load to its end, without draining."""
    random.seed(options.seed)
    skewed = set(random.sample(sorted(keys), round(len(keys) * options.skewed)))
    devices = [
        LightDevice(name, key, options.address, figures, tls, name in skewed) for name, key in sorted(keys.items())
    ]
    tasks: list[asyncio.Task[None]] = []
    with Live(console=Console(stderr=True), auto_refresh=False, transient=True) as live:
        for device in devices:
            tasks.append(asyncio.create_task(device.run()))
            await asyncio.sleep(1 / RAMP_PER_S)
        await _until(lambda: figures.counts["connected"] >= len(devices), 60, devices, figures, live)
        began = time.monotonic()
        for device in devices:
            for _ in range(options.burst):
                device.append(time.monotonic())
        await _load(options, devices, figures, live)
        seconds = time.monotonic() - began
        await _until(lambda: not any(device.journal for device in devices), options.drain, devices, figures, live)
        await asyncio.sleep(SETTLED_S)
    for task in tasks:
        task.cancel()
    figures.counts["unconfirmed"] = sum(len(device.journal) for device in devices)
    return seconds


async def _load(options, devices, figures, live):
    """Make reports at the given rate, with the storm, the slow devices and the bad messages, if any."""
    began, made, bad, shown, storm = time.monotonic(), 0, 0.0, 0.0, options.storm
    slow = devices[: options.slow]
    for device in slow:
        device.stop_reading(True)
    while (passed := time.monotonic() - began) < options.seconds:
        while made < passed * options.rate:
            random.choice(devices).append(time.monotonic())
            made += 1
            bad += options.bad
            if bad >= 1:
                bad -= 1
                random.choice(devices).send_bad()
        if storm is not None and passed >= storm:
            storm = None
            for device in devices:
                device.cut()
        if passed >= shown:
            shown = passed + SHOWN_EVERY_S
            _deliver_and_show(devices, figures, live, passed)
        await asyncio.sleep(TICK_S)
    for device in slow:
        device.stop_reading(False)


async def _until(condition, within_s, devices, figures, live):
    """Wait, while the devices send again what is not confirmed."""
    began = time.monotonic()
    while not condition() and time.monotonic() - began < within_s:
        _deliver_and_show(devices, figures, live, time.monotonic() - began)
        await asyncio.sleep(10 * TICK_S)


def _deliver_and_show(devices, figures, live, passed):
    now = time.monotonic()
    for device in devices:
        device.deliver(now)
    counts = figures.counts
    table = Table("seconds", "made", "acknowledged", "confirmed", "waiting", "cut", "refused", "p99 of the newest, s")
    p99 = f"{_percentile(figures.confirm_s[-2000:], 99):.2f}" if figures.confirm_s else "-"
    row = (f"{passed:.0f}", counts["made"], counts["acknowledged"], counts["confirmed"])
    row += (counts["made"] - counts["confirmed"], counts["cut"], counts["refused"], p99)
    table.add_row(*(str(cell) for cell in row))
    live.update(table, refresh=True)


def enrol(data: Path, count: int) -> dict[str, bytes]:
    """Enrol the devices that an installation does not have yet; return {name: key}. Raises ToolError."""
    from server import db, vault
    from server.services.errors import NotFound
    from server.services.people.accounts import SYSTEM
    from server.services.sensors import enrolment, fleet

    settings = server_data.load_settings(data)
    sessions, keys = db.open_sessions(settings.url()), vault.open_vault(settings)
    devices = {}
    with sessions.begin() as session:
        for number in range(1, count + 1):
            name = f"{PREFIX}{number}"
            try:
                devices[name] = keys.unseal(fleet.load(session, SYSTEM, name).key_sealed)
            except NotFound:
                devices[name] = enrolment.enrol(session, keys, name, "load test")[1]
    sessions.engine.dispose()
    return devices


def count_stored(data: Path, devices: dict[str, bytes]) -> tuple[int, int]:
    """Return (reports stored, different ones among them) of the devices' newest start."""
    from sqlalchemy import func, select

    from server import db
    from server.models import Report, Sensor

    settings = server_data.load_settings(data)
    sessions = db.open_sessions(settings.url())
    with sessions() as session:
        newest = select(Report.sensor_id, func.max(Report.boot).label("boot")).group_by(Report.sensor_id).subquery()
        query = select(Report.sensor_id, Report.boot, Report.seq).join(Sensor, Sensor.id == Report.sensor_id)
        query = query.join(newest, (newest.c.sensor_id == Report.sensor_id) & (newest.c.boot == Report.boot))
        rows = session.execute(query.where(Sensor.name.startswith(PREFIX))).all()
    sessions.engine.dispose()
    return len(rows), len(set(map(tuple, rows)))


def summary(figures: Figures, seconds: float, stored: tuple[int, int]) -> dict[str, Any]:
    """Return the result as a JSON object; times in seconds."""
    counts = figures.counts
    confirmed = counts["confirmed"]
    return {
        "seconds": round(seconds, 1),
        "made": counts["made"],
        "sent": counts["sent"],
        "confirmed": confirmed,
        "unconfirmed": counts["unconfirmed"],
        "stored": stored[1],
        "stored_twice": stored[0] - stored[1],
        "stored_unconfirmed": max(0, stored[1] - confirmed),
        "lost": max(0, confirmed - stored[1]),
        "bad": counts["bad"],
        "connections": counts["connected"],
        "cut": counts["cut"],
        "refused": counts["refused"],
        "confirmed_per_s": round(confirmed / seconds, 1) if seconds else 0,
        "confirm_s": _percentiles(figures.confirm_s),
        "connect_s": _percentiles(figures.connect_s),
    }


def _percentiles(values):
    return {f"p{percent}": round(_percentile(values, percent), 3) for percent in (50, 95, 99, 100)} if values else {}


def _percentile(values, percent):
    if len(values) < 2 or percent == 100:
        return max(values)
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]


def _as_text(result):
    lines = [f"{name.replace('_', ' '):>18}  {value}" for name, value in result.items() if not isinstance(value, dict)]
    for name in ("confirm_s", "connect_s"):
        values = ", ".join(f"{key} {value} s" for key, value in result[name].items())
        lines.append(f"{'time to ' + name.removesuffix('_s'):>18}  {values or '-'}")
    return "\n".join(lines)


@contextlib.contextmanager
def _own_installation(data: Path) -> Iterator[int]:
    """Run a broker and an ingest process with a folder's data; yield the broker's port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    environ = {**os.environ, "ANSIM_DATA": str(data), "ANSIM_MQTT_PORT": str(port)}
    supervisor = processes.Supervisor()
    try:
        for name in ("ingest", "broker"):
            command = [sys.executable, "-m", f"server.{name}"]
            service = supervisor.start(processes.Service(name, command, environ, data / f"{name}.log"))
            if name == "broker":
                processes.wait_until_listening("127.0.0.1", port, service)
            else:
                _wait_for_database(data, service)
        yield port
        supervisor.check_all_run()
    except processes.ServiceFailed as error:
        raise ToolError(str(error)) from error
    finally:
        supervisor.stop()


def _wait_for_database(data, service):
    until = time.monotonic() + 60
    while not (data / "secret").exists() or not (data / "ansim.db").exists():
        if service.exit_code is not None or time.monotonic() > until:
            raise processes.ServiceFailed(service)
        time.sleep(0.1)
    time.sleep(1)  # its migrations


def _raise_file_limit(devices):
    """Allow a file for each connection. Raises ToolError if the system does not."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    needed = devices + 200
    if hard != resource.RLIM_INFINITY and hard < needed:
        raise ToolError(f"{devices} devices need {needed} open files, {hard} are allowed; see `ulimit -n`")
    if soft < needed:
        resource.setrlimit(resource.RLIMIT_NOFILE, (needed, hard))


def _address(text):
    host, _, port = text.rpartition(":")
    if not host or not port.isdigit():
        raise argparse.ArgumentTypeError("should be HOST:PORT")
    return host.strip("[]"), int(port)


def _share(text):
    value = float(text)
    if not 0 <= value <= 1:
        raise argparse.ArgumentTypeError("should be 0 to 1")
    return value


def _parser():
    parser = arguments.full_parser(__doc__)
    parser.add_argument("--devices", type=int, default=100, help="how many devices (default: %(default)s)")
    parser.add_argument(
        "--rate", type=float, default=100, help="reports a second of all devices (default: %(default)s)"
    )
    parser.add_argument("--seconds", type=float, default=30, help="length of the load (default: %(default)s)")
    parser.add_argument("--burst", type=int, default=0, help="reports that each device has at the start")
    parser.add_argument("--storm", type=float, help="cut all connections after so many seconds")
    parser.add_argument("--slow", type=int, default=0, help="devices that read nothing while the load lasts")
    parser.add_argument("--skewed", type=_share, default=0, help="share of devices whose clock is two days wrong")
    parser.add_argument("--bad", type=_share, default=0, help="bad messages for each report")
    parser.add_argument("--drain", type=float, default=120, help="longest wait for confirmations at the end, s")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--json", action="store_true", help="print the result as a JSON object")
    parser.add_argument("--data", type=Path, help="data folder of a running installation for tests")
    parser.add_argument("--broker", dest="address", type=_address, default=("127.0.0.1", 1883), help="its HOST:PORT")
    parser.add_argument("--ca", type=Path, help="certificate of the broker's authority: TLS")
    parser.add_argument("--yes", action="store_true", help="the installation of --data is for tests")
    return parser


if __name__ == "__main__":
    errors.run(main)
