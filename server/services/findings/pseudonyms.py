"""
Pseudonyms of hardware addresses: keyed, for one day. Also the maker, and whether an address is locally administered.

    pseudonyms = Pseudonyms(vault)
    pseudonyms.of(session, "c0:ff:ee:00:00:01", day)      # 32 hex digits; the same for the same address on that day

The pseudonyms of one address on two days have nothing in common. Once the key of a day has been destroyed, its
pseudonyms cannot be linked to addresses any more, not even with the installation's secret.
"""

import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db import insert
from server.models.findings import PseudonymKey
from server.vault import Vault

KEY_BYTES = 32
KEPT_DAYS = 7  # lifetime of a key, here and (services/upkeep/retention.py) in the database
CHARS = 32


class Pseudonyms:
    """Makes pseudonyms; caches the keys of the days in use."""

    def __init__(self, vault: Vault):
        self._vault = vault
        self._keys = {}  # day -> key

    def of(self, session: Session, address: str, day: int) -> str:
        """Return an address's pseudonym on a day (days since 1970-01-01 UTC)."""
        return hmac.digest(self._key(session, day), address.encode(), "sha256").hex()[:CHARS]

    def forget_keys(self) -> None:
        """Empty the cache, after a transaction that may have made a key was rolled back."""
        self._keys.clear()

    def _key(self, session, day):
        key = self._keys.get(day)
        if key is None:
            query = select(PseudonymKey.key_sealed).where(PseudonymKey.day == day)
            sealed = session.scalar(query)
            if sealed is None:
                new_key = self._vault.seal(secrets.token_bytes(KEY_BYTES))
                session.execute(
                    insert(session, PseudonymKey).values(day=day, key_sealed=new_key).on_conflict_do_nothing()
                )
                sealed = session.scalar(query)  # another process may have inserted its own
            key = self._keys[day] = self._vault.unseal(sealed)
            # A key that was destroyed in the database must not stay in memory; see services/upkeep/retention.py.
            for old in [known for known in self._keys if known < max(self._keys) - KEPT_DAYS]:
                del self._keys[old]
        return key


def is_local(address: str) -> bool:
    """Return whether an address is locally administered: set by software, often at random. Source: IEEE 802, 8.4."""
    return bool(int(address[:2], 16) & 0x02)


def maker(address: str) -> str:
    """Return the first three bytes, which IEEE gives to makers; "" for a locally administered address."""
    return "" if is_local(address) else address[:8]
