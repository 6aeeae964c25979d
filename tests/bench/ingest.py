"""
Compare the rate of ingest with that of other consumers of the same messages.

    python -m tests.bench.ingest [--messages 20000] [--rounds 3] [--postgresql]

Method: a mosquitto (queues without limit) holds the same reports of 50 sensors (SWEEP, 578 bytes, signed) in a
persistent session for each consumer. Then the consumers run one after the other, each alone with the broker:

    bare            a paho client with an empty callback: counts
    mosquitto_sub   mosquitto's own client, in C: writes to /dev/null; left out where it is not installed
    commit          a paho client that stores each message with a transaction of its own, as the examples of
                    Flask-MQTT and SQLAlchemy do; 2,000 messages
    ingest          verifies, checks and stores in SQLite (WAL, synchronous=FULL), acknowledges and confirms
    two             with --postgresql, where `ingest` stores there: two ingest processes that share the messages

The clock runs from the first message to the last one counted, or committed (mosquitto_sub: from start to end).
Bar: `ingest` on SQLite has half the rate of `bare`.
"""

import argparse
import contextlib
import json
import os
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion
from pydantic import SecretStr
from sqlalchemy import create_engine, event

from ansim import envelope, messages, topics
from server import envelope_signer
from server.ingest.main import Ingest, tune_garbage_collector
from tests.conftest import ROOT
from tests.support import postgresql
from tests.support.paho_sensor import sweep_body
from tests.support.server_kit import Server, is_open
from tests.support.waiting import wait_for

SENSORS = 50
WINDOW = 2000
QUIET_S = 2  # one of two ingest processes ends after so long without a message
COMMITTED = 2000
BARE, C_CLIENT, COMMIT, INGEST, TWO = "bare", "mosquitto_sub", "commit", "ingest", "two"
BAR = 0.5


