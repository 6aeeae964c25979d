"""
The broker's listener: authenticates connections before amqtt sees them.

amqtt 0.12.1 takes over or deletes a session before it checks the password, does not limit connections or packets,
does not notice silent clients, and accepts a last will on any topic. So this module limits and ends connections from
before their TLS handshake, reads and checks the CONNECT packet, and gives amqtt a Connection that checks the rest.
"""

import asyncio
import contextlib
import ssl
import struct
import time

import structlog
from amqtt.adapters import BufferReader, StreamWriterAdapter
from amqtt.errors import AMQTTError, CodecError, MQTTError, NoDataError
from amqtt.mqtt.connect import ConnectPacket
from sqlalchemy.exc import SQLAlchemyError

from server import addresses
from server.broker import authentication, login_queue, topic_rules
from server.broker.amqtt_plugin import EmbeddedBroker
from server.broker.authentication import Authenticator
from server.broker.connection import Connection, Control
from server.broker.login_queue import LoginQueue
from server.broker.unauthenticated_limits import Strangers
from server.ingest.rejections import Rejections
from server.services.intake import counters
from server.services.intake.quotas import Quotas

AMQTT_LISTENER = "default"  # name of the only entry in amqtt's configuration
MAX_CONNECT_BYTES = 4096
HANDSHAKE_WITHIN_S = 10  # an ESP32 takes one to three seconds
CONNECT_WITHIN_S = 10
TAKEOVER_S = 3  # longest wait for the earlier connection of the same client to end
END_S = 3  # longest wait for connections to end when the broker stops
KEEP_ALIVE_FACTOR = 1.5  # MQTT 3.1.1, section 3.1.2.10
WATCH_EVERY_S = 1
UNREAD_BYTES = 65536  # asyncio's high-water mark: above it, amqtt's tasks wait for the peer to read ...
UNREAD_S = 30  # ... and after this time the connection is ended
_CONNECT = 0x10
_UNAVAILABLE = b"\x20\x02\x00\x03"  # CONNACK, code 3
_NOT_AUTHORISED = b"\x20\x02\x00\x05"  # CONNACK, code 5
_BAD_VERSION = b"\x20\x02\x00\x01"  # CONNACK, code 1
_MQTT_5, _VERSION_5_TEXT = 5, b"This broker speaks MQTT 3.1.1, not MQTT 5."
_REASON_STRING = 0x1F  # a property of MQTT 5

log = structlog.get_logger()


class _Refused(Exception):
    """A CONNECT is rejected."""

    def __init__(self, detail: str, user: str = "", answer: bytes = _NOT_AUTHORISED):
        super().__init__(detail)
        self.user = user  # the enrolled sensor that it names, or ""
        self.answer = answer


