"""
Verify and decode a received message, or reject it with a reason.

    message = decode(keyring, topic, payload, now)       # raises RejectedMessage; now: monotonic
"""

import json
from functools import lru_cache
from typing import NamedTuple

from ansim import messages, topics
from ansim.decode import BadMessage, UnknownVersion, decode_message
from ansim.downlink_schemas import MAX_COUNT
from ansim.envelope import BadEnvelope
from ansim.finding import MAX_LABEL_CHARS, printable
from server import envelope_signer
from server.ingest import fast_decode
from server.ingest.keyring import Keyring, SensorKey
from server.services.intake import counters, idempotent_store


class Message(NamedTuple):
    """A message of an enrolled sensor with a valid signature."""

    sensor: SensorKey
    leaf: str  # one of topics.FROM_SENSOR
    fields: dict  # the decoded and checked message
    body: bytes  # its exact JSON bytes
    problem: str = ""  # why a report is malformed of which only the number is kept


class RejectedMessage(Exception):
    """
    The message is dropped.

    reason  one of counters.REJECTED
    sensor  name of the enrolled sensor on whose topic it came, or ""
    detail  the problem, without any of the message's content
    """

    def __init__(self, reason: str, sensor: str, detail: str):
        super().__init__(detail)
        self.reason = reason
        self.sensor = sensor
        self.detail = detail


def decode(keyring: Keyring, topic: str, payload: bytes, now: float) -> Message:
    """Return the message that came on a topic. Raises RejectedMessage."""
    try:
        name, leaf = _parse(topic)
    except topics.BadTopic:
        raise RejectedMessage(counters.BAD_TOPIC, "", "not a topic of ours") from None
    if leaf not in topics.FROM_SENSOR:
        raise RejectedMessage(counters.BAD_TOPIC, "", "a topic that only the server writes")
    sensor = keyring.find(name, now)
    if sensor is None:
        raise RejectedMessage(counters.UNKNOWN_SENSOR, "", "no sensor of that name is enrolled")
    if sensor.revoked:
        raise RejectedMessage(counters.REVOKED, name, "the sensor is revoked")
    body, problem = _unseal(keyring, sensor, topic, payload, now), ""
    try:
        fields = _decode_report(body) if leaf == topics.REPORT else decode_message(leaf, body)
    except UnknownVersion as error:
        raise RejectedMessage(counters.UNKNOWN_VERSION, name, str(error)) from None
    except BadMessage as error:
        fields, problem = _unreadable(body) if leaf == topics.REPORT else None, str(error)
        if fields is None:
            raise RejectedMessage(counters.MALFORMED, name, problem) from None
    return Message(sensor, leaf, fields, body, problem)


# Few topics come often, so they are cached; a topic that is not ours raises and is not cached.
_parse = lru_cache(maxsize=1 << 16)(topics.parse)


def _unseal(keyring, sensor, topic, payload, now):
    try:
        return sensor.signer.unseal(topic, payload)
    except envelope_signer.TooLarge as error:
        raise RejectedMessage(counters.TOO_LARGE, sensor.name, str(error)) from None
    except BadEnvelope as error:
        # The sensor may have been given a new key since its key was read.
        if sensor.read < now:
            current = keyring.reload(sensor.name, now)
            if current and not current.revoked and current.signer.key != sensor.signer.key:
                return _unseal(keyring, current, topic, payload, now)
        raise RejectedMessage(counters.BAD_SIGNATURE, sensor.name, str(error)) from None


def _decode_report(body):
    """Return a report; in a finding's label, "?" replaces control characters and what is not Unicode."""
    fields = fast_decode.decode(body)
    if fields is None:
        try:
            fields = decode_message(topics.REPORT, body)
        except UnknownVersion:
            raise
        except BadMessage:
            fields = _decode_with_printable_label(body)
            if fields is None:
                raise
    if fields["kind"] == messages.FINDING and "label" in fields["body"]:
        fields["body"]["label"] = printable(fields["body"]["label"])
    return fields


def _decode_with_printable_label(body):
    """Return a finding that only its label makes invalid, else None: a transmitter chooses the label itself."""
    try:
        fields = json.loads(body.decode(errors="replace"), strict=False)
        fields["body"]["label"] = printable(fields["body"]["label"])[:MAX_LABEL_CHARS]
        return decode_message(topics.REPORT, messages.encode(fields))
    except (ValueError, KeyError, TypeError, RecursionError, BadMessage):
        return None


def _unreadable(body):
    """
    Return a placeholder for a signed report that is not of this format, or None if it has no boot and seq.

    The sensor sends a report until it is confirmed, and later reports are confirmed only together with it.
    """
    try:
        fields = json.loads(body)
        boot, seq = fields["boot"], fields["seq"]
    except (ValueError, KeyError, TypeError, RecursionError):
        return None
    if not all(type(number) is int and 1 <= number <= MAX_COUNT for number in (boot, seq)):
        return None
    return unreadable(boot, seq)


def unreadable(boot: int, seq: int) -> dict:
    """Return the placeholder for a report of which only the number is kept."""
    return messages.report(boot, seq, "", 0, None, "", idempotent_store.UNREADABLE, {})
