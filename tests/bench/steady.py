"""
Run an installation under a steady load, and check that its memory and its open files stay flat.

    python -m tests.bench.steady [--minutes 20] [--rate 100] [--devices 200] [--mosquitto]

Broker, ingest, web server and notify run as processes, with SQLite; tools/loadtest.py's devices send reports, one page
a second is requested. Every tenth of the time the resident memory and the open file descriptors of each process are
read from /proc. The bench fails if a process has more than GROWTH more memory, or more than FILES more open files, at
the end than after the first third, or if a confirmed report is missing or stored twice.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
import urllib.request
from pathlib import Path
from typing import NamedTuple

from tests.conftest import ROOT
from tests.support.server_kit import Server

SAMPLES = 10
GROWTH = 1.10
FILES = 5


class Sample(NamedTuple):
    """What a process holds."""

    memory_kb: int
    files: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=20)
    parser.add_argument("--rate", type=int, default=100, help="reports a second")
    parser.add_argument("--devices", type=int, default=200)
    parser.add_argument("--mosquitto", action="store_true", help="instead of the embedded broker")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        problems = run(Path(folder), options)
    sys.exit("; ".join(problems) or 0)


def run(folder: Path, options: argparse.Namespace) -> list[str]:
    """Print a row for each process and sample; return what was not as it should be."""
    server = Server(folder / "data")
    if options.mosquitto:
        server.use_mosquitto()
    server.start_all()
    seconds = options.minutes * 60
    arguments = ["--devices", options.devices, "--rate", options.rate, "--seconds", int(seconds), "--json", "--yes"]
    arguments += ["--data", server.folder, "--broker", f"127.0.0.1:{server.port}"]
    command = [sys.executable, "-m", "tools.loadtest", *map(str, arguments)]
    load = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    samples: dict[str, list[Sample]] = {}
    began = time.monotonic()
    try:
        for number in range(1, SAMPLES + 1):
            _request_pages(server.web_port, began + number * seconds / SAMPLES)
            for name, process in server.processes().items():
                sample = read(process.process_id)
                samples.setdefault(name, []).append(sample)
                at_s, memory_mb = time.monotonic() - began, sample.memory_kb / 1024
                print(f"{at_s:6.0f} s  {name:7} {memory_mb:7.1f} MB {sample.files:4} files", flush=True)
        output, _ = load.communicate(timeout=seconds + 300)
    finally:
        load.kill()
        server.end()
    print(json.dumps(json.loads(output)))
    problems = [] if load.returncode == 0 else ["a confirmed report is missing or stored twice"]
    return problems + [problem for name, rows in samples.items() for problem in growth(name, rows)]


def read(process_id: int) -> Sample:
    """Return the resident memory and the number of open file descriptors of a process. Linux only."""
    folder = Path("/proc") / str(process_id)
    lines = dict(line.split(":", 1) for line in (folder / "status").read_text().splitlines())
    return Sample(int(lines["VmRSS"].split()[0]), len(list((folder / "fd").iterdir())))


def growth(name: str, rows: list[Sample]) -> list[str]:
    """Return what has grown between the first third of the samples and the last one."""
    early, last = rows[len(rows) // 3], rows[-1]
    problems = []
    if last.memory_kb > early.memory_kb * GROWTH:
        problems.append(f"{name} has {last.memory_kb} kB, after a third of the time {early.memory_kb}")
    if last.files > early.files + FILES:
        problems.append(f"{name} has {last.files} open files, after a third of the time {early.files}")
    return problems


def _request_pages(port, until):
    while time.monotonic() < until:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/login", timeout=30) as page:
            page.read()
        time.sleep(1)


if __name__ == "__main__":
    main()
