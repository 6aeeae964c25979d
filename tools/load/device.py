"""
A light device: a sensor's reports, journal, signatures and topics, on one connection of tools/load/connection.py.

Like the firmware it keeps a report until the server confirms it, has a window, sends again what is not confirmed,
and connects again after a pause.
"""

import asyncio
import contextlib
import json
import random
import secrets
import time
from collections import Counter, OrderedDict
from dataclasses import dataclass, field
from typing import Any

from ansim import envelope, messages, topics
from server.envelope_signer import Signer
from tools.load import connection
from tools.load.connection import Connection

WINDOW = 64  # reports on their way at a time
AGAIN_S, LONGEST_AGAIN_S = 10.0, 80.0  # nothing confirmed for so long: send again, with growing pauses
FIRST_PAUSE_S, LONGEST_PAUSE_S = 0.5, 15.0  # between attempts to connect
SKEW_S = 2 * 86400  # of a device whose clock is wrong

SWEEP = {
    "from_ms": 0,
    "to_ms": 60000,
    "capabilities": ["scan", "sniff", "ble"],
    "channels": [[channel, 4200 + channel, 800 + channel, 20, 0] for channel in range(1, 14)],
    "deaf_ms": 5400,
    "stations": 12,
    "access_points": 9,
    "ble": 14,
    "full": False,
}


@dataclass
class Figures:
    """
    What all devices did.

    counts      made, sent, acknowledged (by the broker), confirmed (by the server), bad, cut, connected, refused
    confirm_s   seconds from making a report to its confirmation
    connect_s   seconds from wanting a connection to having it
    """

    counts: Counter[str] = field(default_factory=Counter)
    confirm_s: list[float] = field(default_factory=list)
    connect_s: list[float] = field(default_factory=list)


