"""
The gate in front of amqtt.

amqtt 0.12.1 takes over a session, or deletes it, before it has checked the password; has no
limit on sizes; never notices that a client has fallen silent; and lets a client leave a last
will on any topic. So nobody reaches it before the CONNECT packet was read and checked here,
and what comes afterwards is measured on the way.
"""

import asyncio
import contextlib
import struct
import time

import structlog
from amqtt.adapters import BufferReader, ReaderAdapter, StreamWriterAdapter
from amqtt.errors import AMQTTError, CodecError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket

from ansim.envelope import MAX_MESSAGE_BYTES
from server import clock
from server.broker import topic_rules
from server.ingest.rejections import Refusals
from server.services.intake import counters

LISTENER = "default"
MOST_CONNECT_BYTES = 4096
MOST_PACKET_BYTES = MAX_MESSAGE_BYTES + 1024  # topic and packet id come on top
CONNECT_WITHIN_S = 10
MOST_STRANGERS = 200  # connections that have not yet said who they are
TAKEOVER_S = 3  # longest wait for the earlier connection of the same client to end
END_S = 3  # longest wait for the connections to end when the broker stops
PATIENCE = 1.5  # times the keep-alive, as MQTT 3.1.1 section 3.1.2.10 says
WATCH_EVERY_S = 1
_CONNECT = 0x10
_NOT_AUTHORISED = b"\x20\x02\x00\x05"  # CONNACK, code 5

log = structlog.get_logger()


class Gate:
    """Checks who connects, and ends connections."""

    def __init__(self, doorman):
        self._doorman = doorman
        self._broker = None
        self._server = None
        self._coming = {}  # task -> writer, one for each connection, admitted or not
        self._open = {}  # client id -> Visit
        self._strangers = 0
        self._refusals = Refusals()
        self._asked_s = clock.now_s()

    async def start(self, broker, host: str, port: int, tls=None) -> None:
        """Listen. Raises OSError if the port is taken."""
        self._broker = broker
        self._server = await asyncio.start_server(self._come, host, port, ssl=tls, limit=1 << 16)

    def close(self) -> None:
        """Listen no longer; who is connected stays until end()."""
        self._server.close()

    async def end(self) -> None:
        """
        End every connection that is still there; return when all are put away, after END_S at the latest.

        Closing them is enough and quiet; cancelling their tasks makes Python 3.11's asyncio write tracebacks.
        """
        for writer in self._coming.values():
            writer.transport.abort()
        if self._coming:
            await asyncio.wait(self._coming, timeout=END_S)

    def has_admitted(self, client_id: str, user: str) -> bool:
        """True while this client's connection, checked at the gate, is open."""
        visit = self._open.get(client_id)
        return visit is not None and visit.user == user

    def refuse(self, user: str, what: str, detail: str) -> None:
        """Count something that is not allowed; log the first of its kind for a while."""
        self._refusals.add(what, user, detail, clock.now_s())

    async def watch(self) -> None:
        """For ever: end connections of the silent and the revoked, write the counts down."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            now = time.monotonic()
            for visit in list(self._open.values()):
                if visit.keep_alive_s and now - visit.heard > visit.keep_alive_s * PATIENCE:
                    visit.end("silent")
            since, self._asked_s = self._asked_s, clock.now_s()
            for name in await asyncio.to_thread(self._doorman.revoked_since, since):
                if name in self._open:
                    self._open[name].end("revoked")
            await self.write_counts()

    async def write_counts(self) -> None:
        """Add what was counted to the database."""
        counts = self._refusals.take_counts()
        if counts:
            await asyncio.to_thread(self._doorman.tally, counts)

    async def _come(self, reader, writer):
        """One connection, from its first byte to its end."""
        visit = None
        task = asyncio.current_task()
        self._coming[task] = writer
        try:
            visit = await self._admit(reader, writer)
            if visit:
                await self._broker.external_connected(visit, StreamWriterAdapter(writer), LISTENER)
        except (ConnectionError, TimeoutError):
            pass  # the other side went away
        finally:
            if visit:
                visit.done.set()
                if self._open.get(visit.client_id) is visit:
                    del self._open[visit.client_id]
            writer.transport.abort()
            del self._coming[task]

    async def _admit(self, reader, writer):
        """Read and check the CONNECT packet; return the Visit, or None if this one has to go."""
        if self._strangers >= MOST_STRANGERS:
            return None
        self._strangers += 1
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                first = await _first_packet(reader)
                packet = await _parse(first) if first else None
                if packet is None:
                    self.refuse("", counters.REFUSED_LOGIN, "the first packet is not an MQTT CONNECT")
                    return None
                problem = await self._problem(packet)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return None
        finally:
            self._strangers -= 1
        if problem:
            self.refuse(packet.username or "", counters.REFUSED_LOGIN, problem)
            writer.write(_NOT_AUTHORISED)
            await writer.drain()
            return None
        visit = Visit(self, reader, writer, first, packet)
        earlier = self._open.get(visit.client_id)
        self._open[visit.client_id] = visit
        if earlier:
            # Its will must be out before the new connection says that it is there.
            earlier.end("taken over")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(earlier.done.wait(), TAKEOVER_S)
        return visit

    async def _problem(self, packet):
        """What is wrong with a CONNECT, or None."""
        user, password = packet.username, packet.password
        if not user or password is None:
            return "no user name or password"
        if not topic_rules.client_id_fits(user, packet.client_id):
            return "the client id is not the user's"
        if packet.will_flag and not topic_rules.may_write(user, packet.will_topic or ""):
            return "the will is for a topic of somebody else"
        if not await asyncio.to_thread(self._doorman.admits, user, password):
            return "wrong name or password, or revoked"
        return None


class Visit(ReaderAdapter):
    """An admitted connection: what amqtt reads from. Counts packets' sizes on the way."""

    def __init__(self, gate, reader, writer, first, packet):
        self.user = packet.username
        self.client_id = packet.client_id
        self.keep_alive_s = packet.variable_header.keep_alive
        self.heard = time.monotonic()
        self.done = asyncio.Event()
        self._gate = gate
        self._reader = reader
        self._writer = writer
        self._buffer = first
        self._at = 0
        self._header = _Header()

    async def read(self, n: int = -1) -> bytes:
        """Exactly n bytes, or b"" at the end of the connection or of our patience."""
        if n == 0:
            return b""
        while len(self._buffer) - self._at < n:
            more = await self._reader.read(1 << 16)
            if not more:
                return b""
            self.heard = time.monotonic()
            self._buffer = self._buffer[self._at :] + more
            self._at = 0
        part = self._buffer[self._at : self._at + n]
        self._at += n
        if not self._header.follow(part):
            self._gate.refuse(self.user, counters.TOO_LARGE, f"a packet of more than {MOST_PACKET_BYTES} bytes")
            self._writer.transport.abort()
            return b""
        return part

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    def end(self, why: str) -> None:
        """End the connection; amqtt then publishes its will."""
        log.info("connection ended", client=self.client_id, why=why)
        self._writer.transport.abort()


