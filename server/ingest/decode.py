"""
From what the broker delivered to a checked message of a known sensor, or the reason why it is dropped.

    letter = read(keyring, topic, payload, now_s)       # raises Bad
"""

import json
from collections import namedtuple
from functools import lru_cache

from ansim import messages, topics
from ansim.decode import BadMessage, UnknownVersion, decode_message
from ansim.downlink_rules import MAX_COUNT
from ansim.envelope import BadEnvelope
from server import envelope_signer
from server.ingest import fast_decode
from server.ingest.keyring import Keyring
from server.services.intake import counters, store


class Letter(namedtuple("Letter", ("sensor", "leaf", "message", "body"))):
    """
    sensor   keyring.Entry
    leaf     topics.STATE, INFO, REPORT, LIVE or ACK
    message  the decoded and checked message
    body     its exact JSON bytes
    """

    __slots__ = ()

    @property
    def sensor_id(self) -> int:
        """So that a report's letter can go to services/reports.py as it is."""
        return self.sensor.id


class Bad(Exception):
    """
    The message is dropped.

    why     a word of tally.BAD
    sensor  name of the enrolled sensor on whose topic it came, or ""
    detail  what exactly, without anything from the message's content
    """

    def __init__(self, why: str, sensor: str, detail: str):
        super().__init__(detail)
        self.why = why
        self.sensor = sensor
        self.detail = detail


def read(keyring: Keyring, topic: str, payload: bytes, now_s: int) -> Letter:
    """Return the message that came on a topic. Raises Bad."""
    try:
        name, leaf = _parse(topic)
    except topics.BadTopic:
        raise Bad(counters.BAD_TOPIC, "", "not a topic of ours") from None
    if leaf not in topics.FROM_SENSOR:
        raise Bad(counters.BAD_TOPIC, "", "a topic that only the server writes")
    sensor = keyring.find(name, now_s)
    if sensor is None:
        raise Bad(counters.UNKNOWN_SENSOR, "", "no sensor of that name is enrolled")
    if sensor.revoked:
        raise Bad(counters.REVOKED, name, "the sensor is revoked")
    body = _unseal(keyring, sensor, topic, payload, now_s)
    try:
        message = (fast_decode.decode(body) if leaf == topics.REPORT else None) or decode_message(leaf, body)
    except UnknownVersion as error:
        raise Bad(counters.UNKNOWN_VERSION, name, str(error)) from None
    except BadMessage as error:
        message = _unreadable(body) if leaf == topics.REPORT else None
        if message is None:
            raise Bad(counters.MALFORMED, name, str(error)) from None
    if b"\\u" in body and not _storable(message):
        message = _unreadable(body) if leaf == topics.REPORT else None
        if message is None:
            raise Bad(counters.MALFORMED, name, "text that is not Unicode")
    return Letter(sensor, leaf, message, body)


# The same topics come again and again; what is no topic of ours raises, and is not remembered.
_parse = lru_cache(maxsize=1 << 16)(topics.parse)


def _unseal(keyring, sensor, topic, payload, now_s):
    try:
        return sensor.signer.unseal(topic, payload)
    except envelope_signer.TooLarge as error:
        raise Bad(counters.TOO_LARGE, sensor.name, str(error)) from None
    except BadEnvelope as error:
        # Perhaps the sensor has been given a new key since its entry was read.
        if sensor.read_s < now_s:
            again = keyring.reread(sensor.name, now_s)
            if again and not again.revoked and again.signer.key != sensor.signer.key:
                return _unseal(keyring, again, topic, payload, now_s)
        raise Bad(counters.BAD_SIGNATURE, sensor.name, str(error)) from None


def _unreadable(body):
    """
    Return a message that stands for a signed report that is not of this format, None if it has not even a number.

    The sensor sends what it has signed until it is confirmed, and the reports after it are confirmed only with it.
    """
    try:
        given = json.loads(body)
        numbers = [given["boot"], given["seq"]]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(type(one) is int and 1 <= one <= MAX_COUNT for one in numbers):
        return None
    return messages.report(*numbers, "", 0, None, "", store.UNREADABLE, {})


def _storable(message):
    """JSON can spell half of a character, and the one that ends strings in C; databases refuse both."""
    text = json.dumps(message, ensure_ascii=False)
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return "\\u0000" not in text
