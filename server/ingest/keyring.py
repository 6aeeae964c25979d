"""Cache of the sensors' keys."""

from typing import NamedTuple

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from ansim import topics
from server.envelope_signer import Signer
from server.models.sensors import Sensor
from server.vault import Vault

KEPT_S = 300  # a key is read again after this time
REVOKED_EVERY_S = 1  # how often the database is asked for revoked sensors
_MAX_ASKED = 500  # keys in one query


class SensorKey(NamedTuple):
    """An enrolled sensor as the ingest process knows it."""

    id: int  # row number
    name: str
    signer: Signer
    revoked: bool  # True: all its messages are rejected
    read: float  # when it was read from the database, on the monotonic clock
    sealed: bytes = b""  # the key as the database has it


class Keyring:
    """Finds sensors' keys by name."""

    def __init__(self, sessions: sessionmaker[Session], vault: Vault):
        self._sessions = sessions
        self._vault = vault
        self._keys: dict[str, SensorKey] = {}
        self._looked = 0.0

    def find(self, name: str, now: float) -> SensorKey | None:
        """Return the key of the sensor with that name, or None if none is enrolled. now: of the monotonic clock."""
        if now - self._looked >= REVOKED_EVERY_S:
            self._looked = now
            self._forget_changed()
        key = self._keys.get(name)
        if key is None or now - key.read > KEPT_S:
            key = self.reload(name, now)
        return key

    def reload(self, name: str, now: float) -> SensorKey | None:
        """Read a key from the database again: it may have been changed."""
        if not topics.is_device(name):
            return None
        with self._sessions() as session:
            row = session.execute(
                select(Sensor.id, Sensor.key_sealed, Sensor.revoked_s).where(Sensor.name == name)
            ).one_or_none()
        if row is None:
            self._keys.pop(name, None)
            return None
        signer = Signer(self._vault.unseal(row.key_sealed))
        is_revoked = row.revoked_s is not None
        key = self._keys[name] = SensorKey(row.id, name, signer, is_revoked, now, row.key_sealed)
        return key

    def _forget_changed(self):
        """Forget keys that were revoked or replaced. No time is compared: the database's may be another machine's."""
        names = [name for name, key in self._keys.items() if not key.revoked]
        for at in range(0, len(names), _MAX_ASKED):
            asked = names[at : at + _MAX_ASKED]
            with self._sessions() as session:
                valid = select(Sensor.name, Sensor.key_sealed).where(Sensor.name.in_(asked), Sensor.revoked_s.is_(None))
                current = {row.name: row.key_sealed for row in session.execute(valid)}
            for name in asked:
                if current.get(name) != self._keys[name].sealed:
                    del self._keys[name]
