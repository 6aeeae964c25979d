"""Checks passwords of those who connect, and says whom to send away."""

import hmac

from sqlalchemy import select

from ansim import envelope
from server.broker import topic_rules
from server.models.sensors import Sensor
from server.services.intake import counters
from server.vault import Vault

_OVERLAP_S = 60  # of two questions for revoked sensors: another process's clock may be late


class Doorman:
    """Asks the database. Its calls block: use them from a thread."""

    def __init__(self, sessions, vault: Vault):
        self._sessions = sessions
        self._vault = vault

    def admits(self, user: str, password: str) -> bool:
        """True if the password is this sensor's (envelope.broker_password), or our own service's."""
        expected = self._vault.service_password(user) if user == topic_rules.SERVICE else self._password_of(user)
        # Compared for strangers too, so that the time does not tell whether a name is enrolled.
        return hmac.compare_digest(password.encode(), (expected or "0" * 64).encode()) and expected is not None

    def revoked_since(self, then_s: int) -> set[str]:
        """Names of the sensors revoked since a time."""
        with self._sessions() as session:
            return set(session.scalars(select(Sensor.name).where(Sensor.revoked_s >= then_s - _OVERLAP_S)))

    def tally(self, counts) -> None:
        """Add {(sensor name, word): count} to the database's tallies. Names that are not enrolled count as ""."""
        with self._sessions.begin() as session:
            names = {name for name, _ in counts}
            enrolled = set(session.scalars(select(Sensor.name).where(Sensor.name.in_(names))))
            known = {}
            for (name, what), count in counts.items():
                key = (name if name in enrolled else "", what)
                known[key] = known.get(key, 0) + count
            counters.add(session, known)

    def _password_of(self, name):
        with self._sessions() as session:
            wanted = select(Sensor.key_sealed).where(Sensor.name == name, Sensor.revoked_s.is_(None))
            sealed = session.scalar(wanted)
        return envelope.broker_password(self._vault.unseal(sealed)) if sealed else None
