"""Cache of the sensors' keys."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from server.envelope_signer import Signer
from server.models.sensors import Sensor
from server.vault import Vault

KEPT_S = 300  # a key is read again after this time
REVOKED_EVERY_S = 2  # how often the database is asked for revoked sensors
_OVERLAP_S = 60  # of two such queries: another process's clock may be late


class SensorKey(NamedTuple):
    """An enrolled sensor as the ingest process knows it."""

    id: int  # row number
    name: str
    signer: Signer
    revoked: bool  # True: all its messages are rejected
    read_s: int  # when it was read from the database


class Keyring:
    """Finds sensors' keys by name."""

    def __init__(self, sessions: sessionmaker[Session], vault: Vault):
        self._sessions = sessions
        self._vault = vault
        self._keys: dict[str, SensorKey] = {}
        self._revocations_read_s = 0

    def find(self, name: str, now_s: int) -> SensorKey | None:
        """Return the key of the sensor with that name, or None if none is enrolled."""
        if now_s - self._revocations_read_s >= REVOKED_EVERY_S:
            self._forget_revoked(now_s)
        key = self._keys.get(name)
        if key is None or now_s - key.read_s > KEPT_S:
            key = self.reload(name, now_s)
        return key

    def reload(self, name: str, now_s: int) -> SensorKey | None:
        """Read a key from the database again: it may have been changed."""
        with self._sessions() as session:
            row = session.execute(
                select(Sensor.id, Sensor.key_sealed, Sensor.revoked_s).where(Sensor.name == name)
            ).one_or_none()
        if row is None:
            self._keys.pop(name, None)
            return None
        signer = Signer(self._vault.unseal(row.key_sealed))
        key = self._keys[name] = SensorKey(row.id, name, signer, row.revoked_s is not None, now_s)
        return key

    def _forget_revoked(self, now_s):
        since_s = self._revocations_read_s - _OVERLAP_S
        self._revocations_read_s = now_s
        with self._sessions() as session:
            for name in session.scalars(select(Sensor.name).where(Sensor.revoked_s >= since_s)):
                self._keys.pop(name, None)
