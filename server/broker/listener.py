"""
The broker's listener: authenticates connections before amqtt sees them.

amqtt 0.12.1 takes over or deletes a session before it checks the password, does not limit
packet sizes, does not notice silent clients, and accepts a last will on any topic. So this
module reads and checks the CONNECT packet first, and measures all later packets.
"""

import asyncio
import contextlib
import ssl
import struct
import time

import structlog
from amqtt.adapters import BufferReader, ReaderAdapter, StreamWriterAdapter
from amqtt.broker import Broker
from amqtt.errors import AMQTTError, CodecError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket

from ansim import topics
from ansim.envelope import MAX_MESSAGE_BYTES
from server import clock
from server.broker import topic_rules
from server.broker.authentication import Authenticator
from server.ingest.rejections import Rejections
from server.services.intake import counters

AMQTT_LISTENER = "default"  # name of the only entry in amqtt's configuration
MAX_CONNECT_BYTES = 4096
MAX_PACKET_BYTES = MAX_MESSAGE_BYTES + 1024  # with topic and packet id
CONNECT_WITHIN_S = 10
MAX_UNAUTHENTICATED = 200  # connections that are not authenticated yet
TAKEOVER_S = 3  # longest wait for the earlier connection of the same client to end
END_S = 3  # longest wait for connections to end when the broker stops
KEEP_ALIVE_FACTOR = 1.5  # MQTT 3.1.1, section 3.1.2.10
WATCH_EVERY_S = 1
_CONNECT = 0x10
_NOT_AUTHORISED = b"\x20\x02\x00\x05"  # CONNACK, code 5

log = structlog.get_logger()