class _Header:
    """Follows MQTT's framing: one byte of type, one to four of length, then so many bytes."""

    def __init__(self):
        self._left = 0  # of the packet's body
        self._shift = None  # None: the next byte is a type; else where the next length byte goes

    def follow(self, data: bytes) -> bool:
        """Take the next bytes; False if they begin a packet that is too large."""
        at = 0
        while at < len(data):
            if self._left:
                step = min(self._left, len(data) - at)
                self._left -= step
                at += step
            elif self._shift is None:
                self._shift, self._length = 0, 0
                at += 1
            else:
                byte = data[at]
                at += 1
                self._length |= (byte & 0x7F) << self._shift
                self._shift += 7
                if self._length > MOST_PACKET_BYTES or self._shift > 28:
                    return False
                if not byte & 0x80:
                    self._left, self._shift = self._length, None
        return True


async def _first_packet(reader):
    """Return the bytes of the first packet, or None if it is no CONNECT or too long."""
    head = await reader.readexactly(2)
    if head[0] != _CONNECT:
        return None
    length, shift = head[1] & 0x7F, 7
    while head[-1] & 0x80:
        head += await reader.readexactly(1)
        length |= (head[-1] & 0x7F) << shift
        shift += 7
        if shift > 28:
            return None
    if length > MOST_CONNECT_BYTES:
        return None
    return head + await reader.readexactly(length)


async def _parse(first):
    try:
        packet = await ConnectPacket.from_stream(BufferReader(first))
        return packet if packet.proto_name == "MQTT" and packet.client_id else None
    except (AMQTTError, CodecError, MQTTError, NoDataError, UnicodeDecodeError, ValueError, struct.error):
        return None