class Figures(NamedTuple):
    """What a consumer did."""

    began: float  # Unix time
    ended: float
    cpu_s: float
    count: int


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--postgresql", action="store_true")
    parser.add_argument("--consume", nargs=3, metavar=("WHO", "PORT", "DATA"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.consume:
        who, port, data = options.consume
        print(json.dumps(_CONSUMERS[who](int(port), Path(data), options.messages)))
        return
    ratio = run(options.messages, options.rounds, options.postgresql)
    sys.exit(0 if ratio >= BAR else f"ingest is at {ratio:.2f} of the bare subscriber's rate, less than {BAR}")


def run(count: int, rounds: int, with_postgresql: bool = False) -> float:
    """Print every round; return the median of ingest's rate over the bare subscriber's of the same round, on SQLite."""
    ratios: dict[str, list[float]] = {}
    with contextlib.ExitStack() as stack:
        database = stack.enter_context(postgresql.server(fsync=True)) if with_postgresql else None
        for number in range(rounds):
            for store in ("sqlite", "postgresql") if database else ("sqlite",):
                url = {"database_url": SecretStr(database())} if database and store == "postgresql" else {}
                with tempfile.TemporaryDirectory() as folder:
                    results = run_round(Path(folder), count, **url)
                for who, (rate, cpu_us) in results.items():
                    print(
                        f"round {number + 1}  {store:10}  {who:13} {rate:8.0f} messages/s  {cpu_us:6.1f} us of CPU each"
                    )
                    ratios.setdefault(f"{store} {who}", []).append(rate / results[BARE][0])
    for who, found in ratios.items():
        print(f"of bare  {who:26}  {statistics.median(found):.2f} (median; {min(found):.2f} to {max(found):.2f})")
    return statistics.median(ratios[f"sqlite {INGEST}"])


def run_round(folder: Path, count: int, **settings) -> dict[str, tuple[float, float]]:
    """Return {consumer: (messages per second, microseconds of CPU per message)}."""
    server = Server(folder / "data", **settings).use_mosquitto()
    keys = {f"hall-{number}": server.enrol(f"hall-{number}") for number in range(SENSORS)}
    server.broker.start()
    reports = topics.everyone(topics.REPORT)
    c_client = () if settings or not shutil.which(C_CLIENT) else (C_CLIENT,)
    others = () if settings else (COMMIT, *c_client)
    try:
        wait_for(lambda: is_open(server.port))
        for client_id in (BARE, "_ingest-1", *others):
            _open_session(server.port, client_id, reports)
        _publish(server.port, keys, count)
        results = {BARE: _consume(BARE, server, count), INGEST: _consume(INGEST, server, count)}
        assert server.count() == count, server.count()
        if settings:
            results[TWO] = _share(server, keys, count)
        else:
            results.update({who: _subscribe_in_c(server.port, count) for who in c_client})
            results[COMMIT] = _consume(COMMIT, server, min(count, COMMITTED))
        return results
    finally:
        server.end()


def consume_bare(port: int, _data: Path, expected: int) -> Figures:
    """Count messages with a paho client as its documentation shows it."""
    return _loop(BARE, port, expected, lambda _message: None)


def consume_and_commit(port: int, data: Path, expected: int) -> Figures:
    """Store each message with one transaction."""
    engine = create_engine(f"sqlite:///{data / 'commit.db'}")
    event.listen(engine, "connect", lambda connection, _: connection.executescript(_PRAGMAS))
    with engine.begin() as connection:
        connection.exec_driver_sql("CREATE TABLE message (id INTEGER PRIMARY KEY, topic TEXT, fields TEXT)")

    def store(message):
        fields = json.loads(message.payload[:-65])
        with engine.begin() as connection:
            row = (message.topic, json.dumps(fields))
            connection.exec_driver_sql("INSERT INTO message (topic, fields) VALUES (?, ?)", row)

    return _loop(COMMIT, port, expected, store)


_PRAGMAS = "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL"


def _loop(client_id, port, expected, handle):
    progress = Progress(expected)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)

    def take(_client, _data, message):
        progress.begin()
        handle(message)
        if progress.add(1):
            client.disconnect()

    client.on_message = take
    client.connect("127.0.0.1", port)
    client.loop_forever()
    return progress.result()


def consume_ingest(port: int, _data: Path, expected: int) -> Figures:
    """Run the ingest process, timed, with the settings of the environment."""
    from server import config

    progress = Progress(expected)

    class Timed(Ingest):
        def _receive(self, publishes):
            progress.begin()
            super()._receive(publishes)

        def _process(self):
            if progress.is_quiet():
                self.stop()
            return super()._process()

        def _reply(self, result, packet_ids):
            super()._reply(result, packet_ids)
            if progress.add(len(packet_ids)):
                self.stop()

    tune_garbage_collector()  # as run() does
    Timed(config.from_environment({**os.environ, "ANSIM_MQTT_PORT": str(port)})).run()
    return progress.result()


_CONSUMERS = {BARE: consume_bare, COMMIT: consume_and_commit, INGEST: consume_ingest}


class Progress:
    """Counts messages, and measures the time from the first to the last."""

    def __init__(self, expected: int):
        self._expected = expected
        self._count = 0
        self._began = self._newest = self._cpu_began = self._cpu = 0.0

    def begin(self) -> None:
        """Start the clock with the first message."""
        if not self._began:
            self._began, self._cpu_began = time.time(), time.process_time()

    def add(self, count: int) -> bool:
        """Count messages; return True once all have come."""
        self.begin()
        self._count += count
        if count:
            self._newest, self._cpu = time.time(), time.process_time()
        return self._count >= self._expected

    def is_quiet(self) -> bool:
        """Return True if some messages have come, and none for QUIET_S."""
        return bool(self._newest) and time.time() - self._newest > QUIET_S

    def result(self) -> Figures:
        """Return what was counted."""
        return Figures(self._began, self._newest, self._cpu - self._cpu_began, self._count)


def _start(who, server, expected, **environ):
    arguments = ["--messages", str(expected), "--consume", who, str(server.port), str(server.folder)]
    return subprocess.Popen(
        [sys.executable, "-m", "tests.bench.ingest", *arguments],
        cwd=ROOT,
        env={**os.environ, **server.environ, **environ},
        stdout=subprocess.PIPE,
        text=True,
    )


def _figures(process):
    output, _ = process.communicate(timeout=300)
    assert process.returncode == 0
    return Figures(*json.loads(output.splitlines()[-1]))


def _rate(*figures):
    """Return (messages per second, microseconds of CPU per message) of consumers that ran at once."""
    count = sum(each.count for each in figures)
    took = max(each.ended for each in figures) - min(each.began for each in figures)
    return count / took, sum(each.cpu_s for each in figures) / count * 1e6


def _consume(who, server, expected):
    return _rate(_figures(_start(who, server, expected)))


def _share(server, keys, count):
    """Let two ingest processes store as many reports again, of the sensors' next boot, and return their figures."""
    group = "bench"
    for number in (1, 2):
        _open_session(server.port, f"_ingest-{number}", f"$share/{group}/{topics.everyone(topics.REPORT)}")
    _publish(server.port, keys, count, boot=2)
    workers = [_start(INGEST, server, count, ANSIM_SHARE_GROUP=group, ANSIM_WORKER=str(number)) for number in (1, 2)]
    figures = [_figures(worker) for worker in workers]
    assert server.count() == 2 * count, server.count()
    return _rate(*figures)


def _subscribe_in_c(port, count):
    command = ["mosquitto_sub", "-p", str(port), "-c", "-i", C_CLIENT, "-q", "1", "-C", str(count)]
    began, cpu = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([*command, "-t", topics.everyone(topics.REPORT)], check=True, stdout=subprocess.DEVNULL, timeout=300)
    ended, after = time.time(), resource.getrusage(resource.RUSAGE_CHILDREN)
    used = after.ru_utime + after.ru_stime - cpu.ru_utime - cpu.ru_stime
    return _rate(Figures(began, ended, used, count))


def _open_session(port, client_id, topic_filter):
    """Begin a persistent session with this subscription alone."""
    for clean in (True, False):
        _connect_once(port, client_id, topic_filter, clean)


def _connect_once(port, client_id, topic_filter, clean):
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=clean)

    def subscribe(*_arguments):
        client.subscribe(topic_filter, 1)

    def disconnect(*_arguments):
        client.disconnect()

    client.on_connect = subscribe
    client.on_subscribe = disconnect
    client.connect("127.0.0.1", port)
    client.loop_forever()


def _publish(port, keys, count, boot=1):
    """Publish reports of all sensors in turn, and wait until the broker has them all."""
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id="publisher")
    client.max_inflight_messages_set(WINDOW)
    client.connect("127.0.0.1", port)
    client.loop_start()
    prev = dict.fromkeys(keys, "")
    last = None
    for number in range(count):
        name = f"hall-{number % SENSORS}"
        seq = number // SENSORS + 1
        report = messages.report(boot, seq, prev[name], seq * 60000, 1_800_000_000, "", messages.SWEEP, sweep_body())
        body = messages.encode(report)
        prev[name] = envelope.digest(body)
        topic = topics.topic(name, topics.REPORT)
        last = client.publish(topic, envelope_signer.seal(keys[name], topic, body), 1)
    if last:
        last.wait_for_publish(120)
    client.disconnect()
    client.loop_stop()


if __name__ == "__main__":
    main()
