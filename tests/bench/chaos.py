"""
The long chaos run: `python -m tests.bench.chaos [--seconds 600] [--seed 1] [--sensors 10] [--mosquitto] [--postgresql]`

Sensors report twice a second while broker, ingest, web and notify are killed, stopped and restarted, their clocks set
two days wrong, the disk of ingest filled, and the database locked or crashed (tests/support/chaos.py). Prints what was
done, and exits with 1 unless confirmed = stored = made.
"""

import argparse
import contextlib
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Any

from pydantic import SecretStr

from server.services.audit import verification
from tests.support import postgresql
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
    parser.add_argument("--postgresql", action="store_true", help="PostgreSQL instead of SQLite")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
        database = stack.enter_context(postgresql.server()) if options.postgresql else None
        sys.exit(_run(Path(folder), options, database))


def _run(folder, options, database):
    """Return 0 if every report that was made is stored and confirmed once, else 1."""
    settings: dict[str, Any] = {"database_url": SecretStr(database())} if database else {}
    server = Server(folder / "data", **settings)
    if options.mosquitto:
        server.use_mosquitto()
    made = []
    try:
        made = [PahoSensor(f"hall-{n}", server.enrol(f"hall-{n}"), server.port) for n in range(options.sensors)]
        server.start_all()
        for sensor in made:
            sensor.connect()
        stop = threading.Event()
        reporting = threading.Thread(target=_report, args=(made, stop))
        reporting.start()
        chaos = Chaos(server, options.seed, database.crash if database else None)
        chaos.run(options.seconds)
        stop.set()
        reporting.join()
        began = time.monotonic()
        wait_for(lambda: not any(sensor.journal for sensor in made), 60)
        expected = {sensor.name: [(1, seq) for seq in range(1, sensor.seq + 1)] for sensor in made}
        is_whole = server.reports_by_sensor() == expected
        with server.sessions() as session:
            broken = verification.verify(session).problem
        reports = sum(sensor.seq for sensor in made)
        kinds = Counter(deed.split()[0] for deed in chaos.deeds)
        print(f"{len(chaos.deeds)} deeds ({', '.join(f'{count} {kind}' for kind, count in sorted(kinds.items()))})")
        print(f"{reports} reports made")
        print(f"all were confirmed {time.monotonic() - began:.1f} s after the end")
        print("confirmed = stored = made" if is_whole else "stored differs from made")
        print(f"the log is broken: {broken}" if broken else "the log is whole")
        return 0 if is_whole and not broken else 1
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