class LightDevice:
    """One device. run() keeps it connected until it is cancelled; append() makes reports."""

    def __init__(
        self, name: str, key: bytes, address: tuple[str, int], figures: Figures, tls: Any = None, skewed: bool = False
    ):
        self.name = name
        self.journal: OrderedDict[int, tuple[bytes, float]] = OrderedDict()  # seq -> (JSON, when it was made)
        self.seq = 0
        self._signer = Signer(key)
        self._password = envelope.broker_password(key)
        self._address = address
        self._figures = figures
        self._tls = tls
        self._skew_s = random.choice((-SKEW_S, SKEW_S)) if skewed else 0
        self._boot = int(time.time())
        self._prev = ""
        self._nonce = ""
        self._packet_id = 0
        self._sent: set[int] = set()
        self._progress = 0.0
        self._again_s = AGAIN_S
        self._room = 1  # reports on their way; WINDOW once the server has shown itself
        self._connection: Connection | None = None
        self._ready = False
        self._ended = asyncio.Event()

    def append(self, now: float) -> None:
        """Make one report, and send it if the window has room."""
        self.seq += 1
        at_s = int(time.time()) + self._skew_s
        message = messages.report(self._boot, self.seq, self._prev, self.seq * 1000, at_s, "", messages.SWEEP, SWEEP)
        data = messages.encode(message)
        self._prev = envelope.digest(data)
        self.journal[self.seq] = data, now
        self._figures.counts["made"] += 1
        self.deliver(now)

    def deliver(self, now: float) -> None:
        """Send what fits into the window; all of it again if nothing was confirmed for AGAIN_S."""
        if not self._ready:
            return
        if self._sent and now - self._progress > self._again_s:
            self._again_s = min(2 * self._again_s, LONGEST_AGAIN_S)
            self._sent.clear()
            self._room, self._progress = 1, now
        for seq, (data, _) in self.journal.items():
            if len(self._sent) >= self._room:
                break
            if seq not in self._sent:
                if not self._sent:
                    self._progress = now
                self._sent.add(seq)
                self._figures.counts["sent"] += 1
                self._publish(topics.REPORT, data)

    def send_bad(self) -> None:
        """Send one message that the server must refuse: a wrong signature, no JSON, or a topic of another device."""
        if not self._ready:
            return
        self._figures.counts["bad"] += 1
        topic = topics.topic(self.name, topics.REPORT)
        kind = random.randrange(3)
        if kind == 0:
            payload = Signer(secrets.token_bytes(32)).seal(topic, b'{"v":1}')
        elif kind == 1:
            payload = self._signer.seal(topic, b"\xff\x00 no JSON")
        else:
            payload = secrets.token_bytes(300)
        self._write(connection.publish_packet(topic, payload, self._next_id()))

    def cut(self) -> None:
        """Lose the connection; run() makes a new one."""
        if self._connection:
            self._figures.counts["cut"] += 1
            self._connection.cut()

    def stop_reading(self, stop: bool) -> None:
        """Stop reading from the broker, or go on."""
        if self._connection:
            self._connection.stop_reading(stop)

    async def run(self) -> None:
        """Connect, and connect again whenever the connection ends."""
        pause_s = FIRST_PAUSE_S
        while True:
            began = time.monotonic()
            self._ended.clear()
            first = connection.connect_packet(self.name, self.name, self._password)
            try:
                _, self._connection = await asyncio.get_running_loop().create_connection(
                    lambda first=first: Connection(first, self._receive, self._lost), *self._address, ssl=self._tls
                )
            except OSError:
                self._figures.counts["refused"] += 1
            else:
                self._wanted = began
                await self._keep_alive()
                pause_s = FIRST_PAUSE_S if time.monotonic() - began > LONGEST_PAUSE_S else pause_s
            await asyncio.sleep(pause_s * random.uniform(0.5, 1.5))
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S)

    async def _keep_alive(self):
        while not self._ended.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._ended.wait(), connection.KEEPALIVE_S / 2)
            self._write(connection.PINGREQ_PACKET)

    def _lost(self):
        self._ready = False
        self._connection = None
        self._sent.clear()
        self._room, self._again_s = 1, AGAIN_S
        self._ended.set()

    def _receive(self, kind, flags, body):
        if kind == connection.CONNACK:
            if body[1]:
                self._figures.counts["refused"] += 1
                self.cut()
                return
            self._figures.counts["connected"] += 1
            self._figures.connect_s.append(time.monotonic() - self._wanted)
            filters = [topics.topic(self.name, leaf) for leaf in topics.TO_SENSOR]
            self._write(connection.subscribe_packet(filters, self._next_id()))
        elif kind == connection.SUBACK:
            self._nonce = secrets.token_hex(8)
            for state in (messages.INIT, messages.READY):
                self._publish(topics.STATE, messages.encode(messages.state(self._boot, state, self._nonce)), True)
            self._ready = True
            self.deliver(time.monotonic())
        elif kind == connection.PUBACK:
            self._figures.counts["acknowledged"] += 1
        elif kind == connection.PUBLISH:
            self._receive_publish(flags, body)

    def _receive_publish(self, flags, body):
        length = int.from_bytes(body[:2], "big")
        topic = body[2 : 2 + length].decode()
        at = 2 + length
        if flags & 6:
            self._write(b"\x40\x02" + body[at : at + 2])
            at += 2
        if not flags & 1:
            self._room = WINDOW
        if topic == topics.topic(self.name, topics.STORED):
            for boot, upto in json.loads(self._signer.unseal(topic, body[at:]))["upto"]:
                if boot == self._boot:
                    self._free(upto)

    def _free(self, upto):
        now = time.monotonic()
        while self.journal and next(iter(self.journal)) <= upto:
            seq, (_, made) = self.journal.popitem(last=False)
            self._sent.discard(seq)
            self._progress, self._again_s = now, AGAIN_S
            self._figures.counts["confirmed"] += 1
            self._figures.confirm_s.append(now - made)
        self.deliver(now)

    def _publish(self, leaf, data, retain=False):
        topic = topics.topic(self.name, leaf)
        self._write(connection.publish_packet(topic, self._signer.seal(topic, data), self._next_id(), retain))

    def _next_id(self):
        self._packet_id = self._packet_id % 65535 + 1
        return self._packet_id

    def _write(self, packet):
        if self._connection:
            self._connection.write(packet)
