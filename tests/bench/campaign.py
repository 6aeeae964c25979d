"""
The hostile campaign: `python -m tests.bench.campaign [--messages 20000] [--strangers 5000] [--sensors 50]`

One valid key sends hostile messages and strangers open malformed connections, while honest sensors report once a
second. Prints how late the honest reports were confirmed, what was lost, and the memory of broker and ingest. The
installation is the embedded broker and SQLite on this machine, each process as tools/run.py starts it.
"""

import argparse
import contextlib
import tempfile
import threading
import time
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy import func, select

from ansim import envelope
from server import migrations
from server.config import Settings
from server.models.audit import LogEntry
from tests.support import hostile
from tests.support.paho_sensor import PahoSensor
from tests.support.server_kit import Server
from tests.support.waiting import wait_for


class Outcome(NamedTuple):
    """
    made, stored    honest reports
    p50_s, p99_s    from making a report to its confirmation
    sent            hostile messages that the broker has read
    log_entries     permanent entries of the log
    memory_kb       {process: (before, after)}
    are_running     True if no process has ended
    """

    made: int
    stored: int
    p50_s: float
    p99_s: float
    sent: int
    log_entries: int
    memory_kb: dict[str, tuple[int, int]]
    are_running: bool


def run(folder: Path, sensors: int, messages: int, strangers: int, seconds: float, seed: int = 12) -> Outcome:
    """Run a campaign of at least so many seconds; it ends when the strangers have gone."""
    migrations.upgrade(empty := Settings(data=folder / "empty"))
    server = Server(folder / "data", empty.data / "ansim.db")
    honest = []
    try:
        server.start()
        honest = [
            PahoSensor(f"hall-{number}", server.enrol(f"hall-{number}"), server.port) for number in range(sensors)
        ]
        for sensor in honest:
            sensor.connect()
        for sensor in honest:
            sensor.wait_ready()
        before = _memory_kb(server)
        attack = _Attack(server, messages, strangers, seed)
        delays = _report(honest, seconds, attack)
        attack.stop()
        wait_for(lambda: not any(sensor.journal for sensor in honest), 60)
        stored = server.reports_by_sensor()
        after = _memory_kb(server)
        with server.sessions() as session:
            entries = session.scalar(select(func.count()).select_from(LogEntry)) or 0
        return Outcome(
            sum(sensor.seq for sensor in honest),
            sum(len(set(stored.get(sensor.name, ()))) for sensor in honest),
            delays[len(delays) // 2],
            delays[int(len(delays) * 0.99)],
            attack.sent,
            entries,
            {name: (before[name], after[name]) for name in before},
            server.broker.status is None and server.ingest.status is None,
        )
    finally:
        for sensor in honest:
            sensor.close()
        server.end()


class _Attack:
    """The stolen key and the strangers, each in a thread."""

    def __init__(self, server, messages, strangers, seed):
        self.sent = 0
        self._client: mqtt.Client | None = None
        self._key = server.enrol("stolen")
        self._port = server.port
        self._threads = [
            threading.Thread(target=self._send, args=(messages, seed), daemon=True),
            threading.Thread(target=hostile.knock, args=(server.port, strangers, seed), daemon=True),
        ]
        for thread in self._threads:
            thread.start()

    def _send(self, count, seed):
        client = self._client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="stolen")
        client.username_pw_set("stolen", envelope.broker_password(self._key))
        client.max_inflight_messages_set(1000)
        client.max_queued_messages_set(0)
        client.on_publish = lambda *_: setattr(self, "sent", self.sent + 1)
        client.connect("127.0.0.1", self._port)
        client.loop_start()
        for topic, payload, qos in hostile.messages_of("stolen", self._key, count, seed):
            with contextlib.suppress(ValueError):
                client.publish(topic, payload, qos)

    def stop(self) -> None:
        if self._client:
            self._client.disconnect()
            self._client.loop_stop()

    def strangers_are_here(self) -> bool:
        return self._threads[1].is_alive()


def _report(honest, seconds, attack):
    """Let each sensor report once a second; return the delays until the confirmations, sorted."""
    made, delays, ends = {}, [], time.monotonic() + seconds
    next_s = 0.0
    while made or time.monotonic() < ends or attack.strangers_are_here():
        now = time.monotonic()
        if now >= next_s and (now < ends or attack.strangers_are_here()):
            next_s = now + 1
            for sensor in honest:
                sensor.append()
                made[sensor.name, sensor.boot, sensor.seq] = time.monotonic()
        journals = {sensor.name: sensor.journal for sensor in honest}
        for name, boot, seq in [key for key in made if key[1:] not in journals[key[0]]]:
            delays.append(time.monotonic() - made.pop((name, boot, seq)))
        if now > ends + 300:
            break
        time.sleep(0.02)
    return sorted([*delays, *(time.monotonic() - began for began in made.values())])


def _memory_kb(server):
    kilobytes = {}
    for name, process in (("broker", server.broker), ("ingest", server.ingest)):
        status = Path(f"/proc/{process.process_id}/status").read_text()
        kilobytes[name] = int(status.split("VmRSS:")[1].split()[0])
    return kilobytes


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--strangers", type=int, default=5000)
    parser.add_argument("--sensors", type=int, default=50)
    parser.add_argument("--seconds", type=float, default=60)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        outcome = run(Path(folder), options.sensors, options.messages, options.strangers, options.seconds)
    for name, value in outcome._asdict().items():
        print(f"{name:12} {value}")


if __name__ == "__main__":
    main()
