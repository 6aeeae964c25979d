"""Store many messages in one transaction."""

import time
import traceback
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import structlog
from sqlalchemy.exc import DatabaseError, DBAPIError, InterfaceError, InternalError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeout
from sqlalchemy.orm import Session, sessionmaker

from ansim import messages, topics
from server import clock
from server.ingest import decode
from server.ingest.decode import Message
from server.ingest.keyring import SensorKey
from server.models.sensors import Command
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import completeness, counters, dead_letters
from server.services.intake import idempotent_store as reports
from server.services.intake.idempotent_store import ReceivedReport
from server.services.intake.quotas import Quotas
from server.services.sensors import command_queue, rollout, sensor_status

COUNTS_EVERY_S = 1
_SERVER = Path(__file__).parents[1]

log = structlog.get_logger()


class BatchResult(NamedTuple):
    """What to publish, and what to count, once the transaction has committed."""

    confirmations: dict[str, tuple[SensorKey, dict[int, int]]]  # sensor name -> (sensor, {boot: upto})
    connected: list[tuple[SensorKey, str]]  # (sensor, nonce): these have just connected and wait for the time
    commands: list[tuple[SensorKey, dict]]  # cmd messages
    parts: list[tuple[SensorKey, dict]]  # part messages
    counts: Counter[tuple[str, str]]  # (sensor name, outcome of counters.py)


class BatchStore:
    """Stores batches. Its state between batches may be lost with the process."""

    def __init__(self, sessions: sessionmaker[Session], pseudonyms: Pseudonyms, quotas: Quotas | None = None):
        self._sessions = sessions
        self._quotas = quotas
        self._pseudonyms = pseudonyms
        self._counts: Counter[tuple[str, str]] = Counter()  # not yet written to the database
        self._counts_due = 0.0  # on the monotonic clock, as all intervals here
        self._seen: dict[int, float] = {}  # row number of a sensor -> when `last_seen_s` was last written

    def store(self, batch: list[tuple[Message, bool]], rejected: Counter[tuple[str, str]], now_s: int) -> BatchResult:
        """
        Store messages; a message that makes its transaction fail becomes a dead letter.

        batch     [(Message, retained)], in the order they came
        rejected  Counter of (sensor name, reason) of the messages that were dropped

        If the database or the disk fails, the exception passes: acknowledge nothing then.
        """
        try:
            return self._store(batch, rejected, now_s)
        except Exception as error:
            self._pseudonyms.forget_keys()
            if not batch or is_outage(error):
                raise
            if len(batch) == 1:
                return self._store_dead_letter(batch[0][0], rejected, error, now_s)
        middle = len(batch) // 2
        result = self.store(batch[:middle], rejected, now_s)
        _merge(result, self.store(batch[middle:], Counter(), now_s))
        return result

    def _store(self, batch, rejected, now_s):
        """Store messages; all of them or, with an exception, none."""
        result = BatchResult({}, [], [], [], Counter(rejected))
        now = time.monotonic()
        seen = self._newly_seen(batch, now)
        write_counts = bool(rejected) or now >= self._counts_due
        with self._sessions.begin() as session:
            received = [message for message, _ in batch if message.leaf == topics.REPORT]
            self._store_reports(session, received, now_s, result)
            for message, retained in batch:
                if message.leaf != topics.REPORT:
                    _handle(session, message, retained, now_s, result)
            sensor_status.heard(session, seen, now_s)
            if write_counts:
                counters.add(session, self._counts + result.counts, now_s)
        self._seen.update(dict.fromkeys(seen, now))
        if write_counts:
            self._counts = Counter()
            self._counts_due = now + COUNTS_EVERY_S
        else:
            self._counts.update(result.counts)
        return result

    def _store_dead_letter(self, message, rejected, error, now_s):
        sensor = message.sensor
        topic, reason = topics.topic(sensor.name, message.leaf), reason_of(error)
        result = BatchResult({}, [], [], [], Counter(rejected))
        result.counts[sensor.name, counters.POISON] += 1
        with self._sessions.begin() as session:
            dead_letters.add(session, sensor.name, topic, reason, message.body, now_s)
        log.error(
            "a message could not be stored; it is kept as a dead letter", sensor=sensor.name, topic=topic, why=reason
        )
        if message.leaf == topics.REPORT:
            self._store_number(message, now_s, result)
        self._counts.update(result.counts)
        return result

    def _store_number(self, message, now_s, result):
        """Store a report without its content: later reports are confirmed only together with it."""
        number_only = message._replace(fields=decode.unreadable(message.fields["boot"], message.fields["seq"]))
        number_result = BatchResult({}, [], [], [], Counter())
        try:
            with self._sessions.begin() as session:
                self._store_reports(session, [number_only], now_s, number_result)
        except Exception as error:
            if is_outage(error):
                raise
            log.error(
                "the number of the dead letter could not be stored either",
                sensor=message.sensor.name,
                why=reason_of(error),
            )
            return
        result.confirmations.update(number_result.confirmations)

    def _store_reports(self, session, received, now_s, result):
        if not received:
            return
        sensors = {message.sensor.id: message.sensor for message in received}
        batch = [ReceivedReport(message.sensor.id, message.fields, message.body) for message in received]
        now, quotas = time.monotonic(), self._quotas

        def admit(report, highest):
            return quotas is None or quotas.admit(sensors[report.sensor_id].name, report.message, highest, now)

        recorded = reports.record(session, self._pseudonyms, batch, now_s, admit)
        for outcome, group in (
            (counters.STORED, recorded.stored),
            (counters.DUPLICATE, recorded.duplicates),
            (counters.CONFLICT, recorded.conflicts),
            (counters.OVER_QUOTA, recorded.over_quota),
        ):
            for report in group:
                unreadable = outcome == counters.STORED and report.message["kind"] == reports.UNREADABLE
                result.counts[sensors[report.sensor_id].name, counters.MALFORMED if unreadable else outcome] += 1
        for outcome, counts in ((counters.CHAIN_BROKEN, recorded.chain_broken), (counters.DROPPED, recorded.dropped)):
            for sensor_id, count in counts.items():
                result.counts[sensors[sensor_id].name, outcome] += count
        for sensor_id, upto in recorded.confirm.items():
            sensor = sensors[sensor_id]
            result.confirmations[sensor.name] = (sensor, upto)

    def write_counts(self, now_s: int, at_exit: bool = False) -> None:
        """Write the counts to the database if they are a second old, or at exit."""
        now = time.monotonic()
        if self._counts and (at_exit or now >= self._counts_due):
            with self._sessions.begin() as session:
                counters.add(session, self._counts, now_s)
            self._counts = Counter()
            self._counts_due = now + COUNTS_EVERY_S

    def _newly_seen(self, batch, now):
        """Return the row numbers of the sensors whose `last_seen_s` should be written again."""
        seen = {message.sensor.id for message, retained in batch if not retained}
        return {
            sensor_id
            for sensor_id in seen
            if sensor_id not in self._seen or now - self._seen[sensor_id] >= sensor_status.SEEN_EVERY_S
        }


