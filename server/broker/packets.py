"""
MQTT packets as the listener checks them before amqtt reads them.

amqtt 0.12.1 logs a traceback for some malformed packets, ends a connection without a reason for others, and keeps a
QoS 2 message until its sender releases it. Sensors and ingest need none of that: what is not listed here is an error.

Source: MQTT 3.1.1, chapters 2 and 3.
"""

import struct

CONNECT, PUBLISH, PUBACK, SUBSCRIBE, UNSUBSCRIBE, PINGREQ, DISCONNECT = 1, 3, 4, 8, 10, 12, 14
_FLAGS = {PUBACK: 0, SUBSCRIBE: 2, UNSUBSCRIBE: 2, PINGREQ: 0, DISCONNECT: 0}  # of the others a client may send
_BODY_BYTES = {PUBACK: 2, PINGREQ: 0, DISCONNECT: 0}
MAX_FILTERS = 32  # in one SUBSCRIBE
MAX_LENGTH_BYTES = 4
_SHORT = struct.Struct(">H")


class BadPacket(Exception):
    """The packet is not one that a client of ours may send; the text says why."""


def check_first_byte(byte: int) -> None:
    """Check type and flags of a packet after CONNECT. Raises BadPacket."""
    kind, flags = byte >> 4, byte & 0x0F
    if kind == PUBLISH:
        if flags & 0x06 > 2:
            raise BadPacket("QoS 2 is not offered")
    elif _FLAGS.get(kind) != flags:
        raise BadPacket("a type or flags that no client sends")


def check_body(byte: int, body: bytes) -> None:
    """Check the content of a packet whose first byte was checked. Raises BadPacket."""
    kind = byte >> 4
    if kind == PUBLISH:
        _check_publish(byte & 0x06, body)
    elif kind in (SUBSCRIBE, UNSUBSCRIBE):
        _check_filters(body, has_qos=kind == SUBSCRIBE)
    elif len(body) != _BODY_BYTES[kind]:
        raise BadPacket("a length that does not fit its type")


def _check_publish(qos, body):
    topic, at = _text(body, 0)
    if not topic or "+" in topic or "#" in topic:
        raise BadPacket("a topic with a wildcard, or none")
    if qos:
        _check_packet_id(body, at)


def _check_filters(body, has_qos):
    _check_packet_id(body, 0)
    at, count = 2, 0
    while at < len(body):
        topic, at = _text(body, at)
        count += 1
        if not topic or count > MAX_FILTERS:
            raise BadPacket("an empty topic, or too many")
        if has_qos:
            if at >= len(body) or body[at] > 2:
                raise BadPacket("a QoS above 2")
            at += 1
    if not count:
        raise BadPacket("no topic")


def _check_packet_id(body, at):
    if len(body) < at + 2 or not _SHORT.unpack_from(body, at)[0]:
        raise BadPacket("no packet id")


def _text(body, at):
    """Return (text, where it ends)."""
    begin = at + 2
    if len(body) < begin:
        raise BadPacket("a text that is cut off")
    end = begin + _SHORT.unpack_from(body, at)[0]
    if end > len(body):
        raise BadPacket("a text longer than its packet")
    try:
        text = body[begin:end].decode()
    except UnicodeDecodeError:
        raise BadPacket("a text that is not UTF-8") from None
    if "\0" in text:
        raise BadPacket("a text with U+0000")
    return text, end
