"""tools/run.py from the command line: it starts, refuses invalid options, and ends cleanly."""

import contextlib
import os
import re
import signal
import sqlite3
import subprocess
import sys
import urllib.error
import urllib.request

import pytest

from tests.conftest import ROOT
from tests.support.ports import free_port
from tests.support.server_kit import is_open
from tests.support.values import present
from tests.support.waiting import PATIENCE, wait_for

# The tests' own environment stands for the one that it would make.
PROGRAM = "from tools import run; from tools.lib import bootstrap; bootstrap.enter = lambda _name: None; run.main()"


class Run:
    """One run of it on a data folder, its output in a file."""

    def __init__(self, data, log, *more, program=PROGRAM):
        self.port, self.mqtt_port = free_port(), free_port()
        self._log = log
        options = ["--data", data, "--port", self.port, "--mqtt-port", self.mqtt_port, *more]
        with log.open("wb") as file:
            self.process = subprocess.Popen(
                [sys.executable, "-c", program, *[str(one) for one in options]],
                cwd=ROOT,
                env={**os.environ, "PYTHONPATH": str(ROOT), "PYTHONUNBUFFERED": "1"},
                stdout=file,
                stderr=file,
            )

    @property
    def output(self):
        return self._log.read_text()

    def ready(self):
        wait_for(lambda: "Stop with Ctrl-C." in self.output or self.process.poll() is not None, 90)
        return self

    def interrupt(self):
        self.process.send_signal(signal.SIGINT)
        return self.process.wait(60 * PATIENCE)

    def password(self):
        match = re.search(r"one-time password: (\S+)", self.output)
        assert match, self.output
        return match[1]


@pytest.fixture
def run(tmp_path):
    runs = []

    def start(*more, **options):
        runs.append(Run(tmp_path / "data", tmp_path / f"{len(runs)}.log", *more, **options))
        return runs[-1]

    yield start
    for one in runs:
        if one.process.poll() is None:
            one.process.kill()
            one.process.wait(10)


def test_it_runs_once_a_folder_ends_cleanly_and_starts_again_with_another_password(run):
    first = run().ready()
    assert is_open(first.port) and is_open(first.mqtt_port)

    second = run().ready()
    assert second.process.wait(30) == 1
    assert re.fullmatch(r"error: \S+ is in use by process \d+; stop that one first, .* --data\n", second.output)

    assert first.interrupt() == 0
    assert first.output.endswith("Stopped.\n") and "Traceback" not in first.output
    assert not is_open(first.port) and not is_open(first.mqtt_port)

    third = run().ready()
    assert third.password() != first.password()
    assert third.interrupt() == 0


def test_ctrl_c_while_it_starts_leaves_nothing_running(run):
    starting = run()
    wait_for(lambda: is_open(starting.mqtt_port), 60)

    assert starting.interrupt() == 0

    assert starting.output.endswith("Stopped.\n") and "Traceback" not in starting.output
    assert not is_open(starting.port) and not is_open(starting.mqtt_port)


def test_it_runs_on_ipv6(run):
    running = run("--host", "::1").ready()

    assert f"http://[::1]:{running.port}/" in running.output
    assert status(f"http://[::1]:{running.port}/healthz") == 200
    assert running.interrupt() == 0


def test_an_ingest_that_ends_at_every_start_never_stops_the_web(run, tmp_path):
    running = run(program="from tools.lib import processes; processes.LONGEST_PAUSE_S = 0.1; " + PROGRAM).ready()
    health = f"http://127.0.0.1:{running.port}/healthz"
    wait_for(lambda: status(f"http://127.0.0.1:{running.port}/readyz") == 200, 60, 0.2)  # ingest has shown itself
    secret, output = tmp_path / "data" / "secret", tmp_path / "data" / "logs" / "ingest.log"

    def count_bad_starts():
        return output.read_text().count("should hold 64 hex digits") if output.exists() else 0

    secret.write_text("not a secret")
    os.kill(ingest_pid(running.process.pid), signal.SIGKILL)

    wait_for(lambda: count_bad_starts() >= 9 or running.process.poll() is not None, 60)
    assert running.process.poll() is None and is_open(running.mqtt_port)
    assert status(health) == 200
    assert running.output.count("ingest ended (-9); starting it again.") == 1
    assert running.output.count("ingest keeps ending (1);") == 1
    assert running.interrupt() == 0


def status(address):
    """Return the status that a page answers with."""
    try:
        with urllib.request.urlopen(address, timeout=30 * PATIENCE) as answer:
            return answer.status
    except urllib.error.HTTPError as error:
        return error.code


def ingest_pid(parent_pid):
    """Return the process id of the ingest process that a run has started."""
    output = subprocess.run(["ps", "-eo", "pid=,ppid=,args="], capture_output=True, text=True, check=True).stdout
    for line in output.splitlines():
        pid, parent, command = line.split(maxsplit=2)
        if int(parent) == parent_pid and command.endswith("-m server.ingest"):
            return int(pid)
    raise AssertionError(f"no ingest process among\n{output}")


@pytest.mark.long
def test_the_demo_comes_to_an_alarm_and_to_a_notice_that_ends_by_themselves(run, tmp_path):
    demo = run("--demo").ready()

    def levels():
        query = """
            SELECT sensor.name, e.event, e.level FROM finding_event e JOIN finding ON finding.id = e.finding_id
            JOIN sensor ON sensor.id = finding.sensor_id WHERE finding.restroom_id IS NOT NULL ORDER BY e.id
        """
        with contextlib.closing(sqlite3.connect(tmp_path / "data" / "ansim.db")) as database:
            events = database.execute(query).fetchall()
        first, second = ([event[1:] for event in events if event[0] == f"demo-{number}"] for number in (1, 2))
        return (first, second) if ("updated", "alarm") in first and ("cleared", "notice") in second else None

    camera, look_alike = present(wait_for(levels, 300, 0.5))
    assert camera[0] == look_alike[0] == ("raised", "notice")
    assert all(level == "notice" for _event, level in look_alike)
    assert demo.interrupt() == 0


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "192.0.2.7"])
def test_a_host_of_the_network_without_https_is_refused(host, tmp_path):
    environ = {name: value for name, value in os.environ.items() if not name.startswith("ANSIM_")}
    command = [sys.executable, ROOT / "tools/run.py", "--host", host, "--data", str(tmp_path / "data")]
    done = subprocess.run(command, env=environ, capture_output=True, text=True, timeout=60)

    assert done.returncode == 2 and "without HTTPS" in done.stderr and "--insecure" in done.stderr
    assert not (tmp_path / "data").exists()
