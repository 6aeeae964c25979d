"""What one stolen key and many strangers send, for tests of the embedded broker and ingest."""

import random
import socket

from ansim import messages, topics
from server import envelope_signer
from tests.support.paho_sensor import finding_body

STRANGE = (
    b"",
    b"GET / HTTP/1.1\r\n\r\n",
    b"\x10\xff\xff\xff\xff\x7f",
    b"\x10\x0a\x00\x04MQTT\x04\x02\x00\x0a",
    b"\x30\x05\x00\x01xab",
    b"\x16\x03\x01\x02\x00\x01",
    b"\x10\x17\x00\x04MQTT\x04\xc2\x00\x0a\x00\x03a\0b\x00\x03a\0b\x00\x01p",
    bytes(300),
)


def messages_of(name: str, key: bytes, count: int, seed: int):
    """Yield (topic, payload, qos) of hostile messages of one valid key: unsigned, malformed, findings, far ahead."""
    made = random.Random(seed)
    report, leaves = topics.topic(name, topics.REPORT), list(topics.FROM_SENSOR)
    for number in range(count):
        kind = number % 6
        if kind == 0:
            yield report, made.randbytes(made.randrange(600)), 1
        elif kind == 1:
            topic = topics.topic(name, made.choice(leaves))
            yield topic, envelope_signer.seal(key, topic, made.randbytes(100)), made.randrange(2)
        else:
            seq = number if kind < 4 else made.randrange(1, 1 << 31)
            boot = 1 if kind != 5 else made.randrange(1, 1 << 30)
            body = finding_body(subject=f"02:00:5e:{number >> 16:02x}:{number >> 8 & 255:02x}:{number & 255:02x}")
            fields = messages.report(boot, seq, "", number, None, "", messages.FINDING, body)
            yield report, envelope_signer.seal(key, report, messages.encode(fields)), 1


def knock(port: int, count: int, seed: int) -> None:
    """Open connections one after another, send something that is no MQTT, and leave; every tenth stays a while."""
    made, kept = random.Random(seed), []
    for number in range(count):
        try:
            stranger = socket.create_connection(("127.0.0.1", port), 10)
            stranger.sendall(made.choice(STRANGE))
        except OSError:
            continue
        if number % 10 == 0:
            kept.append(stranger)
        else:
            stranger.close()
        if len(kept) > 100:
            kept.pop(0).close()
    for stranger in kept:
        stranger.close()
