"""Helpers of the delivery tests: the sensor's process, and a server that follows the protocol in memory."""

import base64
import json
import queue
import subprocess
import threading
from itertools import count
from pathlib import Path

import paho.mqtt.client as paho
from paho.mqtt.enums import CallbackAPIVersion

from ansim import envelope, messages, topics
from ansim.decode import decode_message
from tests.conftest import ROOT
from tests.support.waiting import PATIENCE
from tools.hardware import payload

KEY = bytes(range(32))
DEVICE = "hall-1"
PART_BYTES = 1024
_ENDED = object()
SCRIPT = str(ROOT / "tests/integration/sensor_on_micropython.py")


def settings(base: Path, port: int, **more) -> dict:
    """Return settings for sensor_on_micropython.py."""
    given = {"device": DEVICE, "key": KEY.hex(), "broker": "127.0.0.1", "port": port, "tls": False, "ntp": ""}
    given |= {"uplink": "ethernet", "journal_bytes": 1 << 20, "folder": str(base / "journal")}
    return given | more


def compiled(folder: Path) -> str:
    """Copy the firmware to `folder` as it is installed on a board; return the MICROPYPATH for it."""
    for name, content in payload.collect("x64").items():
        file = folder / name.lstrip("/")
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(content)
    return f"{folder}/lib:.frozen"


class SensorProcess:
    """
    The delivery side on the real MicroPython; calling it sends one instruction and returns the answer.

    heap  twice what the program needs on a chip: objects of 64 bits take twice the memory
    """

    def __init__(self, micropython: str, micropython_path: str, given: dict, heap: str = "208k"):
        # Not as an argument: MicroPython takes none of more than 255 bytes.
        file = Path(given["folder"] + ".settings.json")
        file.write_text(json.dumps(given))
        self._process = subprocess.Popen(
            [micropython, "-X", f"heapsize={heap}", SCRIPT, str(file)],
            env={"MICROPYPATH": f"{micropython_path}:{ROOT}/tests/support"},
            cwd=ROOT,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self.said = []
        self._answers = queue.Queue()
        threading.Thread(target=self._read, daemon=True).start()

    def __call__(self, *order, seconds: float = 30):
        self.send(*order)
        return self.answer(seconds)

    def send(self, *order):
        assert self._process.stdin
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()

    def answer(self, seconds: float = 30):
        try:
            answer = self._answers.get(timeout=seconds * PATIENCE)
        except queue.Empty:
            answer = _ENDED
        assert answer is not _ENDED, "the sensor does not answer; it said: " + "".join(self.said)
        return answer

    def count_lines(self, start: str) -> int:
        """Return how many lines of its output begin with this text."""
        return sum(line.startswith(start) for line in self.said)

    def kill(self):
        self._process.kill()
        self._process.wait()

    def _read(self):
        assert self._process.stdout
        for line in self._process.stdout:
            if line.startswith("="):
                self._answers.put(json.loads(line[1:]))
            else:
                self.said.append(line)
        self._answers.put(_ENDED)


class TinyServer:
    """
    Stores every report once, confirms the reports before the first gap, answers with its time.

    reports    {(boot, seq): message}; order has them in the order of their first arrival
    states, infos, acks, lives   messages in the order they came
    silent     True: it stores everything but confirms nothing
    deaf       True: it does not store reports either
    away       True: silent, and it does not send the time either
    files      {SHA-256: bytes} that sensors may request
    """

    def __init__(self, port: int, time_s: int = 1767225600, key: bytes = KEY, ca: Path | None = None):
        self.reports, self.order = {}, []
        self.duplicates = self.conflicts = self.unsigned = 0
        self.states, self.infos, self.acks, self.lives = [], [], [], []
        self.silent = self.deaf = self.away = False
        self.time_s = time_s
        self.files = {}
        self._told = {}  # boot -> every seq up to here is accounted for
        self._accounted = {}
        self._key = key
        self._ids = count(1)
        self._client = paho.Client(CallbackAPIVersion.VERSION2, "server", clean_session=False)
        self._client.username_pw_set("server", "server")
        self._client.on_connect = self._subscribe
        self._client.on_message = self._take
        self._client.reconnect_delay_set(1, 1)
        self._client.max_inflight_messages_set(1000)
        if ca:
            self._client.tls_set(str(ca))
        self._address = ("localhost" if ca else "127.0.0.1", port)

    def start(self):
        self._client.connect(*self._address)
        self._client.loop_start()
        return self

    def stop(self):
        self._client.disconnect()
        self._client.loop_stop()

    def confirm(self):
        """Publish `stored` for the newest boots."""
        self.publish(topics.STORED, messages.stored(sorted(self._told.items())[-8:]), retain=True)

    def command(self, name, args, expires_in_s=60, command_id=None) -> str:
        command_id = command_id or f"c{next(self._ids)}"
        self.publish(topics.CMD, messages.cmd(command_id, name, args, self.time_s + expires_in_s))
        return command_id

    def publish(self, leaf, message, retain=False, key=None):
        topic = topics.topic(DEVICE, leaf)
        self._client.publish(topic, envelope.seal(key or self._key, topic, messages.encode(message)), 1, retain)

    def publish_bytes(self, leaf, data: bytes):
        self._client.publish(topics.topic(DEVICE, leaf), data, 1)

    def ack_of(self, command_id):
        return next((ack for ack in self.acks if ack["id"] == command_id), None)

    def _subscribe(self, client, *_):
        client.subscribe([(topics.everyone("+"), 1)])

    def _take(self, _client, _userdata, message):
        leaf = topics.parse(message.topic)[1]
        if leaf in topics.TO_SENSOR:
            return
        try:
            body = envelope.unseal(self._key, message.topic, message.payload)
        except envelope.BadEnvelope:
            self.unsigned += 1
            return
        decoded = decode_message(leaf, body)
        if leaf == topics.REPORT and not self.deaf:
            self._keep(decoded)
        elif leaf == topics.STATE:
            self.states.append(decoded)
            if not self.away and decoded["nonce"] and decoded["state"] in (messages.INIT, messages.READY):
                self.command(messages.TIME, {"time_s": self.time_s, "nonce": decoded["nonce"]})
        elif leaf == topics.WANT:
            self._hand_out(decoded["sha256"], decoded["offset"])
        kept = {topics.INFO: self.infos, topics.ACK: self.acks, topics.LIVE: self.lives}.get(leaf)
        if kept is not None:
            kept.append(decoded)

    def _hand_out(self, sha256, offset):
        data = self.files.get(sha256, b"")[offset : offset + PART_BYTES]
        self.publish(topics.PART, messages.part(sha256, offset, base64.b64encode(data).decode()))

    def _keep(self, message):
        boot, seq = place = message["boot"], message["seq"]
        if self.reports.get(place, message) != message:
            self.conflicts += 1
        elif place in self.reports:
            self.duplicates += 1
        else:
            self.reports[place] = message
            self.order.append(place)
        first = message["body"]["first"] if message["kind"] == messages.DROPPED else seq
        accounted = self._accounted.setdefault(boot, set())
        accounted.update(range(first, seq + 1))
        upto = self._told.get(boot, 0)
        while upto + 1 in accounted:
            upto += 1
        self._told[boot] = upto
        if not self.silent and not self.away:
            self.confirm()
