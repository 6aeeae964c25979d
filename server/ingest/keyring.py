"""The keys of the sensors that may send, remembered between messages."""

from collections import namedtuple

from sqlalchemy import select

from server.envelope_signer import Signer
from server.models.sensors import Sensor
from server.vault import Vault

KEPT_S = 300  # an entry is read again after so long
REVOKED_EVERY_S = 2  # how often the database is asked whom to cut off
_OVERLAP_S = 60  # of two such questions: another process's clock may be late

# id       row number of the sensor
# signer   its key, as seals.Signer
# revoked  True: take nothing from it
# read_s   when it was read from the database
Entry = namedtuple("Entry", ("id", "name", "signer", "revoked", "read_s"))


class Keyring:
    """Finds sensors by name."""

    def __init__(self, sessions, vault: Vault):
        self._sessions = sessions
        self._vault = vault
        self._entries = {}
        self._asked_s = 0

    def find(self, name: str, now_s: int) -> Entry | None:
        """Return the sensor of that name, or None if none is enrolled."""
        if now_s - self._asked_s >= REVOKED_EVERY_S:
            self._note_revoked(now_s)
        entry = self._entries.get(name)
        if entry is None or now_s - entry.read_s > KEPT_S:
            entry = self.reread(name, now_s)
        return entry

    def reread(self, name: str, now_s: int) -> Entry | None:
        """Ask the database again: the key may have been changed."""
        with self._sessions() as session:
            row = session.execute(
                select(Sensor.id, Sensor.key_sealed, Sensor.revoked_s).where(Sensor.name == name)
            ).one_or_none()
        if row is None:
            self._entries.pop(name, None)
            return None
        signer = Signer(self._vault.unseal(row.key_sealed))
        entry = self._entries[name] = Entry(row.id, name, signer, row.revoked_s is not None, now_s)
        return entry

    def _note_revoked(self, now_s):
        since = self._asked_s - _OVERLAP_S
        self._asked_s = now_s
        with self._sessions() as session:
            for name in session.scalars(select(Sensor.name).where(Sensor.revoked_s >= since)):
                self._entries.pop(name, None)
