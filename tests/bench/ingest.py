"""
Compare the rate of ingest with that of a bare paho subscriber that only counts.

    python -m tests.bench.ingest [--messages 20000] [--rounds 3]

Method: a mosquitto (queues without limit) holds the same reports of 50 sensors (SWEEP, about
520 bytes, signed) for two persistent sessions. Then two processes run one after the other, each
alone with the broker: a paho client with an empty callback receives them; ingest verifies,
checks and stores them in SQLite (WAL, synchronous=FULL), acknowledges and confirms. The clock
runs from the first message to the last one counted, or committed. Bar: half the rate.
"""

import argparse
import json
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ansim import envelope, messages, topics
from server import envelope_signer
from server.ingest.main import Ingest, tune_garbage_collector
from tests.conftest import ROOT
from tests.support.paho_sensor import sweep_body
from tests.support.server_kit import Server, is_open
from tests.support.waiting import wait_for

SENSORS = 50
WINDOW = 2000
BARE = "bare"
BAR = 0.5


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--messages", type=int, default=20_000)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--consume", nargs=3, metavar=("WHO", "PORT", "DATA"), help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.consume:
        who, port, data = options.consume
        print(json.dumps((consume_bare if who == BARE else consume_ingest)(int(port), Path(data), options.messages)))
        return
    ratio = run(options.messages, options.rounds)
    sys.exit(0 if ratio >= BAR else f"ingest is at {ratio:.2f} of the bare subscriber's rate, less than {BAR}")


def run(count: int, rounds: int) -> float:
    """Print every round; return the median of ingest's rate over the bare subscriber's of the same round."""
    ratios = []
    for number in range(rounds):
        with tempfile.TemporaryDirectory() as folder:
            results = run_round(Path(folder), count)
        for who, (rate, cpu_us) in results.items():
            print(f"round {number + 1}  {who:6}  {rate:8.0f} messages/s  {cpu_us:6.1f} us of CPU per message")
        ratios.append(results["ingest"][0] / results[BARE][0])
    ratio = statistics.median(ratios)
    print(f"ratio    {ratio:.2f} (median; {min(ratios):.2f} to {max(ratios):.2f}; bar {BAR})")
    return ratio


def run_round(folder: Path, count: int) -> dict[str, tuple[float, float]]:
    """Return {BARE or "ingest": (messages per second, microseconds of CPU per message)}."""
    server = Server(folder / "data").use_mosquitto()
    keys = {f"hall-{number}": server.enrol(f"hall-{number}") for number in range(SENSORS)}
    server.broker.start()
    try:
        wait_for(lambda: is_open(server.port))
        for client_id in (BARE, "_ingest-1"):
            _open_session(server.port, client_id)
        _publish(server.port, keys, count)
        return {who: _consume(who, server, count) for who in (BARE, "ingest")}
    finally:
        server.end()


def consume_bare(port: int, _data: Path, expected: int) -> tuple[float, float]:
    """Count messages with a paho client as its documentation shows it; return (messages/s, us of CPU per message)."""
    progress = Progress(expected)
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=BARE, clean_session=False)

    def count(_client, _data, _message):
        if progress.add(1):
            client.disconnect()

    client.on_message = count
    client.connect("127.0.0.1", port)
    client.loop_forever()
    return progress.result()


def consume_ingest(port: int, data: Path, expected: int) -> tuple[float, float]:
    """Run the ingest process, timed; return (messages/s, us of CPU per message)."""
    from server.config import Settings

    progress = Progress(expected)

    class Timed(Ingest):
        def _receive(self, publishes):
            progress.begin()
            super()._receive(publishes)

        def _reply(self, result, packet_ids):
            super()._reply(result, packet_ids)
            if progress.add(len(packet_ids)):
                self.stop()

    tune_garbage_collector()  # as run() does
    Timed(Settings(data=data, mqtt_port=port)).run()
    return progress.result()


class Progress:
    """Counts messages, and measures the time from the first to the last."""

    def __init__(self, expected: int):
        self._left = self._expected = expected
        self._began = None
        self._cpu = self._took = 0.0

    def begin(self) -> None:
        """Start the clock with the first message."""
        if self._began is None:
            self._began, self._cpu = time.perf_counter(), time.process_time()

    def add(self, count: int) -> bool:
        """Count messages; return True once all have come."""
        self.begin()
        self._left -= count
        if self._left <= 0:
            self._took = time.perf_counter() - (self._began or 0.0)
            self._cpu = time.process_time() - self._cpu
        return self._left <= 0

    def result(self) -> tuple[float, float]:
        """Return (messages per second, microseconds of CPU per message)."""
        return self._expected / self._took, self._cpu / self._expected * 1e6


def _consume(who, server, expected):
    arguments = ["--messages", str(expected), "--consume", who, str(server.port), str(server.folder)]
    done = subprocess.run(
        [sys.executable, "-m", "tests.bench.ingest", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
        timeout=300,
    )
    if who != BARE:
        assert server.count() == expected, server.count()
    return json.loads(done.stdout.splitlines()[-1])


def _open_session(port, client_id):
    client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=client_id, clean_session=False)

    def subscribe(*_arguments):
        client.subscribe(topics.everyone(topics.REPORT), 1)

    def disconnect(*_arguments):
        client.disconnect()

    client.on_connect = subscribe
    client.on_subscribe = disconnect
    client.connect("127.0.0.1", port)
    client.loop_forever()


def _publish(port, keys, count):
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
        report = messages.report(1, seq, prev[name], seq * 60000, 1_800_000_000, "", messages.SWEEP, sweep_body())
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
