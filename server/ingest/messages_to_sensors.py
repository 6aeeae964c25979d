"""Messages to sensors: `stored`, the time and commands, each signed with the sensor's key."""

import secrets

from ansim import messages, topics
from server.ingest.keyring import SensorKey
from server.services.intake.completeness import CONFIRMED_BOOTS

CONFIRM_EVERY_MS = 200  # least time between two `stored` messages to one sensor
TIME_LIFETIME_S = 60
SAME_NONCE_S = 2  # "init" and "ready" carry the same nonce; one answer is enough


def seal_message(sensor: SensorKey, leaf: str, fields: dict) -> tuple[str, bytes]:
    """Return (topic, payload) of a message to a sensor."""
    topic = topics.topic(sensor.name, leaf)
    return topic, sensor.signer.seal(topic, messages.encode(fields))


class Confirmations:
    """
    Schedules `stored` messages.

    A sensor gets the first one at once, further ones at most every CONFIRM_EVERY_MS. Times are of the monotonic clock.
    """

    def __init__(self):
        self._upto: dict[str, dict[int, int]] = {}  # sensor name -> {boot: upto}
        self._sent: dict[str, float] = {}
        self._waiting: dict[str, SensorKey] = {}

    def add(self, sensor: SensorKey, upto: dict[int, int]) -> None:
        """Note up to which seq the reports of some boots of a sensor are stored."""
        known = self._upto.setdefault(sensor.name, {})
        known.update(upto)
        while len(known) > CONFIRMED_BOOTS:
            # Keep the newest boot and those in `upto`: an old boot's last reports may come late.
            del known[min(boot for boot in known if boot not in upto or len(upto) > CONFIRMED_BOOTS)]
        self._waiting[sensor.name] = sensor

    def has(self, name: str) -> bool:
        """True once something was added for the sensor."""
        return name in self._upto

    def due(self, now: float) -> list[tuple[SensorKey, dict]]:
        """Return [(sensor, stored message)] to publish now."""
        due = []
        for name, sensor in list(self._waiting.items()):
            if name not in self._sent or now - self._sent[name] >= CONFIRM_EVERY_MS / 1000:
                del self._waiting[name]
                self._sent[name] = now
                due.append((sensor, messages.stored(sorted(self._upto[name].items()))))
        return due

    def is_waiting(self) -> bool:
        """True if due() will soon return a message."""
        return bool(self._waiting)


class TimeReplies:
    """Makes the TIME command that answers a state message, once per connection."""

    def __init__(self):
        self._answered: dict[str, tuple[str, float]] = {}  # sensor name -> (nonce, monotonic time)

    def make(self, sensor: SensorKey, nonce: str, now_s: int, now: float) -> dict | None:
        """Return the TIME command for a nonce, or None if it has just been answered. now: monotonic."""
        previous = self._answered.get(sensor.name)
        if previous and previous[0] == nonce and now - previous[1] < SAME_NONCE_S:
            return None
        self._answered[sensor.name] = (nonce, now)
        args = {"time_s": now_s, "nonce": nonce}
        return messages.cmd(secrets.token_hex(8), messages.TIME, args, now_s + TIME_LIFETIME_S)
