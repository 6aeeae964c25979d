"""
The Ed25519 key that signs the log's heads, and the time stamp authority.

    key, stamp = signing_key.load(vault, settings.log_key), signing_key.time_stamper(settings.timestamp_url)
    head = heads.sign(session, key, stamp)
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from server.services.audit import heads
from server.services.errors import Refused
from server.vault import Vault

if TYPE_CHECKING:  # importing it takes as long as the rest of a start
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

PURPOSE = "log-head"


def load(vault: Vault, path: Path | None = None) -> Ed25519PrivateKey:
    """
    Return the key.

    path  a file with 64 hex digits (ANSIM_LOG_KEY); None: derive the key from the server's secret
    Raises Refused: log_key_bad.
    """
    from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

    if path is None:
        return Ed25519PrivateKey.from_private_bytes(vault.key(PURPOSE))
    try:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(path.read_text().strip()))
    except (OSError, ValueError):
        raise Refused("log_key_bad") from None


def time_stamper(url: str) -> Callable[[bytes], bytes] | None:
    """Return the function that requests a time stamp from an authority (ANSIM_TIMESTAMP_URL); None if url is ""."""
    return (lambda signed: heads.timestamp(url, signed)) if url else None
