"""
Signed heads: the length of the log at a time and its newest hash, signed with an Ed25519 key.

    head = sign(session, key)       # once a day; None if there is no new entry since the last head

An attacker with the database could recompute the whole chain, but it would not match the heads that were published,
mailed or time-stamped before. An entry `log.signed` follows each head, so the heads are part of the chain.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from typing import TYPE_CHECKING

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.models.audit import LogEntry, LogHead, LogTip
from server.services.audit import canonical, log
from server.services.errors import Refused

if TYPE_CHECKING:  # importing it takes as long as the rest of a start
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

FORMAT = "ansim log head 1"  # part of every signed statement, so that a signature is valid for nothing else
TIMESTAMP_TIMEOUT_S = 20


def public_key(key: Ed25519PrivateKey) -> str:
    """Return the public key, 64 hex digits. Verifiers get it once, over another channel than this server."""
    return key.public_key().public_bytes_raw().hex()


def statement(n: int, head_hash: str, at_s: int) -> bytes:
    """Return the signed bytes: canonical JSON."""
    return canonical.text({"at_s": at_s, "hash": head_hash, "n": n, "what": FORMAT}).encode()


def sign(session: Session, key: Ed25519PrivateKey, stamp: Callable[[bytes], bytes] | None = None) -> LogHead | None:
    """
    Sign the newest entry; return the head, or None if there is no new entry since the last head.

    stamp  returns a time stamp authority's answer for the signed bytes, see timestamp(); None: no time stamp
    """
    session.flush()
    tip = session.get_one(LogTip, log.TIP, with_for_update=True, populate_existing=True)
    newest_kind = session.scalar(select(LogEntry.kind).where(LogEntry.n == tip.n))
    if newest_kind is None or newest_kind == log.SIGNED:
        return None
    at_s = log.next_time_s(session, tip)
    signed = statement(tip.n, tip.hash, at_s)
    head = LogHead(n=tip.n, hash=tip.hash, at_s=at_s, key=public_key(key), signature=key.sign(signed).hex())
    head.token = stamp(signed + bytes.fromhex(head.signature)) if stamp else None
    session.add(head)
    log.add(session, log.SIGNED, "log", as_body(head))
    return head


def as_body(head: LogHead) -> dict:
    """Return the body of the `log.signed` entry of a head."""
    return {
        "at_s": head.at_s,
        "hash": head.hash,
        "key": head.key,
        "n": head.n,
        "signature": head.signature,
        "token_sha256": hashlib.sha256(head.token).hexdigest() if head.token else None,
    }


def has_valid_signature(head: LogHead) -> bool:
    """True if a head's signature is valid for its public key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(head.key))
        key.verify(bytes.fromhex(head.signature), statement(head.n, head.hash, head.at_s))
    except (InvalidSignature, TypeError, ValueError):  # a damaged database file may hold bytes instead of text
        return False
    return True


def list_heads(session: Session, limit: int = 30) -> list[LogHead]:
    """Return the newest heads, newest first."""
    return list(session.scalars(select(LogHead).order_by(LogHead.n.desc()).limit(limit)))


def covering(session: Session, n: int) -> LogHead | None:
    """Return the first head at or after an entry."""
    return session.scalar(select(LogHead).where(LogHead.n >= n).order_by(LogHead.n).limit(1))


def timestamp(url: str, signed: bytes) -> bytes:
    """Return a time stamp authority's answer (RFC 3161, DER) for some bytes. Raises Refused: timestamp_failed."""
    from urllib.request import Request, urlopen

    from rfc3161_client import TimestampRequestBuilder, decode_timestamp_response

    query = TimestampRequestBuilder().data(signed).build()
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        request = Request(url, query.as_bytes(), headers)
        with urlopen(request, timeout=TIMESTAMP_TIMEOUT_S) as answer:
            token = answer.read(64 << 10)
        if not is_stamp_of(token, signed) or decode_timestamp_response(token).tst_info.nonce != query.nonce:
            raise ValueError
    except (OSError, ValueError):
        raise Refused("timestamp_failed") from None
    return token


def is_stamp_of(token: bytes, signed: bytes) -> bool:
    """True if an authority's answer is about these bytes. Does not check whether the authority is trusted."""
    from rfc3161_client import decode_timestamp_response

    try:
        imprint = decode_timestamp_response(token).tst_info.message_imprint
    except ValueError:
        return False
    return imprint.message in (hashlib.sha512(signed).digest(), hashlib.sha256(signed).digest())


def signed_bytes(head: LogHead) -> bytes:
    """Return the bytes that a time stamp is about: the statement and its signature."""
    return statement(head.n, head.hash, head.at_s) + bytes.fromhex(head.signature)
