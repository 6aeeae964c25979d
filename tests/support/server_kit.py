"""An installation for tests: its processes, its database and its counters."""

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from pathlib import Path

from pydantic import SecretStr
from sqlalchemy import func, select

from server import db, migrations, vault
from server.broker import main as broker_main
from server.broker import topic_rules
from server.config import Settings
from server.ingest import main as ingest_main
from server.models import Report, Sensor, SensorBoot, Tally
from server.services.sensors import enrolment
from tests.conftest import ROOT
from tests.support.ports import free_port
from tests.support.waiting import PATIENCE, wait_for


def is_open(port: int) -> bool:
    """True if something listens there."""
    with socket.socket() as probe:
        probe.settimeout(0.5)
        return probe.connect_ex(("127.0.0.1", port)) == 0


class Process:
    """A program that runs beside the test and writes its output to a file."""

    def __init__(self, arguments, log: Path, **environ):
        self._arguments = [str(argument) for argument in arguments]
        self._log = log
        self._environ = {**os.environ, "PYTHONPATH": str(ROOT), **environ}
        self._running: subprocess.Popen | None = None

    def start(self):
        with self._log.open("ab") as log:
            self._running = subprocess.Popen(
                self._arguments, cwd=ROOT, env=self._environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL
            )
        return self

    def kill(self):
        """kill -9, as a power cut would."""
        self._process.kill()
        self._process.wait(10 * PATIENCE)

    def stop(self) -> int:
        """Send SIGTERM and return the exit status."""
        self._process.send_signal(signal.SIGTERM)
        return self._process.wait(10 * PATIENCE)

    def end(self):
        """Kill the program if it runs."""
        if self._running and self._running.poll() is None:
            self.kill()

    @property
    def was_started(self) -> bool:
        return self._running is not None

    @property
    def status(self) -> int | None:
        """The exit status, None while the program runs."""
        return self._process.poll()

    @property
    def process_id(self) -> int:
        return self._process.pid

    @property
    def _process(self) -> subprocess.Popen:
        assert self._running, "not started"
        return self._running

    @property
    def output(self) -> str:
        return self._log.read_text(errors="replace") if self._log.exists() else ""


def _plain(value):
    return value.get_secret_value() if isinstance(value, SecretStr) else str(value)


class Inside:
    """The broker or ingest in a thread of the test; it starts a second faster than a process."""

    def __init__(self, run, stop):
        self._stop = stop
        self.error = None
        self._thread = threading.Thread(target=self._guard, args=(run,), daemon=True)
        self._thread.start()

    def _guard(self, run):
        try:
            run()
        except Exception as error:
            self.error = error
            raise

    def end(self):
        self._stop()
        self._thread.join(15 * PATIENCE)
        assert not self._thread.is_alive()


def broker_inside(settings) -> Inside:
    """The embedded broker, listening."""
    loop = asyncio.new_event_loop()
    stop = asyncio.Event()
    started = threading.Event()

    def run():
        asyncio.set_event_loop(loop)
        loop.run_until_complete(broker_main.serve(settings, started.set, stop))

    inside = Inside(run, lambda: loop.call_soon_threadsafe(stop.set))
    assert started.wait(15 * PATIENCE)
    return inside


def ingest_inside(settings) -> Inside:
    """An ingest worker, connected and subscribed."""
    worker = ingest_main.Ingest(settings)
    inside = Inside(worker.run, worker.stop)
    wait_for(lambda: worker.ready or inside.error)
    assert worker.ready, inside.error
    return inside


