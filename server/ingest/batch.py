"""One transaction for many messages."""

from collections import Counter, namedtuple

from ansim import messages, topics
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import completeness, counters
from server.services.intake import store as reports
from server.services.sensors import commands, health, rollout

# What to do once the transaction has committed.
# confirm    {sensor name: (Entry, {boot: upto})}: tell these sensors what is stored
# connected  [(Entry, nonce)]: these have just connected, tell them the time
# orders     [(Entry, cmd message)]: send these
# parts      [(Entry, part message)]: parts of files that sensors asked for
# counts     Counter of (sensor name, word of tally.py)
Done = namedtuple("Done", ("confirm", "connected", "orders", "parts", "counts"))


class Store:
    """Stores batches. Keeps between them only what may be lost with the process."""

    def __init__(self, sessions, pseudonyms: Pseudonyms):
        self._sessions = sessions
        self._pseudonyms = pseudonyms
        self._tallies = Counter()  # (sensor name, word) -> not yet written down
        self._tallied_s = 0
        self._seen_s = {}  # row number of a sensor -> when `last_seen_s` was last written

    def store(self, letters: list, refused: Counter, now_s: int) -> Done:
        """
        Store messages; all of them or, with an exception, none.

        letters  [(Letter, retained)], in the order they came
        refused  what was dropped: Counter of (sensor name, word)
        """
        done = Done({}, [], [], [], Counter(refused))
        with self._sessions.begin() as session:
            _reports(session, self._pseudonyms, [one for one, _ in letters if one.leaf == topics.REPORT], now_s, done)
            for letter, retained in letters:
                if letter.leaf != topics.REPORT:
                    _other(session, letter, retained, now_s, done)
            health.heard(session, self._newly_seen(letters, now_s), now_s)
            self._tallies.update(done.counts)
            if refused or now_s != self._tallied_s:
                self._write_tallies(session, now_s)
        return done

    def write_tallies(self, now_s: int, at_the_end: bool = False) -> None:
        """Write down what has been counted since the last time, once a second or at the end."""
        if self._tallies and (at_the_end or now_s != self._tallied_s):
            with self._sessions.begin() as session:
                self._write_tallies(session, now_s)

    def _write_tallies(self, session, now_s):
        counters.add(session, self._tallies, now_s)
        self._tallies = Counter()
        self._tallied_s = now_s

    def _newly_seen(self, letters, now_s):
        """Sensors whose `last_seen_s` is worth writing again."""
        seen = {letter.sensor.id for letter, retained in letters if not retained}
        seen = {one for one in seen if now_s - self._seen_s.get(one, 0) >= health.SEEN_EVERY_S}
        self._seen_s.update(dict.fromkeys(seen, now_s))
        return seen


def _reports(session, pseudonyms, letters, now_s, done):
    if not letters:
        return
    sensors = {letter.sensor.id: letter.sensor for letter in letters}
    recorded = reports.record(session, pseudonyms, letters, now_s)
    for what, found in (
        (counters.STORED, recorded.stored),
        (counters.DUPLICATE, recorded.duplicates),
        (counters.CONFLICT, recorded.conflicts),
    ):
        for one in found:
            unreadable = what == counters.STORED and one.message["kind"] == reports.UNREADABLE
            done.counts[one.sensor.name, counters.MALFORMED if unreadable else what] += 1
    for what, found in ((counters.CHAIN_BROKEN, recorded.chain_broken), (counters.DROPPED, recorded.dropped)):
        for sensor_id, count in found.items():
            done.counts[sensors[sensor_id].name, what] += count
    for sensor_id, upto in recorded.confirm.items():
        sensor = sensors[sensor_id]
        done.confirm[sensor.name] = (sensor, dict(upto))


def _other(session, letter, retained, now_s, done):
    sensor, message = letter.sensor, letter.message
    done.counts[sensor.name, counters.TAKEN] += 1
    if letter.leaf == topics.STATE:
        health.take_state(session, sensor.id, message, now_s, retained)
        if message["nonce"] and health.is_connected(message["state"]):
            _greet(session, sensor, message, now_s, done)
    elif letter.leaf == topics.INFO:
        health.take_info(session, sensor.id, message, None if retained else now_s)
    elif letter.leaf == topics.WANT:
        done.parts.append((sensor, rollout.part(session, message["sha256"], message["offset"])))
    elif letter.leaf == topics.LIVE:
        health.take_live(session, sensor.id, message, health.now_ms())
    elif letter.leaf == topics.ACK:
        commands.answered(session, sensor.id, message["id"], message["ok"], message["error"], now_s)


def _greet(session, sensor, message, now_s, done):
    """A sensor has connected: tell it the time, what is stored, and, once it is ready, what it should do."""
    done.connected.append((sensor, message["nonce"]))
    upto = dict(completeness.confirmation_of(session, sensor.id))
    if upto:
        earlier = done.confirm.get(sensor.name, (sensor, {}))[1]
        done.confirm[sensor.name] = (sensor, {**earlier, **upto})
    if message["state"] != messages.READY:
        return
    for command in commands.waiting_for(session, sensor.id, now_s):
        commands.mark_sent(command, now_s)
        done.orders.append((sensor, as_message(command)))


def due_orders(sessions, now_s: int) -> list:
    """Return [(sensor name, cmd message)] of the commands that should be sent now, and note that they are."""
    with sessions() as session:
        if not commands.due(session, now_s, limit=1):
            return []
    with sessions.begin() as session:
        orders = []
        for command in commands.due(session, now_s):
            commands.mark_sent(command, now_s)
            orders.append((command.sensor.name, as_message(command)))
        return orders


def as_message(command) -> dict:
    """Return a Command as it travels."""
    return messages.cmd(command.public_id, command.name, command.args, command.expires_s)
