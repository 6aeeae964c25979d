"""
The few MQTT 3.1.1 packets that a light device needs, for thousands of connections in one thread.

Not a library's client: a load test cuts connections in the middle of a packet, stops reading, and counts every
acknowledgement, which clients hide.

Source: MQTT 3.1.1, clause 3.
"""

import asyncio
from collections.abc import Callable

CONNACK, PUBLISH, PUBACK, SUBACK, PINGRESP = 2, 3, 4, 9, 13
PINGREQ_PACKET = b"\xc0\x00"
KEEPALIVE_S = 60


def connect_packet(client_id: str, user: str, password: str) -> bytes:
    """Return a CONNECT packet with a clean session."""
    variable = _text("MQTT") + bytes((4, 0xC2)) + KEEPALIVE_S.to_bytes(2, "big")
    return _packet(0x10, variable + _text(client_id) + _text(user) + _text(password))


def publish_packet(topic: str, payload: bytes, packet_id: int, retain: bool = False) -> bytes:
    """Return a PUBLISH packet of QoS 1."""
    return _packet(0x32 | retain, _text(topic) + packet_id.to_bytes(2, "big") + payload)


def subscribe_packet(filters: list[str], packet_id: int) -> bytes:
    """Return a SUBSCRIBE packet for QoS 1."""
    return _packet(0x82, packet_id.to_bytes(2, "big") + b"".join(_text(name) + b"\x01" for name in filters))


def _text(text):
    data = text.encode()
    return len(data).to_bytes(2, "big") + data


def _packet(first, body):
    size, length = len(body), b""
    while True:
        size, digit = divmod(size, 128)
        length += bytes((digit | (0x80 if size else 0),))
        if not size:
            return bytes((first,)) + length + body


class Connection(asyncio.Protocol):
    """
    One connection; `receive(kind, flags, body)` is called for each packet, and `lost()` once at its end.

    Usable as the protocol of loop.create_connection().
    """

    def __init__(self, first: bytes, receive: Callable[[int, int, bytes], None], lost: Callable[[], None]):
        """`first` is sent as soon as the connection stands."""
        self._first = first
        self._receive = receive
        self._lost = lost
        self._buffer = bytearray()
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Send the first packet."""
        assert isinstance(transport, asyncio.Transport)
        self._transport = transport
        transport.write(self._first)

    def connection_lost(self, exc: Exception | None) -> None:
        """Say so."""
        self._transport = None
        self._lost()

    def data_received(self, data: bytes) -> None:
        """Pass on whole packets."""
        self._buffer += data
        at = 0
        while True:
            size, shift, head = 0, 0, at + 1
            while head < len(self._buffer) and shift <= 21:
                size |= (self._buffer[head] & 0x7F) << shift
                shift += 7
                head += 1
                if not self._buffer[head - 1] & 0x80:
                    break
            else:
                break  # the length is not complete
            if head + size > len(self._buffer):
                break
            first = self._buffer[at]
            self._receive(first >> 4, first & 15, bytes(self._buffer[head : head + size]))
            at = head + size
        del self._buffer[:at]

    def write(self, packet: bytes) -> None:
        """Send a packet, if the connection stands."""
        if self._transport:
            self._transport.write(packet)

    def cut(self) -> None:
        """End the connection without a word, as when a sensor loses its network."""
        if self._transport:
            self._transport.abort()

    def stop_reading(self, stop: bool) -> None:
        """Read nothing, or read again."""
        if self._transport:
            (self._transport.pause_reading if stop else self._transport.resume_reading)()