class Server:
    """An installation in a folder of its own, with ingest and a broker."""

    def __init__(self, folder: Path, empty_database: Path | None = None, **settings):
        self.port = free_port()
        self.settings = Settings(data=folder, mqtt_port=self.port, **settings)
        folder.mkdir(exist_ok=True)
        if empty_database:
            shutil.copy(empty_database, folder / "ansim.db")
        migrations.upgrade(self.settings)
        self.vault = vault.open_vault(self.settings)
        self.sessions = db.open_sessions(self.settings.url())
        environ = {"ANSIM_DATA": str(folder), "ANSIM_MQTT_PORT": str(self.port)}
        environ.update({f"ANSIM_{name.upper()}": _plain(value) for name, value in settings.items()})
        self.environ = environ
        self.web_port = free_port()
        self.ingest = self._process("ingest", "server.ingest")
        self.broker = self._process("broker", "server.broker")
        self.web = self._process("web", "server.front", ANSIM_PORT=str(self.web_port))
        self.notify = self._process("notify", "server.notify")
        self.folder = folder
        self.is_embedded = True
        self._inside = []

    def _process(self, name, module, **environ):
        """A process of this installation, whose clock set_clock() sets."""
        path = os.pathsep.join((str(ROOT), str(ROOT / "tests/support/clock_jump")))
        clock = {"PYTHONPATH": path, "ANSIM_TEST_CLOCK": str(self._clock_file(name))}
        command = [sys.executable, "-m", module]
        return Process(command, self.settings.data / f"{name}.log", **self.environ, **clock, **environ)

    def _clock_file(self, name):
        return self.settings.data / f"{name}.clock"

    def set_clock(self, name: str, offset_s: int) -> None:
        """Set the clock of a process wrong by so many seconds; 0: right again."""
        self._clock_file(name).write_text(str(offset_s))

    def processes(self) -> dict[str, Process]:
        """{name: process} of all that have been started."""
        made = {"broker": self.broker, "ingest": self.ingest, "web": self.web, "notify": self.notify}
        return {name: process for name, process in made.items() if process.was_started}

    def start_all(self):
        """Broker, ingest, web and notify."""
        self.start()
        self.web.start()
        self.notify.start()
        wait_for(lambda: is_open(self.web_port))
        return self

    def use_mosquitto(self):
        """A mosquitto instead of the embedded broker: it forgets everything when it is killed, like amqtt."""
        config = self.folder / "mosquitto.conf"
        config.write_text(
            f"listener {self.port} 127.0.0.1\nallow_anonymous true\npersistence false\n"
            "max_queued_messages 0\nmax_inflight_messages 3000\n"
        )
        program = shutil.which("mosquitto", path=os.environ.get("PATH", "") + ":/usr/sbin")
        self.broker = Process([program, "-c", config], self.folder / "mosquitto.log")
        self.is_embedded = False
        return self

    def start(self):
        self.broker.start()
        self.ingest.start()
        self.wait_ready()
        return self

    def start_inside(self):
        """Ingest in a thread; the broker too, if it is the embedded one."""
        if self.is_embedded:
            self.run_broker_inside()
        else:
            self.broker.start()
            wait_for(lambda: is_open(self.port))
        self._inside.insert(0, ingest_inside(self.settings))
        return self

    def run_broker_inside(self):
        self._inside.append(broker_inside(self.settings))
        return self

    def wait_ready(self):
        wait_for(lambda: is_open(self.port))
        wait_for(lambda: "connected to the broker" in self.ingest.output)

    def end(self):
        for inside in self._inside:
            inside.end()
        for process in self.processes().values():
            process.end()
        self.sessions.engine.dispose()

    def enrol(self, name: str, **fields) -> bytes:
        """Enrol a sensor; return its key."""
        with self.sessions.begin() as session:
            return enrolment.enrol(session, self.vault, name, **fields)[1]

    def service_password(self) -> str:
        return self.vault.service_password(topic_rules.SERVICE)

    def count(self, table=Report) -> int:
        with self.sessions() as session:
            return session.scalar(select(func.count(table.id)))

    def reports_by_sensor(self) -> dict:
        """{sensor name: [(boot, seq), ...] in the order of their numbers}."""
        with self.sessions() as session:
            wanted = select(Sensor.name, Report.boot, Report.seq).join(Report, Report.sensor_id == Sensor.id)
            found = {}
            for name, boot, seq in session.execute(wanted.order_by(Report.boot, Report.seq)):
                found.setdefault(name, []).append((boot, seq))
            return found

    def tally(self, what: str, sensor: str | None = None) -> int:
        with self.sessions() as session:
            wanted = select(func.coalesce(func.sum(Tally.count), 0)).where(Tally.what == what)
            if sensor is not None:
                wanted = wanted.where(Tally.sensor == sensor)
            return session.scalar(wanted)

    def upto(self, name: str, boot: int) -> int:
        with self.sessions() as session:
            wanted = select(SensorBoot.upto).join(Sensor, Sensor.id == SensorBoot.sensor_id)
            return session.scalar(wanted.where(Sensor.name == name, SensorBoot.boot == boot)) or 0
