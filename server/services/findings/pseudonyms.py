"""
What the server keeps of a hardware address: a keyed pseudonym of one day, the maker, and whether it is made up.

    names = Pseudonyms(vault)
    names.of(session, "c0:ff:ee:00:00:01", day)      # 32 hex digits; the same for the same address on that day

Two days' pseudonyms of one address have nothing in common, and once a day's key has been
destroyed nobody can find out whose pseudonym it was, not even with the installation's secret.
"""

import hmac
import secrets

from sqlalchemy import select
from sqlalchemy.orm import Session

from server.db import insert
from server.models.findings import PseudonymKey
from server.vault import Vault

KEY_BYTES = 32
KEPT_DAYS = 7  # a key lives so long, here and (services.retention) in the database
CHARS = 32


class Pseudonyms:
    """Makes pseudonyms; remembers the keys of the days it was asked for."""

    def __init__(self, vault: Vault):
        self._vault = vault
        self._keys = {}  # day -> key

    def of(self, session: Session, address: str, day: int) -> str:
        """Return an address's pseudonym on a day (days since 1970-01-01 UTC)."""
        return hmac.digest(self._key(session, day), address.encode(), "sha256").hex()[:CHARS]

    def _key(self, session, day):
        key = self._keys.get(day)
        if key is None:
            wanted = select(PseudonymKey.key_sealed).where(PseudonymKey.day == day)
            sealed = session.scalar(wanted)
            if sealed is None:
                made = self._vault.seal(secrets.token_bytes(KEY_BYTES))
                session.execute(insert(session, PseudonymKey).values(day=day, key_sealed=made).on_conflict_do_nothing())
                sealed = session.scalar(wanted)  # another process may have been first
            key = self._keys[day] = self._vault.unseal(sealed)
            # A key that was destroyed in the database must not live on here; see services.retention.
            for old in [known for known in self._keys if known < max(self._keys) - KEPT_DAYS]:
                del self._keys[old]
        return key


def is_local(address: str) -> bool:
    """True if the address is locally administered: chosen by software, often at random. Source: IEEE 802, 8.4."""
    return bool(int(address[:2], 16) & 0x02)


def maker(address: str) -> str:
    """The first three bytes, which IEEE gives to makers; "" for a locally administered address."""
    return "" if is_local(address) else address[:8]
