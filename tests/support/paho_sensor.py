"""
A small model of the sensor's side of the protocol, on paho, for tests of ingest and the broker.

It keeps its reports until the server's `stored` covers them. Like the firmware (mqtt_session.py, server_connection.py)
it sends one report and waits for a sign of the server, has a window, and sends again at growing intervals when nothing
is confirmed, so that many sensors do not fill a broker whose server is away.
"""

import contextlib
import copy
import json
import secrets
import threading
import time
from collections import OrderedDict

import paho.mqtt.client as mqtt
from paho.mqtt.enums import CallbackAPIVersion

from ansim import envelope, messages, topics
from server import envelope_signer
from tests.support.waiting import PATIENCE, wait_for
from tools.load.device import SWEEP

AGAIN_AFTER_S = 1.5  # nothing confirmed for so long: begin anew (a real sensor: 10 s)
AGAIN_MOST_S = 12
WINDOW = 64  # reports on their way at a time


def sweep_body(from_ms=0, to_ms=60000) -> dict:
    """A usual SWEEP body: all 13 channels."""
    return {**copy.deepcopy(SWEEP), "from_ms": from_ms, "to_ms": to_ms}


def finding_body(subject="02:00:5e:00:00:09", event="raised", score=80, **changes) -> dict:
    """A usual FINDING body."""
    body = {
        "event": event,
        "detector": "camera_stream",
        "subject": subject,
        "bssid": "02:00:5e:00:00:01",
        "first_ms": 1000,
        "last_ms": 9000,
        "score": score,
        "channel": 6,
        "rssi_dbm": -48,
        "evidence": [["uplink_kbps", 900, 150, 30], ["uplink_share_permille", 960, 800, 25]],
        "considered": [["video_call", "against"]],
    }
    body.update(changes)
    return body


class PahoSensor:
    """One sensor. append() reports, connect(); `journal` is empty when all are confirmed."""

    def __init__(self, name: str, key: bytes, port: int, boot: int = 1):
        self.name = name
        self.key = key
        self.boot = boot
        self.seq = 0
        self.prev = ""
        self.inspection = ""
        self.journal = OrderedDict()  # (boot, seq) -> JSON bytes
        self.commands = []  # cmd messages received
        self.stored = []  # `upto` of every stored message received
        self.others = []  # topics of messages that are not this sensor's
        self.refused = None
        self.acks = True
        self.nonce = ""
        self._port = port
        self._lock = threading.RLock()
        self._sent = set()
        self._progress_s = 0.0
        self._again_s = AGAIN_AFTER_S
        self._room = 1  # reports that may be on their way; WINDOW once the server has shown itself
        self._ready = False
        self._ending = threading.Event()
        self._connection: mqtt.Client | None = None
        self._thread = None

    def append(self, kind=messages.SWEEP, body=None, at_s=None, tick_ms=None) -> bytes:
        """Make a report; return its JSON bytes."""
        with self._lock:
            self.seq += 1
            tick_ms = self.seq * 1000 if tick_ms is None else tick_ms
            body = sweep_body() if body is None else body
            message = messages.report(self.boot, self.seq, self.prev, tick_ms, at_s, self.inspection, kind, body)
            data = messages.encode(message)
            self.prev = envelope.digest(data)
            self.journal[self.boot, self.seq] = data
            return data

    def connect(self, password=None):
        """Connect and keep connected, from a thread of its own, until close()."""
        client = mqtt.Client(CallbackAPIVersion.VERSION2, client_id=self.name, clean_session=True)
        client.username_pw_set(self.name, password or envelope.broker_password(self.key))
        client.will_set(*self._sealed(topics.STATE, messages.state(self.boot, messages.LOST, "")), qos=1, retain=True)
        client.max_inflight_messages_set(WINDOW)
        client.on_connect = self._connected
        client.on_disconnect = self._disconnected
        client.on_subscribe = lambda *_: setattr(self, "_ready", True)
        client.on_message = self._message
        self._connection = client
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()
        return self

    def close(self):
        """Publish DISCONNECTED and disconnect."""
        self._ending.set()
        if self._thread:
            self._thread.join(10 * PATIENCE)

    def publish(self, leaf: str, message: dict, qos=1, retain=False):
        """Publish one message of this sensor, signed."""
        topic, payload = self._sealed(leaf, message)
        return self._client.publish(topic, payload, qos, retain)

    def publish_raw(self, topic: str, payload: bytes, qos=1):
        """Publish anything anywhere."""
        return self._client.publish(topic, payload, qos)

    def wait_ready(self):
        wait_for(lambda: self._ready or self.refused)
        assert self._ready, f"{self.name} did not connect: {self.refused}"
        return self

    @property
    def _client(self) -> mqtt.Client:
        assert self._connection, "connect() first"
        return self._connection

    def _sealed(self, leaf, message):
        topic = topics.topic(self.name, leaf)
        return topic, envelope_signer.seal(self.key, topic, messages.encode(message))

    def _run(self):
        client = self._client
        while not self._ending.is_set():
            with contextlib.suppress(OSError):
                client.connect("127.0.0.1", self._port, 10)
                break
            time.sleep(0.05)
        while not self._ending.is_set():
            if client.loop(0.02) != mqtt.MQTT_ERR_SUCCESS:
                self._ready = False
                time.sleep(0.05)
                with contextlib.suppress(OSError):
                    client.reconnect()
            elif self._ready:
                self._deliver()
        client.disconnect()
        client.loop(0.05)

    def _connected(self, client, _data, _flags, reason, _properties):
        if reason.is_failure:
            self.refused = str(reason)
            return
        with self._lock:
            self._begin_anew()
            self._again_s = AGAIN_AFTER_S
            self.nonce = secrets.token_hex(8)
        client.subscribe([(topics.topic(self.name, leaf), 1) for leaf in topics.TO_SENSOR])
        self.publish(topics.STATE, messages.state(self.boot, messages.INIT, self.nonce), retain=True)
        self.publish(topics.STATE, messages.state(self.boot, messages.READY, self.nonce), retain=True)

    def _disconnected(self, *_):
        self._ready = False

    def _deliver(self):
        with self._lock:
            if self._sent and time.monotonic() - self._progress_s > self._again_s:
                self._again_s = min(2 * self._again_s, AGAIN_MOST_S)
                self._begin_anew()
            room = self._room - len(self._sent)
            for key, data in self.journal.items():
                if room <= 0:
                    break
                if key not in self._sent:
                    self._sent.add(key)
                    room -= 1
                    topic = topics.topic(self.name, topics.REPORT)
                    self._client.publish(topic, envelope_signer.seal(self.key, topic, data), 1)

    def _begin_anew(self):
        self._sent.clear()
        self._room = 1
        self._progress_s = time.monotonic()

    def _message(self, _client, _data, message):
        if message.topic not in [topics.topic(self.name, leaf) for leaf in topics.TO_SENSOR]:
            self.others.append(message.topic)
            return
        body = json.loads(envelope.unseal(self.key, message.topic, message.payload))
        if not message.retain:
            self._room = WINDOW
        if message.topic.endswith(topics.STORED):
            self._free(body["upto"])
        else:
            self.commands.append(body)
            if self.acks and body["name"] != messages.TIME:
                self.publish(topics.ACK, messages.ack(self.boot, body["id"]))

    def _free(self, upto):
        with self._lock:
            self.stored.append(upto)
            for boot, seq in upto:
                for key in [key for key in self.journal if key[0] == boot and key[1] <= seq]:
                    del self.journal[key]
                    self._sent.discard(key)
                    self._progress_s = time.monotonic()
                    self._again_s = AGAIN_AFTER_S