class Listener:
    """Accepts, authenticates and ends connections."""

    def __init__(self, authenticator: Authenticator):
        self._authenticator = authenticator
        self._broker: Broker = None  # pyright: ignore[reportAttributeAccessIssue]  # set by start()
        self._server: asyncio.Server = None  # pyright: ignore[reportAttributeAccessIssue]  # set by start()
        self._writers: dict[asyncio.Task, asyncio.StreamWriter] = {}  # by task, of all connections
        self._connections: dict[str, Connection] = {}  # authenticated ones by client id
        self._unauthenticated = 0
        self._rejections = Rejections()
        self._revocations_read_s = clock.now_s()

    async def start(self, broker: Broker, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen. Raises OSError if the port is taken."""
        self._broker = broker
        self._server = await asyncio.start_server(self._handle_connection, host, port, ssl=tls, limit=1 << 16)

    def close(self) -> None:
        """Stop listening; open connections stay until end_connections()."""
        self._server.close()

    async def end_connections(self) -> None:
        """
        End all connections; return when their tasks have ended, after END_S at the latest.

        The transports are aborted because cancelling the tasks makes Python 3.11's asyncio log tracebacks.
        """
        for writer in self._writers.values():
            writer.transport.abort()
        if self._writers:
            await asyncio.wait(self._writers, timeout=END_S)

    def is_authenticated(self, client_id: str | None, user: str | None) -> bool:
        """Return True while an authenticated connection of this client is open."""
        connection = self._connections.get(client_id or "")
        return connection is not None and connection.user == user

    def reject(self, user: str, reason: str, detail: str) -> None:
        """Count a rejected login, topic or packet, and log it if none of its kind was logged lately."""
        self._rejections.add(reason, user, detail, clock.now_s())

    async def watch(self) -> None:
        """Run for ever: end connections of silent and revoked clients, write the counts to the database."""
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            now = time.monotonic()
            for connection in list(self._connections.values()):
                keep_alive_s = connection.keep_alive_s
                if keep_alive_s and now - connection.last_read > keep_alive_s * KEEP_ALIVE_FACTOR:
                    connection.end("silent")
            since_s, self._revocations_read_s = self._revocations_read_s, clock.now_s()
            for name in await asyncio.to_thread(self._authenticator.revoked_since, since_s):
                if name in self._connections:
                    self._connections[name].end("revoked")
            await self.write_counts()

    async def write_counts(self) -> None:
        """Add the counts of rejections to the database."""
        counts = self._rejections.take_counts()
        if counts:
            await asyncio.to_thread(self._authenticator.add_counts, counts)

    async def _handle_connection(self, reader, writer):
        """Serve one connection, from its first byte to its end."""
        connection = None
        task = asyncio.current_task()
        assert task is not None
        self._writers[task] = writer
        try:
            connection = await self._accept(reader, writer)
            if connection:
                await self._broker.external_connected(connection, StreamWriterAdapter(writer), AMQTT_LISTENER)
        except (ConnectionError, TimeoutError):
            pass  # the client has disconnected
        finally:
            if connection:
                connection.done.set()
                if self._connections.get(connection.client_id) is connection:
                    del self._connections[connection.client_id]
            writer.transport.abort()
            del self._writers[task]

    async def _accept(self, reader, writer):
        """Read and check the CONNECT packet; return the Connection, or None if it is rejected."""
        if self._unauthenticated >= MAX_UNAUTHENTICATED:
            return None
        self._unauthenticated += 1
        try:
            async with asyncio.timeout(CONNECT_WITHIN_S):
                data = await _read_connect(reader)
                packet = await _parse_connect(data) if data else None
                if data is None or packet is None:
                    self.reject("", counters.REFUSED_LOGIN, "the first packet is not an MQTT CONNECT")
                    return None
                problem = await self._problem(packet)
        except (TimeoutError, asyncio.IncompleteReadError, ConnectionError):
            return None
        finally:
            self._unauthenticated -= 1
        if problem:
            user = packet.username or ""
            is_name = topics.is_device(user) or user == topic_rules.SERVICE
            self.reject(user if is_name else "", counters.REFUSED_LOGIN, problem)
            writer.write(_NOT_AUTHORISED)
            await writer.drain()
            return None
        connection = Connection(self, reader, writer, data, packet)
        earlier = self._connections.get(connection.client_id)
        self._connections[connection.client_id] = connection
        if earlier:
            # Its will must be published before the first message of the new connection.
            earlier.end("taken over")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(earlier.done.wait(), TAKEOVER_S)
        return connection

    async def _problem(self, packet):
        """Return why a CONNECT is rejected, or None."""
        user, password = packet.username, packet.password
        if not user or password is None:
            return "no user name or password"
        if not topic_rules.client_id_fits(user, packet.client_id):
            return "the client id is not the user's"
        if packet.will_flag and not topic_rules.may_write(user, packet.will_topic or ""):
            return "the will is for another user's topic"
        if not await asyncio.to_thread(self._authenticator.is_password_of, user, password):
            return "wrong name or password, or revoked"
        return None


class Connection(ReaderAdapter):
    """An authenticated connection, which amqtt reads from. Checks the packets' sizes."""

    def __init__(
        self,
        listener: Listener,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        data: bytes,
        connect: ConnectPacket,
    ):
        assert connect.username and connect.client_id and connect.variable_header  # checked by _accept()
        self.user: str = connect.username
        self.client_id: str = connect.client_id
        self.keep_alive_s: int = connect.variable_header.keep_alive
        self.last_read = time.monotonic()
        self.done = asyncio.Event()
        self._listener = listener
        self._reader = reader
        self._writer = writer
        self._buffer = data
        self._at = 0
        self._framing = _Framing()

    async def read(self, n: int = -1) -> bytes:
        """Return exactly n bytes, or b"" at the end of the connection or if a packet is too large."""
        if n == 0:
            return b""
        while len(self._buffer) - self._at < n:
            data = await self._reader.read(1 << 16)
            if not data:
                return b""
            self.last_read = time.monotonic()
            self._buffer = self._buffer[self._at :] + data
            self._at = 0
        part = self._buffer[self._at : self._at + n]
        self._at += n
        if not self._framing.feed(part):
            self._listener.reject(self.user, counters.TOO_LARGE, f"a packet of more than {MAX_PACKET_BYTES} bytes")
            self._writer.transport.abort()
            return b""
        return part

    def feed_eof(self) -> None:
        self._reader.feed_eof()

    def end(self, reason: str) -> None:
        """End the connection; amqtt then publishes its will."""
        log.info("connection ended", client=self.client_id, why=reason)
        self._writer.transport.abort()


class _Framing:
    """Parses MQTT's framing: one byte of type, one to four of length, then so many bytes."""

    def __init__(self):
        self._left = 0  # bytes of the packet's body that are still to come
        self._length = 0
        self._shift: int | None = None  # of the next length byte; None: the next byte is a type

    def feed(self, data: bytes) -> bool:
        """Parse the next bytes; return False if they begin a packet that is too large."""
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
                if self._length > MAX_PACKET_BYTES or self._shift > 28:
                    return False
                if not byte & 0x80:
                    self._left, self._shift = self._length, None
        return True


async def _read_connect(reader):
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
    if length > MAX_CONNECT_BYTES:
        return None
    return head + await reader.readexactly(length)


async def _parse_connect(data):
    try:
        packet = await ConnectPacket.from_stream(BufferReader(data))
        return packet if packet.proto_name == "MQTT" and packet.client_id else None
    except (AMQTTError, CodecError, MQTTError, NoDataError, UnicodeDecodeError, ValueError, struct.error):
        return None
