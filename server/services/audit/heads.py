"""
Signed heads: how long the log was at a time, and its newest hash, under an Ed25519 key.

    head = sign(session, key)       # once a day; None if nothing has happened since the last one

Whoever holds the database could compute the whole chain anew; they cannot make the heads fit that were published,
mailed or time-stamped before. An entry `log.signed` follows each head, so the heads are in the chain themselves.
"""

import hashlib
from pathlib import Path

from sqlalchemy import select
from sqlalchemy.orm import Session

from server import clock
from server.models.audit import LogEntry, LogHead, LogTip
from server.services.audit import canonical, log
from server.services.errors import Refused
from server.vault import Vault

PURPOSE = "log-head"
WHAT = "ansim log head 1"  # stands in every signed statement, so that a signature fits nothing else
TIMESTAMP_TIMEOUT_S = 20


def open_key(vault: Vault, path: Path | None = None):
    """
    Return the Ed25519 key that signs heads: from the file (64 hex digits), else from the installation's secret.

    Raises Refused: log_key_bad.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if path is None:
        return Ed25519PrivateKey.from_private_bytes(vault.key(PURPOSE))
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError):
        raise Refused("log_key_bad") from None


def public_key(key) -> str:
    """The public key, 64 hex digits: what outsiders are given once, by another way than this server."""
    return key.public_key().public_bytes_raw().hex()


def statement(n: int, head_hash: str, at_s: int) -> bytes:
    """What is signed: canonical JSON."""
    return canonical.text({"at_s": at_s, "hash": head_hash, "n": n, "what": WHAT}).encode()


def sign(session: Session, key, stamp=None) -> LogHead | None:
    """
    Sign the log as it is; return the head, or None if nothing came since the last one.

    stamp  a function from the signed bytes to a time stamp authority's answer, see timestamp(); None: no time stamp
    """
    session.flush()
    tip = session.get(LogTip, log.TIP, with_for_update=True, populate_existing=True)
    newest_kind = session.scalar(select(LogEntry.kind).where(LogEntry.n == tip.n))
    if newest_kind is None or newest_kind == log.SIGNED:
        return None
    at_s = clock.now_s()
    said = statement(tip.n, tip.hash, at_s)
    head = LogHead(n=tip.n, hash=tip.hash, at_s=at_s, key=public_key(key), signature=key.sign(said).hex())
    head.token = stamp(said + bytes.fromhex(head.signature)) if stamp else None
    session.add(head)
    log.add(session, log.SIGNED, "log", described(head))
    return head


def described(head: LogHead) -> dict:
    """A head as the chain holds it."""
    return {
        "at_s": head.at_s,
        "hash": head.hash,
        "key": head.key,
        "n": head.n,
        "signature": head.signature,
        "token_sha256": hashlib.sha256(head.token).hexdigest() if head.token else None,
    }


def fits(head: LogHead) -> bool:
    """True if a head's signature is of its key."""
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

    try:
        key = Ed25519PublicKey.from_public_bytes(bytes.fromhex(head.key))
        key.verify(bytes.fromhex(head.signature), statement(head.n, head.hash, head.at_s))
    except (InvalidSignature, TypeError, ValueError):  # a damaged file may hold bytes where text was
        return False
    return True


def heads(session: Session, limit: int = 30) -> list[LogHead]:
    """The newest heads first."""
    return list(session.scalars(select(LogHead).order_by(LogHead.n.desc()).limit(limit)))


def covering(session: Session, n: int) -> LogHead | None:
    """The first head that covers an entry."""
    return session.scalar(select(LogHead).where(LogHead.n >= n).order_by(LogHead.n).limit(1))


def timestamp(url: str, signed: bytes) -> bytes:
    """Ask a time stamp authority (RFC 3161) and return its answer, DER. Raises Refused: timestamp_failed."""
    from urllib.request import Request, urlopen

    from rfc3161_client import TimestampRequestBuilder, decode_timestamp_response

    asked = TimestampRequestBuilder().data(signed).build()
    headers = {"Content-Type": "application/timestamp-query"}
    try:
        request = Request(url, asked.as_bytes(), headers)
        with urlopen(request, timeout=TIMESTAMP_TIMEOUT_S) as answer:
            token = answer.read(64 << 10)
        if not stamped(token, signed) or decode_timestamp_response(token).tst_info.nonce != asked.nonce:
            raise ValueError
    except (OSError, ValueError):
        raise Refused("timestamp_failed") from None
    return token


def stamped(token: bytes, signed: bytes) -> bool:
    """True if an authority's answer is about these bytes. Whether the authority is to be trusted is not looked at."""
    from rfc3161_client import decode_timestamp_response

    try:
        imprint = decode_timestamp_response(token).tst_info.message_imprint
    except ValueError:
        return False
    return imprint.message in (hashlib.sha512(signed).digest(), hashlib.sha256(signed).digest())


def signed_bytes(head: LogHead) -> bytes:
    """What a time stamp is about: the statement and its signature."""
    return statement(head.n, head.hash, head.at_s) + bytes.fromhex(head.signature)
