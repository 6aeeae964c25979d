"""
A paho client that reads PUBLISH packets in bulk.

paho makes eight system calls per message and parses each packet byte by byte; measured, that
limits a consumer in Python, not JSON and not the database. Here one read takes all that the
socket has and PUBLISH packets are cut out of it. paho reads the other packets through an
object that looks like a socket: connecting, subscribing, keep-alive and sending stay with paho.

Source: MQTT 3.1.1, sections 2.2 and 3.3.
"""

import select
import ssl
from typing import NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

from ansim.envelope import MAX_MESSAGE_BYTES

READ_BYTES = 1 << 17
# A larger packet is no message of ours: its beginning is kept, the rest is discarded as it arrives.
MAX_KEPT_BYTES = 1 << 17
_KEPT_PAYLOAD_BYTES = MAX_MESSAGE_BYTES + 1  # enough to tell that it is too large
_PUBLISH = 3


class Publish(NamedTuple):
    """A PUBLISH packet."""

    topic: str  # "" if it was not UTF-8
    payload: bytes  # of a packet that is too large only the first MAX_MESSAGE_BYTES + 1
    packet_id: int  # to acknowledge; 0 with QoS 0
    retained: bool  # True: an old message that the broker has kept


class BadPacket(Exception):
    """The data is not MQTT."""


class BufferedSocket:
    """A socket for paho with a buffer in each direction, which filters out PUBLISH packets."""

    def __init__(self, sock):
        self._sock = sock
        self._raw = b""  # the beginning of a packet that is not complete yet
        self._skip = 0  # bytes of a too large packet that have not arrived yet
        self._rest = b""  # whole packets for paho
        self._ended = False
        self._out = bytearray()
        self.corked = False

    def read_publishes(self) -> list[Publish]:
        """Read what the socket has and return its PUBLISH packets. Never waits. Raises BadPacket."""
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError, ssl.SSLWantReadError):
            return []
        except OSError:
            data = b""
        if not data:
            self._ended = True
            return []
        if self._skip:
            data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        self._raw = self._raw + data if self._raw else data
        return self._split()

    def _split(self):
        raw, at, end, publishes = self._raw, 0, len(self._raw), []
        while end - at >= 2:
            head, length = _packet_length(raw, at, end)
            if head is None:
                break
            body, stop = at + head, at + head + length
            if raw[at] >> 4 == _PUBLISH:
                whole = stop <= end
                if not whole and (length <= MAX_KEPT_BYTES or end - body < MAX_KEPT_BYTES):
                    break
                publishes.append(_publish(raw, raw[at], body, stop))
                self._skip = 0 if whole else stop - end
            elif stop <= end:
                self._rest += raw[at:stop]
            else:
                break
            at = stop
        self._raw = raw[at:]
        return publishes

    def has_more(self) -> bool:
        """True if TLS has decrypted bytes that select() does not see."""
        return hasattr(self._sock, "pending") and self._sock.pending() > 0

    def has_data_for_paho(self) -> bool:
        """True if paho has something to read: a packet, or the end of the connection."""
        return bool(self._rest) or self._ended

    def recv(self, size: int) -> bytes:
        """
        Return bytes of packets that are not PUBLISH, b"" at the end of the connection.

        Raises BlockingIOError if there are none.
        """
        if not self._rest and not self._ended:
            raise BlockingIOError
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def send(self, data: bytes) -> int:
        """Send, or keep the data for flush() while corked."""
        if self.corked:
            self._out += data
            return len(data)
        return self._sock.send(data)

    def flush(self) -> None:
        """Uncork: send all that was kept, in order. Raises OSError if the connection is lost."""
        self.corked = False
        if not self._out:
            return
        data, self._out = bytes(self._out), bytearray()
        # paho's sockets are non-blocking. These are a few kilobytes, so wait until the system takes them.
        self._sock.settimeout(10)
        try:
            self._sock.sendall(data)
        finally:
            self._sock.setblocking(False)

    def fileno(self) -> int:
        return self._sock.fileno()

    def __getattr__(self, name):
        return getattr(self._sock, name)


class Client(mqtt.Client):
    """paho's client over a BufferedSocket. Call poll() instead of loop()."""

    buffered: BufferedSocket  # since connect()

    def _create_socket(self):
        # Private to paho 2.2.0 (pinned); tests/integration/test_ingest.py notices when it is no longer called.
        self.buffered = BufferedSocket(super()._create_socket())  # pyright: ignore[reportAttributeAccessIssue]
        return self.buffered

    def poll(self, timeout_s: float) -> tuple[list[Publish], MQTTErrorCode]:
        """
        Wait up to timeout_s for the broker; return (PUBLISH packets, paho's error code).

        Any code but MQTT_ERR_SUCCESS means that the connection is lost.
        """
        sock = self.buffered
        writes = [sock] if self.want_write() else []
        timeout_s = 0 if sock.has_more() or sock.has_data_for_paho() else timeout_s
        readable, writable, _ = select.select([sock], writes, [], timeout_s)
        publishes = []
        try:
            if readable or sock.has_more():
                publishes = sock.read_publishes()
        except BadPacket:
            return publishes, mqtt.MQTT_ERR_PROTOCOL
        error = mqtt.MQTT_ERR_SUCCESS
        while error == mqtt.MQTT_ERR_SUCCESS and sock.has_data_for_paho():
            error = self.loop_read()
        if writable and error == mqtt.MQTT_ERR_SUCCESS:
            error = self.loop_write()
        return publishes, error or self.loop_misc()


def _packet_length(raw, at, end):
    """
    Return (bytes before the body, length of the body) of the packet at `at`; (None, 0) if its header is incomplete.
    """
    length, head, shift = raw[at + 1] & 0x7F, 2, 7
    while raw[at + head - 1] & 0x80:
        if head == 5:
            raise BadPacket("a length of more than four bytes")
        if at + head >= end:
            return None, 0
        length |= (raw[at + head] & 0x7F) << shift
        head += 1
        shift += 7
    return head, length


def _publish(raw, flags, at, stop):
    begin = at + 2
    has_packet_id = flags & 0x06
    mark = begin + (raw[at] << 8 | raw[at + 1] if begin <= stop else 0)
    if mark + (2 if has_packet_id else 0) > stop:
        raise BadPacket("a topic longer than its packet")
    topic = raw[begin:mark]
    packet_id = 0
    if has_packet_id:
        packet_id = raw[mark] << 8 | raw[mark + 1]
        mark += 2
    payload = raw[mark : min(stop, mark + _KEPT_PAYLOAD_BYTES)]
    try:
        return Publish(topic.decode(), payload, packet_id, bool(flags & 1))
    except UnicodeDecodeError:
        return Publish("", payload, packet_id, bool(flags & 1))