class Listener:
    """Accepts, authenticates and ends connections."""

    def __init__(self, authenticator: Authenticator, quotas: Quotas, strangers: Strangers | None = None):
        self._authenticator = authenticator
        self._logins = LoginQueue(authenticator)
        self._quotas = quotas
        self._strangers = strangers or Strangers()
        self._broker: EmbeddedBroker = None  # pyright: ignore[reportAttributeAccessIssue]  # set by start()
        self._server: asyncio.Server = None  # pyright: ignore[reportAttributeAccessIssue]  # set by start()
        self._tls: ssl.SSLContext | None = None
        self._writers: dict[asyncio.Task, asyncio.StreamWriter] = {}  # by task, of all connections
        self._connections: dict[str, Connection] = {}  # authenticated ones by client id
        self._rejections = Rejections()
        self._control: Control = None  # pyright: ignore[reportAttributeAccessIssue]  # set by start()
        self._is_database_away = False

    async def start(self, broker: EmbeddedBroker, host: str, port: int, tls: ssl.SSLContext | None = None) -> None:
        """Listen. Raises OSError if the port is taken."""
        self._broker = broker
        self._tls = tls
        self._control = Control(self._quotas, broker.has_room, self.reject, self._count_throttled)
        # TLS begins in _accept(): asyncio's own would start a handshake for any number of connections.
        listening = addresses.listen(host, port)
        self._server = await asyncio.start_server(self._handle_connection, sock=listening, limit=1 << 16)

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
        self._rejections.add(reason, user, detail, time.monotonic())

    def _count_throttled(self, user):
        self._rejections.add(counters.THROTTLED, user, "over its quota; read more slowly", time.monotonic())

    async def watch(self) -> None:
        """
        Run for ever: end connections of silent, revoked and unreading clients, write the counts to the database.

        Without the database nothing is ended or written; both are made up for when it answers again.
        """
        while True:
            await asyncio.sleep(WATCH_EVERY_S)
            self._end_silent(time.monotonic())
            try:
                await self._end_revoked()
                await self.write_counts()
            except SQLAlchemyError as error:
                if not self._is_database_away:
                    log.warning("the database does not answer; trying again", error=type(error).__name__)
                self._is_database_away = True
            else:
                self._is_database_away = False

    def _end_silent(self, now: float) -> None:
        for connection in list(self._connections.values()):
            keep_alive_s = connection.keep_alive_s * KEEP_ALIVE_FACTOR
            if keep_alive_s and now - connection.last_read > keep_alive_s and not connection.is_held:
                connection.end("silent")
            elif connection.unwritten_bytes() <= UNREAD_BYTES or connection.user == topic_rules.SERVICE:
                connection.unread_since = None  # ingest reads in bulk; if it hangs, it falls silent
            elif connection.unread_since is None:
                connection.unread_since = now
            elif now - connection.unread_since > UNREAD_S:
                connection.end("does not read")

    async def _end_revoked(self):
        names = [connection.user for connection in self._connections.values()]
        sensors = sorted(set(names) - {topic_rules.SERVICE, topic_rules.READER})
        for name in await asyncio.to_thread(self._authenticator.list_revoked, sensors):
            if name in self._connections:
                self._connections[name].end("revoked")

    async def write_counts(self) -> None:
        """Add the counts of rejections to the database. Raises SQLAlchemyError; then they are kept."""
        counts = self._rejections.take_counts()
        if not counts:
            return
        try:
            await asyncio.to_thread(self._authenticator.add_counts, counts)
        except SQLAlchemyError:
            self._rejections.counts.update(counts)
            raise

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
        except (OSError, TimeoutError):
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
        peer = writer.get_extra_info("peername")
        network = addresses.network_of(peer[0]) if peer else ""
        self._strangers.add(network, writer, lambda: writer.transport.abort())
        try:
            if self._tls:
                await self._shake_hands(writer)
            async with asyncio.timeout(CONNECT_WITHIN_S):
                data, packet = await _read_connect(reader)
            # What is left is this broker's work: the client does not lose its place for it.
            self._strangers.remove(network, writer)
            await self._check(packet, network)
        except _Refused as refusal:
            self.reject(refusal.user, counters.REFUSED_LOGIN, str(refusal))
            if refusal.answer:
                writer.write(refusal.answer)
                async with asyncio.timeout(CONNECT_WITHIN_S):
                    await writer.drain()
            return None
        except (TimeoutError, asyncio.IncompleteReadError, OSError):
            return None
        finally:
            self._strangers.remove(network, writer)
        return await self._take_over(Connection(self._control, reader, writer, data, packet))

    async def _shake_hands(self, writer):
        if writer.transport.is_closing():
            raise ConnectionAbortedError  # dropped before its turn came; start_tls() raises TypeError then
        transport = writer.transport
        try:
            await writer.start_tls(self._tls, ssl_handshake_timeout=HANDSHAKE_WITHIN_S)
        except ssl.SSLError:
            raise _Refused("it speaks no TLS, or does not accept the certificate", answer=b"") from None
        except AttributeError:
            # Python 3.11: of a connection that ends during its handshake, asyncio has no transport left.
            writer._transport = transport
            raise ConnectionAbortedError from None

    async def _take_over(self, connection):
        """End the earlier connection of the same client; return the new one."""
        earlier = self._connections.get(connection.client_id)
        self._connections[connection.client_id] = connection
        if earlier:
            # Its will must be published before the first message of the new connection.
            earlier.end("taken over")
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(earlier.done.wait(), TAKEOVER_S)
        return connection

    async def _check(self, packet, network):
        """Raise _Refused if a CONNECT is rejected."""
        user, password = packet.username, packet.password
        if not user or password is None:
            raise _Refused("no user name or password")
        try:
            found = await self._logins.check(network, user, password)
        except login_queue.Busy:
            raise _Refused("too many logins at a time", answer=_UNAVAILABLE) from None
        except SQLAlchemyError:
            raise _Refused("the database does not answer", answer=_UNAVAILABLE) from None
        if found == authentication.UNKNOWN:
            raise _Refused("no sensor of that name is enrolled, or it is revoked")
        if found != authentication.RIGHT:
            raise _Refused("wrong password", user)
        if not topic_rules.client_id_fits(user, packet.client_id):
            raise _Refused("the client id is not the user's", user)
        if packet.will_flag and (packet.will_qos > 1 or not topic_rules.may_write(user, packet.will_topic)):
            raise _Refused("a last will with QoS 2, or on a topic of another device", user)


async def _read_connect(reader):
    """Return (bytes, ConnectPacket) of the first packet. Raises _Refused if it is none."""
    head = await reader.readexactly(2)
    length, shift = head[1] & 0x7F, 7
    while head[0] == _CONNECT and head[-1] & 0x80 and shift <= 21:
        head += await reader.readexactly(1)
        length |= (head[-1] & 0x7F) << shift
        shift += 7
    if head[0] != _CONNECT or head[-1] & 0x80 or length > MAX_CONNECT_BYTES:
        raise _Refused("the first packet is not an MQTT CONNECT", answer=b"")
    data = head + await reader.readexactly(length)
    _check_version(data[len(head) :])
    packet = await _parse_connect(data)
    if packet is None:
        raise _Refused("the first packet is not an MQTT CONNECT", answer=b"")
    return data, packet


def _check_version(body: bytes) -> None:
    """Raise _Refused for a version other than MQTT 3.1.1, with an answer that a client of that version reads."""
    size = int.from_bytes(body[:2])
    name, version = body[2 : 2 + size], body[2 + size : 3 + size]
    if name == b"MQTT" and version and version[0] >= _MQTT_5:
        text = bytes((_REASON_STRING,)) + len(_VERSION_5_TEXT).to_bytes(2) + _VERSION_5_TEXT
        # MQTT 5, section 3.2: no session, reason 0x84 (Unsupported Protocol Version), and why.
        answer = bytes((0x00, 0x84, len(text))) + text
        raise _Refused("MQTT 5 or newer", answer=bytes((0x20, len(answer))) + answer)
    if (name == b"MQTT" and version != b"\x04") or name == b"MQIsdp":
        raise _Refused("an MQTT version other than 3.1.1", answer=_BAD_VERSION)


async def _parse_connect(data):
    try:
        packet = await ConnectPacket.from_stream(BufferReader(data))
        return packet if packet.proto_name == "MQTT" and packet.client_id else None
    except (AMQTTError, CodecError, MQTTError, NoDataError, UnicodeDecodeError, ValueError, struct.error):
        return None
