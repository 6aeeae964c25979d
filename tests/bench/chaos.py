"""
The long chaos run: `python -m tests.bench.chaos [--seconds 600] [--seed 1] [--sensors 10] [--mosquitto]`

Sensors report twice a second while broker and ingest are killed, stopped and restarted and the database is locked
(tests/support/chaos.py). Prints what was done, and exits with 1 unless confirmed = stored = made.
"""

import argparse
import sys
import tempfile
import threading
import time
from pathlib import Path

from server import migrations
from server.config import Settings
from tests.support.chaos import Chaos
from tests.support.paho_sensor import PahoSensor
from tests.support.server_kit import Server
from tests.support.waiting import wait_for

EVERY_S = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--sensors", type=int, default=10)
    parser.add_argument("--mosquitto", action="store_true", help="mosquitto instead of the embedded broker")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        sys.exit(_run(Path(folder), options))


def _run(folder, options):
    """Return 0 if every report that was made is stored and confirmed once, else 1."""
    migrations.upgrade(empty := Settings(data=folder / "empty"))
    server = Server(folder / "data", empty.data / "ansim.db")
    if options.mosquitto:
        server.use_mosquitto()
    made = []
    try:
        made = [PahoSensor(f"hall-{n}", server.enrol(f"hall-{n}"), server.port) for n in range(options.sensors)]
        server.start()
        for sensor in made:
            sensor.connect()
        stop = threading.Event()
        reporting = threading.Thread(target=_report, args=(made, stop))
        reporting.start()
        chaos = Chaos(server, options.seed)
        chaos.run(options.seconds)
        stop.set()
        reporting.join()
        began = time.monotonic()
        wait_for(lambda: not any(sensor.journal for sensor in made), 60)
        expected = {sensor.name: [(1, seq) for seq in range(1, sensor.seq + 1)] for sensor in made}
        is_whole = server.reports_by_sensor() == expected
        reports = sum(sensor.seq for sensor in made)
        print(f"{len(chaos.deeds)} deeds, {reports} reports made")
        print(f"all were confirmed {time.monotonic() - began:.1f} s after the end")
        print("confirmed = stored = made" if is_whole else "stored differs from made")
        return 0 if is_whole else 1
    finally:
        for sensor in made:
            sensor.close()
        server.end()


def _report(sensors, stop):
    while not stop.wait(EVERY_S):
        for sensor in sensors:
            sensor.append()


if __name__ == "__main__":
    main()
