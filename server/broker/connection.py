"""
An authenticated connection, between the socket and amqtt.

amqtt reads from it. It passes on whole, checked packets only, and reads the next one only while the sensor is within
its quota and the broker has room: until then the data stays in the sender's TCP window, which costs no memory here.
"""

import asyncio
import time
from collections.abc import Callable
from typing import NamedTuple

import structlog
from amqtt.adapters import ReaderAdapter
from amqtt.mqtt.connect import ConnectPacket

from ansim.envelope import MAX_MESSAGE_BYTES
from server.broker import packets, topic_rules
from server.services.intake import counters, quotas
from server.services.intake.quotas import Quotas

MAX_PACKET_BYTES = MAX_MESSAGE_BYTES + 1024  # with topic and packet id
WAIT_STEP_S = 0.05  # between two looks for room
LONGEST_PAUSE_S = 1.0  # between two looks at the quota

log = structlog.get_logger()


class Control(NamedTuple):
    """What the listener lends to its connections."""

    quotas: Quotas
    has_room: Callable[[str], bool]  # client id -> True if the broker can take another packet of this client
    reject: Callable[[str, str, str], None]  # user, counter, reason
    count_throttled: Callable[[str], None]  # user


class Connection(ReaderAdapter):
    """An authenticated connection, which amqtt reads from."""

    def __init__(
        self,
        control: Control,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        data: bytes,
        connect: ConnectPacket,
    ):
        assert connect.username and connect.client_id and connect.variable_header  # checked by the listener
        self.user: str = connect.username
        self.client_id: str = connect.client_id
        self.keep_alive_s: int = connect.variable_header.keep_alive
        self.last_read = time.monotonic()
        self.is_held = False  # not read at the moment, so that silence says nothing
        self.unread_since: float | None = None  # since when its peer has not read what waits for it
        self.done = asyncio.Event()
        self._is_service = self.user == topic_rules.SERVICE
        self._control = control
        self._reader = reader
        self._writer = writer
        self._packet = data  # CONNECT, which amqtt reads again
        self._at = 0

    async def read(self, n: int = -1) -> bytes:
        """Return exactly n bytes, or b"" at the end of the connection or after a packet that is not allowed."""
        if n == 0:
            return b""
        if self._at == len(self._packet):
            try:
                self._packet = await self._next_packet()
            except packets.BadPacket as error:
                self._control.reject(self.user, counters.BAD_PACKET, str(error))
                self._packet = b""
            except _TooLarge:
                self._control.reject(self.user, counters.TOO_LARGE, f"a packet of more than {MAX_PACKET_BYTES} bytes")
                self._packet = b""
            except (asyncio.IncompleteReadError, OSError):
                self._packet = b""
            self._at = 0
            if not self._packet:
                self._writer.transport.abort()
                return b""
        part = self._packet[self._at : self._at + n]
        self._at += n
        if self._at > len(self._packet):  # amqtt never asks for more than a packet has, once it was checked
            self._at = len(self._packet)
        return part

    async def _next_packet(self):
        """Return the bytes of the next packet. Raises BadPacket, _TooLarge, IncompleteReadError, OSError."""
        head = await self._reader.readexactly(2)
        packets.check_first_byte(head[0])
        length, shift = head[1] & 0x7F, 7
        while head[-1] & 0x80:
            if len(head) > packets.MAX_LENGTH_BYTES:
                raise packets.BadPacket("a length of more than four bytes")
            head += await self._reader.readexactly(1)
            length |= (head[-1] & 0x7F) << shift
            shift += 7
        if length > MAX_PACKET_BYTES:
            raise _TooLarge
        self.last_read = time.monotonic()
        await self._wait_for_room(len(head) + length)
        body = await self._reader.readexactly(length)
        self.last_read = time.monotonic()
        packets.check_body(head[0], body)
        return head + body

    async def _wait_for_room(self, size):
        """Return when the sensor is within its quota and the broker has room for a packet of this size."""
        if self._is_service:
            return
        try:
            is_throttled = False
            for quota, amount in ((quotas.MESSAGES, 1), (quotas.BYTES, size)):
                while (wait_s := self._control.quotas.wait_s(self.user, quota, amount, time.monotonic())) > 0:
                    is_throttled = True
                    await self._hold(min(wait_s, LONGEST_PAUSE_S))
            if is_throttled:
                self._control.count_throttled(self.user)
            while not self._control.has_room(self.client_id):
                await self._hold(WAIT_STEP_S)
        finally:
            self.is_held = False
            self.last_read = time.monotonic()

    async def _hold(self, seconds):
        self.is_held = True
        await asyncio.sleep(seconds)
        if self._writer.transport.is_closing():
            raise ConnectionResetError

    def unwritten_bytes(self) -> int:
        """Return how many bytes wait for the peer to read."""
        return self._writer.transport.get_write_buffer_size()

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    def end(self, reason: str) -> None:
        """End the connection; amqtt then publishes its will."""
        log.info("connection ended", client=self.client_id, why=reason)
        self._writer.transport.abort()


class _TooLarge(Exception):
    """A packet of more than MAX_PACKET_BYTES."""
