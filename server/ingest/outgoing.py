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

    A sensor gets the first one at once, further ones at most every CONFIRM_EVERY_MS.
    """

    def __init__(self):
        self._upto: dict[str, dict[int, int]] = {}  # sensor name -> {boot: upto}
        self._sent_ms: dict[str, int] = {}
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

    def due(self, now_ms: int) -> list[tuple[SensorKey, dict]]:
        """Return [(sensor, stored message)] to publish now."""
        due = []
        for name, sensor in list(self._waiting.items()):
            if now_ms - self._sent_ms.get(name, -CONFIRM_EVERY_MS) >= CONFIRM_EVERY_MS:
                del self._waiting[name]
                self._sent_ms[name] = now_ms
                due.append((sensor, messages.stored(sorted(self._upto[name].items()))))
        return due

    def is_waiting(self) -> bool:
        """True if due() will soon return a message."""
        return bool(self._waiting)


class TimeReplies:
    """Makes the TIME command that answers a state message, once per connection."""

    def __init__(self):
        self._answered: dict[str, tuple[str, int]] = {}  # sensor name -> (nonce, time)

    def make(self, sensor: SensorKey, nonce: str, now_s: int) -> dict | None:
        """Return the TIME command for a nonce, or None if this nonce has just been answered."""
        previous = self._answered.get(sensor.name)
        if previous and previous[0] == nonce and now_s - previous[1] < SAME_NONCE_S:
            return None
        self._answered[sensor.name] = (nonce, now_s)
        args = {"time_s": now_s, "nonce": nonce}
        return messages.cmd(secrets.token_hex(8), messages.TIME, args, now_s + TIME_LIFETIME_S)
