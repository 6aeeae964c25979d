"""
Envelopes: every message is signed with HMAC-SHA256, in both directions.

    <the JSON, exactly as it was made> 0x0A <64 hex digits: HMAC-SHA256>

The HMAC is over the topic, a newline and the JSON bytes, with the device's key of 32
bytes. The transmitted bytes are signed, never a re-serialised object, because two JSON
libraries write the same object differently.

Source: RFC 2104 (HMAC), FIPS 180-4 (SHA-256). MicroPython has no hmac module.
"""

import binascii
import hashlib

KEY_BYTES = 32
MAX_MESSAGE_BYTES = 16384  # larger than any message a sensor makes
_SIGNATURE_CHARS = 64
_BLOCK_BYTES = 64


class BadEnvelope(Exception):
    """The message is not signed with the device's key, or is not an envelope."""


def key_bytes(settings: dict) -> bytes:
    """Return the device key of a sensor's settings as 32 bytes."""
    return binascii.unhexlify(settings["key"])


def hmac_sha256(key: bytes, *pieces) -> bytes:
    """Return the 32 bytes of HMAC-SHA256 over the concatenated pieces (bytes), which are not copied."""
    if len(key) > _BLOCK_BYTES:
        key = hashlib.sha256(key).digest()
    key = key + bytes(_BLOCK_BYTES - len(key))
    padded = bytearray(key)
    for at in range(_BLOCK_BYTES):
        padded[at] ^= 0x36
    inner = hashlib.sha256(padded)
    for piece in pieces:
        inner.update(piece)
    for at in range(_BLOCK_BYTES):
        padded[at] ^= 0x36 ^ 0x5C
    outer = hashlib.sha256(padded)
    outer.update(inner.digest())
    return outer.digest()


def seal(key: bytes, topic: str, body: bytes) -> bytes:
    """Return `body` with its signature, ready to be published on `topic`."""
    return b"".join(parts(key, topic, body))


def parts(key: bytes, topic: str, body: bytes) -> tuple:
    """Return the parts of what seal() returns, for callers that copy them into a larger buffer."""
    return body, b"\n", _signature(key, topic, body)


def unseal(key: bytes, topic: str, message: bytes) -> bytes:
    """Return the JSON bytes of a message that came on `topic`. Raises BadEnvelope."""
    if len(message) > MAX_MESSAGE_BYTES:
        raise BadEnvelope("%d bytes, more than %d" % (len(message), MAX_MESSAGE_BYTES))
    split = len(message) - _SIGNATURE_CHARS - 1
    if split < 2 or message[split : split + 1] != b"\n":
        raise BadEnvelope("no signature")
    body = bytes(message[:split])
    if not same(bytes(message[split + 1 :]), _signature(key, topic, body)):
        raise BadEnvelope("wrong signature")
    return body


def broker_password(key: bytes) -> str:
    """Return the device's password at the broker (64 hex digits), so that the key itself is never sent."""
    return binascii.hexlify(hmac_sha256(key, b"mqtt-password")).decode()


def manifest_hmac(key: bytes, sha256: str) -> str:
    """Return the HMAC (64 hex digits) with which a device accepts an update whose manifest has this SHA-256."""
    # With a prefix, so that it can never be the signature of a message.
    return binascii.hexlify(hmac_sha256(key, b"ansim manifest\n" + sha256.encode())).decode()


def digest(body: bytes) -> str:
    """Return 16 hex digits of SHA-256 of a report's JSON, which are the next report's `prev`."""
    return binascii.hexlify(hashlib.sha256(body).digest()[:8]).decode()


def same(a: bytes, b: bytes) -> bool:
    """Compare in constant time."""
    difference = len(a) ^ len(b)
    for x, y in zip(a, b):
        difference |= x ^ y
    return difference == 0


def _signature(key, topic, body):
    return binascii.hexlify(hmac_sha256(key, topic.encode(), b"\n", body))
