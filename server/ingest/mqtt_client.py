"""
A paho client whose PUBLISH packets are read by the hundred.

paho makes eight system calls a message and walks through each packet byte by byte; measured,
that is what bounds a consumer in Python, not JSON and not the database. Here one read takes
what the socket has, PUBLISH packets are cut out of it, and paho sees only the rest, through a
socket that looks like any other: connecting, subscribing, keep-alive and sending stay its own.

Source: MQTT 3.1.1, sections 2.2 and 3.3.
"""

import select
from collections import namedtuple

import paho.mqtt.client as mqtt

from ansim.envelope import MAX_MESSAGE_BYTES

READ_BYTES = 1 << 17
# A packet larger than this is no message of ours: its beginning is kept, the rest thrown away as it comes.
MOST_KEPT_BYTES = 1 << 17
_KEPT_PAYLOAD_BYTES = MAX_MESSAGE_BYTES + 1  # enough to see that it is too large
_PUBLISH = 3

# topic    str; "" if it was not UTF-8
# payload  bytes; of a packet that is too large only the first MAX_MESSAGE_BYTES + 1
# mid      packet id to acknowledge; 0 with QoS 0
# retained True: the broker kept it, it is an old message
Delivery = namedtuple("Delivery", ("topic", "payload", "mid", "retained"))


class BadPacket(Exception):
    """What came is not MQTT."""


class Wire:
    """A socket for paho, with a buffer each way, that keeps PUBLISH packets back."""

    def __init__(self, sock):
        self._sock = sock
        self._raw = b""  # read, and not yet a whole packet
        self._skip = 0  # bytes of a too large packet that are still to come
        self._rest = b""  # whole packets for paho
        self._ended = False
        self._out = bytearray()
        self.corked = False

    def deliveries(self) -> list:
        """Read what the socket has; return its PUBLISH packets as Deliveries. Never waits. Raises BadPacket."""
        try:
            data = self._sock.recv(READ_BYTES)
        except (BlockingIOError, InterruptedError, mqtt.ssl.SSLWantReadError):
            return []
        except OSError:
            data = b""
        if not data:
            self._ended = True
            return []
        if self._skip:
            data, self._skip = data[self._skip :], max(0, self._skip - len(data))
        self._raw = self._raw + data if self._raw else data
        return self._cut()

    def _cut(self):
        raw, at, end, found = self._raw, 0, len(self._raw), []
        while end - at >= 2:
            head, length = _length(raw, at, end)
            if head is None:
                break
            body, stop = at + head, at + head + length
            if raw[at] >> 4 == _PUBLISH:
                whole = stop <= end
                if not whole and (length <= MOST_KEPT_BYTES or end - body < MOST_KEPT_BYTES):
                    break
                found.append(_delivery(raw, raw[at], body, stop))
                self._skip = 0 if whole else stop - end
            elif stop <= end:
                self._rest += raw[at:stop]
            else:
                break
            at = stop
        self._raw = raw[at:]
        return found

    def has_more(self) -> bool:
        """True if TLS has decrypted bytes already, which select() does not see."""
        return hasattr(self._sock, "pending") and self._sock.pending() > 0

    def is_for_paho(self) -> bool:
        """True if paho has something to read: a packet, or the end of the connection."""
        return bool(self._rest) or self._ended

    def recv(self, size: int) -> bytes:
        """For paho: the next bytes of packets that are not PUBLISH; b"" at the end; BlockingIOError in between."""
        if not self._rest and not self._ended:
            raise BlockingIOError
        part, self._rest = self._rest[:size], self._rest[size:]
        return part

    def send(self, data) -> int:
        """For paho: send, or keep for flush() while corked."""
        if self.corked:
            self._out += data
            return len(data)
        return self._sock.send(data)

    def flush(self) -> None:
        """Uncork: send everything that was kept, in order. Raises OSError if the link is gone."""
        self.corked = False
        if not self._out:
            return
        data, self._out = bytes(self._out), bytearray()
        # paho keeps its sockets non-blocking; what is kept here is a few kilobytes, so wait for the system to take it.
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
    """paho's client over a Wire. Call turn() instead of loop()."""

    wire = None

    def _create_socket(self):
        # Private to paho 2.2.0 (pinned); tests/integration/test_ingest.py notices when it is no longer called.
        self.wire = Wire(super()._create_socket())
        return self.wire

    def turn(self, timeout_s: float) -> tuple:
        """
        Wait up to timeout_s for the broker; return (Deliveries, paho's error code).

        Anything but MQTT_ERR_SUCCESS means that the connection is gone.
        """
        wire = self.wire
        writes = [wire] if self.want_write() else []
        timeout_s = 0 if wire.has_more() or wire.is_for_paho() else timeout_s
        readable, writable, _ = select.select([wire], writes, [], timeout_s)
        found = []
        try:
            if readable or wire.has_more():
                found = wire.deliveries()
        except BadPacket:
            return found, mqtt.MQTT_ERR_PROTOCOL
        reply = mqtt.MQTT_ERR_SUCCESS
        while reply == mqtt.MQTT_ERR_SUCCESS and wire.is_for_paho():
            reply = self.loop_read()
        if writable and reply == mqtt.MQTT_ERR_SUCCESS:
            reply = self.loop_write()
        return found, reply or self.loop_misc()


def _length(raw, at, end):
    """Return (bytes before the body, length of the body) of the packet at `at`; (None, 0) if not all is there."""
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


def _delivery(raw, first, at, stop):
    begin = at + 2
    has_mid = first & 0x06
    mark = begin + (raw[at] << 8 | raw[at + 1] if begin <= stop else 0)
    if mark + (2 if has_mid else 0) > stop:
        raise BadPacket("a topic longer than its packet")
    topic = raw[begin:mark]
    mid = 0
    if has_mid:
        mid = raw[mark] << 8 | raw[mark + 1]
        mark += 2
    payload = raw[mark : min(stop, mark + _KEPT_PAYLOAD_BYTES)]
    try:
        return Delivery(topic.decode(), payload, mid, bool(first & 1))
    except UnicodeDecodeError:
        return Delivery("", payload, mid, bool(first & 1))