def is_outage(error: Exception) -> bool:
    """Return True if an exception says that the database or the disk fails, whatever the messages are."""
    if isinstance(error, DBAPIError) and error.connection_invalidated:
        return True
    # sqlite3 raises plain DatabaseError for a damaged file.
    outages = (OperationalError, InterfaceError, InternalError, PoolTimeout, OSError, MemoryError)
    return isinstance(error, outages) or type(error) is DatabaseError


def reason_of(error: Exception) -> str:
    """Return the exception's name and the function of ours that it came from, without any value of the message."""
    name = type(error.orig if isinstance(error, DBAPIError) else error).__name__
    frames = [
        frame for frame in traceback.extract_tb(error.__traceback__) if Path(frame.filename).is_relative_to(_SERVER)
    ]
    return f"{name} in {Path(frames[-1].filename).stem}.{frames[-1].name}" if frames else name


def _merge(result, later):
    """Add the result of later messages to that of earlier ones."""
    for name, (sensor, upto) in later.confirmations.items():
        earlier = result.confirmations.get(name, (sensor, {}))[1]
        result.confirmations[name] = (sensor, {**earlier, **upto})
    result.connected.extend(later.connected)
    result.commands.extend(later.commands)
    result.parts.extend(later.parts)
    result.counts.update(later.counts)


def _handle(session, message, retained, now_s, result):
    """Handle a message that is not a report."""
    sensor, fields = message.sensor, message.fields
    result.counts[sensor.name, counters.ACCEPTED] += 1
    if message.leaf == topics.STATE:
        sensor_status.take_state(session, sensor.id, fields, now_s, retained)
        if fields["nonce"] and sensor_status.is_connected(fields["state"]):
            _handle_connect(session, sensor, fields, now_s, result)
    elif message.leaf == topics.INFO:
        sensor_status.take_info(session, sensor.id, fields, None if retained else now_s)
    elif message.leaf == topics.WANT:
        result.parts.append((sensor, rollout.part(session, fields["sha256"], fields["offset"])))
    elif message.leaf == topics.LIVE:
        sensor_status.take_live(session, sensor.id, fields, clock.now_ms())
    elif message.leaf == topics.ACK:
        command_queue.acknowledge(session, sensor.id, fields["id"], fields["ok"], fields["error"], now_s)


def _handle_connect(session, sensor, fields, now_s, result):
    """Answer a sensor that has connected: with the time, a confirmation and, once it is ready, its open commands."""
    result.connected.append((sensor, fields["nonce"]))
    upto = completeness.confirmation_of(session, sensor.id)
    if upto:
        earlier = result.confirmations.get(sensor.name, (sensor, {}))[1]
        result.confirmations[sensor.name] = (sensor, {**earlier, **upto})
    if fields["state"] != messages.READY:
        return
    for command in command_queue.waiting_for(session, sensor.id, now_s):
        command_queue.mark_sent(command, now_s)
        result.commands.append((sensor, command_message(command)))


def take_due_commands(sessions: sessionmaker[Session], now_s: int) -> list[tuple[str, dict]]:
    """Return [(sensor name, cmd message)] of the commands that are due, and mark them as sent."""
    with sessions() as session:
        if not command_queue.due(session, now_s, limit=1):
            return []
    with sessions.begin() as session:
        due = []
        for command in command_queue.due(session, now_s):
            command_queue.mark_sent(command, now_s)
            due.append((command.sensor.name, command_message(command)))
        return due


def command_message(command: Command) -> dict:
    """Return the cmd message of a Command."""
    return messages.cmd(command.public_id, command.name, command.args, command.expires_s)
