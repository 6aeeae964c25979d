"""Authenticate clients against the database."""

import hmac
from collections.abc import Collection, Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session, sessionmaker

from ansim import envelope, topics
from server.broker import topic_rules
from server.models.sensors import Sensor
from server.services.intake import counters
from server.vault import BadSeal, Vault

RIGHT, WRONG, UNKNOWN = "right", "wrong", "unknown"  # password, password, user


class Authenticator:
    """Queries the database. Its methods block, so call them from a thread."""

    def __init__(self, sessions: sessionmaker[Session], vault: Vault, has_reader: bool = False):
        self._sessions = sessions
        self._vault = vault
        self._services = (topic_rules.SERVICE, *([topic_rules.READER] if has_reader else []))

    def check_all(self, logins: Sequence[tuple[str, str]]) -> list[str]:
        """
        Return for each (user, password) whether the password is right.

        RIGHT    it is the sensor's (envelope.broker_password), our own service's, or the reader's
        UNKNOWN  no such sensor is enrolled, or it is revoked
        WRONG    otherwise
        """
        sealed_keys = self._load_keys({user for user, _ in logins if user not in self._services})
        return [self._check(user, password, sealed_keys) for user, password in logins]

    def _check(self, user, password, sealed_keys):
        if user in self._services:
            expected = self._vault.service_password(user)
        else:
            expected = self._sensor_password(sealed_keys.get(user))
        # Compared for unknown names too, so that the time does not tell whether a name is enrolled.
        is_right = hmac.compare_digest(password.encode(), (expected or "0" * 64).encode())
        if expected is None:
            return UNKNOWN
        return RIGHT if is_right else WRONG

    def list_revoked(self, names: Collection[str]) -> set[str]:
        """Return those of these sensors that may not connect: revoked, or not enrolled."""
        if not names:
            return set()
        with self._sessions() as session:
            query = select(Sensor.name).where(Sensor.name.in_(names), Sensor.revoked_s.is_(None))
            return set(names) - set(session.scalars(query))

    def add_counts(self, counts: Mapping[tuple[str, str], int]) -> None:
        """Add {(user, outcome): count} to the database's counters. Names that are not enrolled count as ""."""
        with self._sessions.begin() as session:
            names = {name for name, _ in counts if topics.is_device(name)}
            enrolled = set(session.scalars(select(Sensor.name).where(Sensor.name.in_(names))))
            sums: dict[tuple[str, str], int] = {}
            for (name, outcome), count in counts.items():
                key = (name if name in enrolled else "", outcome)
                sums[key] = sums.get(key, 0) + count
            counters.add(session, sums)

    def _sensor_password(self, sealed):
        try:
            return envelope.broker_password(self._vault.unseal(sealed)) if sealed else None
        except BadSeal:  # a key of another installation's secret, which vault.check() at the start names
            return None

    def _load_keys(self, names):
        """Return {name: sealed key} of the enrolled sensors with these names."""
        names = [name for name in names if topics.is_device(name)]  # PostgreSQL raises on texts with U+0000
        if not names:
            return {}
        with self._sessions() as session:
            query = select(Sensor.name, Sensor.key_sealed).where(Sensor.name.in_(names), Sensor.revoked_s.is_(None))
            return dict(session.execute(query).all())
