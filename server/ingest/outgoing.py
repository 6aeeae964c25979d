"""What sensors are told: `stored`, the time, commands. Signed with each sensor's own key."""

import secrets

from ansim import messages, topics

CONFIRM_EVERY_MS = 200  # least time between two `stored` messages to one sensor
MOST_BOOTS = 8  # rows of a `stored` message; see ansim/messages.py
TIME_LIFETIME_S = 60
ANSWERED_TWICE_S = 2  # "init" and "ready" carry the same nonce; one answer is enough


def sealed(sensor, leaf: str, message: dict) -> tuple[str, bytes]:
    """Return (topic, payload) of a message to a sensor (keyring.Entry)."""
    topic = topics.topic(sensor.name, leaf)
    return topic, sensor.signer.seal(topic, messages.encode(message))


class Confirmations:
    """Collects what is stored, and says when whom to tell: at once, then at most every CONFIRM_EVERY_MS."""

    def __init__(self):
        self._upto = {}  # sensor name -> {boot: upto}
        self._told_ms = {}
        self._waiting = {}  # sensor name -> Entry

    def add(self, sensor, upto: dict) -> None:
        """These boots of a sensor are stored so far."""
        known = self._upto.setdefault(sensor.name, {})
        known.update(upto)
        while len(known) > MOST_BOOTS:
            # Keep the newest boot, and what was just delivered: an old boot's last reports may come late.
            del known[min(boot for boot in known if boot not in upto or len(upto) > MOST_BOOTS)]
        self._waiting[sensor.name] = sensor

    def knows(self, name: str) -> bool:
        """False until something was added for the sensor."""
        return name in self._upto

    def due(self, now_ms: int) -> list:
        """Return [(Entry, stored message)] to publish now."""
        found = []
        for name, sensor in list(self._waiting.items()):
            if now_ms - self._told_ms.get(name, -CONFIRM_EVERY_MS) >= CONFIRM_EVERY_MS:
                del self._waiting[name]
                self._told_ms[name] = now_ms
                found.append((sensor, messages.stored(sorted(self._upto[name].items()))))
        return found

    def is_waiting(self) -> bool:
        """True if due() will have something soon."""
        return bool(self._waiting)


class Greetings:
    """Answers to state messages: the time, once a connection."""

    def __init__(self):
        self._answered = {}  # sensor name -> (nonce, time)

    def time_for(self, sensor, nonce: str, now_s: int) -> dict | None:
        """Return the cmd message that tells the time, or None if this nonce has just been answered."""
        last = self._answered.get(sensor.name)
        if last and last[0] == nonce and now_s - last[1] < ANSWERED_TWICE_S:
            return None
        self._answered[sensor.name] = (nonce, now_s)
        args = {"time_s": now_s, "nonce": nonce}
        return messages.cmd(secrets.token_hex(8), messages.TIME, args, now_s + TIME_LIFETIME_S)
