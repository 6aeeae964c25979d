"""
The loop of the ingest process.

A message is acknowledged to the broker only after its transaction has committed; then a `stored`
message confirms it to the sensor. A bad message is counted and dropped; one that cannot be stored becomes a
dead letter. A failing database or disk ends the process with nothing acknowledged, so that the broker or the
sensor sends again.
"""

import contextlib
import gc
import signal
import ssl
import struct
import time
from collections import Counter

import paho.mqtt.client as mqtt
import structlog
from paho.mqtt.enums import CallbackAPIVersion
from sqlalchemy.exc import OperationalError

from ansim import topics
from server import clock, config, db, logging_setup, vault
from server.broker import topic_rules
from server.config import Settings
from server.ingest import batch, decode, messages_to_sensors, mqtt_client, single_instance
from server.ingest.decode import Message
from server.ingest.home_assistant import Discovery
from server.ingest.keyring import Keyring
from server.ingest.rejections import Rejections
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import completeness, counters, heartbeat, quotas
from server.services.intake.quotas import Limits, Quotas
from server.services.sensors import command_queue, rollout, sensor_status
from server.services.upkeep import leader_election
from server.services.upkeep.leader_election import Lease

LEADERS_LEAVES = (topics.STATE, topics.INFO, topics.ACK, topics.WANT)
KEEPALIVE_S = 30
QUIET_S = 0.003  # after so long without a message the batch is stored, full or not
IDLE_S = 0.2
BACKOFF_S = (0.1, 0.2, 0.5, 1, 2)
WARN_EVERY = 100  # failures to connect: every three minutes
COMMANDS_EVERY_S = 0.3
MAINTENANCE_EVERY_S = 10
DISCOVERY_EVERY_S = 10  # until a new sensor is announced to Home Assistant

_PUBACK = struct.Struct(">BBH")  # MQTT 3.1.1, section 3.4

log = structlog.get_logger()


class SubscriptionRefused(Exception):
    """The broker refuses a subscription that ingest needs."""


class Ingest:
    """One ingest process. run() returns after stop(), and raises unexpected exceptions."""

    def __init__(self, settings: Settings):
        keys = vault.open_vault(settings)
        self._settings = settings
        clock.use_zone(settings.time_zone)
        self._sessions = db.open_sessions(settings.url())
        self._vault = keys
        self._keyring = Keyring(self._sessions, keys)
        self._quotas = Quotas(Limits.of(settings))
        self._store = batch.BatchStore(self._sessions, Pseudonyms(keys), self._quotas)
        self._silence = sensor_status.SilenceDetector()
        self._password = settings.mqtt_password.get_secret_value() or keys.service_password(topic_rules.SERVICE)
        self._rejections = Rejections()
        self._confirmations = messages_to_sensors.Confirmations()
        self._time_replies = messages_to_sensors.TimeReplies()
        self._batch: list[tuple[Message, bool]] = []  # (message, retained) in the order they came
        self._packet_ids: list[int] = []  # to acknowledge once the batch is stored
        self._batch_began = 0.0  # on the monotonic clock
        self._next = dict.fromkeys(("lease", "commands", "maintenance", "heartbeat", "discovery"), 0.0)
        # Of several workers, the holder also receives all messages but reports, and sends commands.
        self._lead = Lease(self._sessions, leader_election.INGEST, settings.worker)
        self._discovery = Discovery() if settings.home_assistant else None
        self._stopping = False
        self._client: mqtt_client.Client = None  # pyright: ignore[reportAttributeAccessIssue]  # made by run()
        self._failures = 0  # to connect, in a row
        self.ready = False  # connected and subscribed
        self.totals: Counter[str] = Counter()  # outcome of counters.py -> messages since the start
        self.batches = 0  # stored since the start
        self.storing_s = 0.0  # spent storing them
        self.stored_at = 0.0  # the end of the newest, on the monotonic clock; 0: none yet

    def waiting_messages(self) -> int:
        """Return how many messages were received and not yet stored."""
        return len(self._batch)

    def stop(self, *_signal: object) -> None:
        """Make run() store its batch and return."""
        self._stopping = True

    def run(self) -> None:
        """Connect and store messages until stop()."""
        self._warm_up()
        self._client = self._make_client()
        connected = False
        while not self._stopping:
            connected = self._process() if connected else self._connect()
            if self.ready:
                self._failures = 0
            elif not connected:
                self._failures += 1
        self._store_batch()
        self._store.write_counts(clock.now_s(), at_exit=True)
        self._client.disconnect()
        self._lead.release()

    def _warm_up(self):
        """Load and compile what is slow at its first use, so that the first messages do not wait for it."""
        self._vault.unseal(self._vault.seal(b""))
        self._next["lease"] = time.monotonic() + leader_election.EVERY_S
        if self._lead.keep(time.monotonic()):
            self._run_maintenance()
            self._send_commands()

    def _make_client(self):
        settings = self._settings
        client = mqtt_client.Client(
            CallbackAPIVersion.VERSION2,
            client_id=f"{topic_rules.SERVICE}-{settings.worker}",
            clean_session=False,
            manual_ack=True,
        )
        client.username_pw_set(settings.mqtt_user or topic_rules.SERVICE, self._password)
        client.max_inflight_messages_set(1000)
        client.max_queued_messages_set(10_000)
        if settings.mqtt_ca:
            client.tls_set_context(ssl.create_default_context(cafile=str(settings.mqtt_ca)))
        client.on_connect = self._subscribe
        client.on_subscribe = self._note_subscribed
        return client

    def _connect(self):
        if self._failures:
            time.sleep(BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1])
        try:
            self._client.connect(self._settings.mqtt_host, self._settings.mqtt_port, KEEPALIVE_S)
            return True
        except OSError as error:
            self._warn("no broker there yet; trying again", error=type(error).__name__)
            return False

    def _warn(self, event, **details):
        """Log a failure to connect: the first one, then every WARN_EVERY-th."""
        if self._failures % WARN_EVERY == 0:
            log.warning(event, where=f"{self._settings.mqtt_host}:{self._settings.mqtt_port}", **details)

    def _subscribe(self, client, _data, _flags, reason, _properties):
        if reason.is_failure:
            self._warn("the broker refuses this account; trying again", reason=str(reason))
            return
        if self._discovery:
            self._discovery.forget()
            self._next["discovery"] = 0.0
        # Also after a reconnect: a restarted broker may have lost the subscriptions.
        group = self._settings.share_group
        reports = topics.everyone(topics.REPORT)
        client.subscribe([(f"$share/{group}/{reports}" if group else reports, 1)])
        self._subscribe_as_leader(client)

    def _subscribe_as_leader(self, client):
        """Receive the other messages if this worker leads; otherwise end what an earlier connection subscribed to."""
        if self._lead.is_held:
            filters = [(topics.everyone(leaf), 1) for leaf in LEADERS_LEAVES]
            client.subscribe([*filters, (topics.everyone(topics.LIVE), 0)])
        else:
            client.unsubscribe([topics.everyone(leaf) for leaf in (*LEADERS_LEAVES, topics.LIVE)])

    def _note_subscribed(self, _client, _data, _mid, reasons, _properties):
        if any(reason.is_failure for reason in reasons):
            raise SubscriptionRefused(
                f"the broker does not let {topic_rules.SERVICE} read what sensors write; check its access list"
            )
        if not self.ready:
            group = self._settings.share_group or None
            log.info("connected to the broker", worker=self._settings.worker, share_group=group)
        self.ready = True

    def _process(self):
        """
        Wait for messages, store the batch if it is time, run what is due; return False if the connection was lost.
        """
        has_batch = bool(self._batch or self._packet_ids)
        publishes, error = self._client.poll(QUIET_S if has_batch else self._idle_s())
        if publishes:
            self._receive(publishes)
        if error != mqtt.MQTT_ERR_SUCCESS:
            # The packet ids are the old connection's. The messages are stored all the same; the broker or the
            # sensor sends them again, and they are recognised as duplicates.
            if self.ready:
                log.warning("connection to the broker lost", reason=mqtt.error_string(error))
            self.ready = False
            self._packet_ids.clear()
            self._store_batch()
            return False
        now = time.monotonic()
        is_late = (now - self._batch_began) * 1000 >= self._settings.batch_wait_ms
        if (has_batch and (is_late or not publishes)) or self._is_full():
            self._store_batch()
        self._run_due(now)
        return True

    def _is_full(self):
        return max(len(self._batch), len(self._packet_ids)) >= self._settings.batch_messages

    def _idle_s(self):
        return messages_to_sensors.CONFIRM_EVERY_MS / 4000 if self._confirmations.is_waiting() else IDLE_S

    def _receive(self, publishes):
        """Put messages from the broker into the batch or reject them. Both are acknowledged with the batch."""
        if not self._batch and not self._packet_ids:
            self._batch_began = time.monotonic()
        now = time.monotonic()
        for topic, payload, packet_id, retained in publishes:
            if packet_id:
                self._packet_ids.append(packet_id)
            try:
                message = decode.decode(self._keyring, topic, payload, now)
                self._check_quotas(message.sensor.name, len(payload), now)
                self._batch.append((message, retained))
                if message.problem:  # counted when its number is stored
                    self._rejections.warn(counters.MALFORMED, message.sensor.name, message.problem, now)
            except decode.RejectedMessage as rejected:
                self._rejections.add(rejected.reason, rejected.sensor, rejected.detail, now)
            except Exception as error:
                if batch.is_outage(error):
                    raise
                self._rejections.add(counters.POISON, "", batch.reason_of(error), now)

    def _check_quotas(self, name, size, now):
        """Raise RejectedMessage if a sensor has sent too much. The embedded broker has slowed it down before."""
        for quota, amount in ((quotas.MESSAGES, 1), (quotas.BYTES, size)):
            if self._quotas.wait_s(name, quota, amount, now) > 0:
                raise decode.RejectedMessage(counters.OVER_QUOTA, name, f"more {quota} than its quota")

    def _store_batch(self):
        """Store the batch; then acknowledge, confirm and reply."""
        packet_ids, self._packet_ids = self._packet_ids, []
        messages, self._batch = self._batch, []
        rejected = self._rejections.take_counts()
        if not (messages or packet_ids or rejected):
            return
        began = time.monotonic()
        result = self._store_when_unlocked(messages, rejected)
        self.stored_at = time.monotonic()
        self.storing_s += self.stored_at - began
        self.batches += 1
        for (name, outcome), count in result.counts.items():
            self.totals[outcome] += count
            if outcome == counters.CONFLICT:
                self._rejections.warn(outcome, name, "another report has this number", time.monotonic())
            elif outcome == counters.OVER_QUOTA and (name, outcome) not in rejected:
                self._rejections.warn(
                    outcome, name, "more reports than its quota, or too large a gap", time.monotonic()
                )
        self._reply(result, packet_ids)

    def _store_when_unlocked(self, messages, rejected):
        """Store; while another process locks SQLite for longer than db.BUSY_MS, try again."""
        is_first = True
        while True:
            try:
                return self._store.store(messages, rejected, clock.now_s())
            except OperationalError as error:
                if self._stopping or "database is locked" not in str(error.orig):
                    raise
                if is_first:
                    log.warning("another process locks the database; trying again")
                is_first = False

    def _reply(self, result, packet_ids):
        now_s = clock.now_s()
        for sensor, upto in result.confirmations.values():
            self._confirm(sensor, upto)
        messages = [(sensor, topics.CMD, fields) for sensor, fields in result.commands]
        messages += [(sensor, topics.PART, fields) for sensor, fields in result.parts]
        for sensor, nonce in result.connected:
            command = self._time_replies.make(sensor, nonce, now_s, time.monotonic())
            if command:
                messages.append((sensor, topics.CMD, command))
        self._publish(packet_ids, messages)

    def _confirm(self, sensor, upto):
        if not self._confirmations.has(sensor.name):
            with self._sessions() as session:
                upto = {**completeness.confirmation_of(session, sensor.id), **upto}
        self._confirmations.add(sensor, upto)

    def _publish(self, packet_ids, messages):
        """Acknowledge and publish with one system call. Messages that are lost with the connection are sent again."""
        confirmations = self._confirmations.due(time.monotonic())
        messages = messages + [(sensor, topics.STORED, fields) for sensor, fields in confirmations]
        if not (packet_ids or messages) or not (self._client and self._client.is_connected()):
            return
        self._client.buffered.corked = True
        self._acknowledge(packet_ids)
        for sensor, leaf, fields in messages:
            topic, payload = messages_to_sensors.seal_message(sensor, leaf, fields)
            self._client.publish(topic, payload, qos=1, retain=leaf == topics.STORED)
        with contextlib.suppress(OSError):  # the next poll() reports the lost connection
            self._client.buffered.flush()

    def _acknowledge(self, packet_ids):
        if self._client.want_write():
            for packet_id in packet_ids:
                self._client.ack(packet_id, 1)
        else:
            # paho has nothing to write, so whole packets can bypass it, at a tenth of the cost.
            self._client.buffered.send(b"".join(_PUBACK.pack(0x40, 2, packet_id) for packet_id in packet_ids))

    def _run_due(self, now):
        """Run the periodic jobs that are due."""
        self._store.write_counts(clock.now_s())
        if self._confirmations.is_waiting():
            self._publish([], [])
        if now >= self._next["lease"]:
            self._next["lease"] = now + leader_election.EVERY_S
            self._keep_lease(now)
        if not self._lead.is_held:
            return
        if now >= self._next["commands"]:
            self._next["commands"] = now + COMMANDS_EVERY_S
            self._send_commands()
        if now >= self._next["maintenance"]:
            self._next["maintenance"] = now + MAINTENANCE_EVERY_S
            self._run_maintenance()
        if self._discovery and self.ready and now >= self._next["discovery"]:
            self._next["discovery"] = now + DISCOVERY_EVERY_S
            self._announce(self._discovery)
        if self.ready and now >= self._next["heartbeat"]:
            self._next["heartbeat"] = now + heartbeat.EVERY_S
            heartbeat.beat(self._settings.data)

    def _keep_lease(self, now):
        was_held = self._lead.is_held
        if self._lead.keep(now) != was_held:
            log.info("leads the ingest workers" if self._lead.is_held else "does not lead the ingest workers any more")
            if self._client.is_connected():
                self._subscribe_as_leader(self._client)

    def _send_commands(self):
        now_s = clock.now_s()
        messages = []
        for name, fields in batch.take_due_commands(self._sessions, now_s):
            sensor = self._keyring.find(name, time.monotonic())
            if sensor and not sensor.revoked:
                messages.append((sensor, topics.CMD, fields))
        if messages:
            self._publish([], messages)

    def _announce(self, discovery):
        with self._sessions() as session:
            due = discovery.due(session)
        for topic, payload in due:
            self._client.publish(topic, payload, qos=1, retain=True)

    def _run_maintenance(self):
        now_s = clock.now_s()
        with self._sessions.begin() as session:
            silent = self._silence.detect(session, now_s, self._settings.silent_after_s)
            over_quota = sensor_status.notify_over_quota(session, now_s)
            command_queue.expire(session, now_s)
            sensor_status.forget_proximity(session, clock.now_ms())
            stopped = [stopped.why for stopped in rollout.tick(session, self._vault, now_s)]
        for name in silent:
            log.warning("sensor has fallen silent", sensor=name)
        for name in over_quota:
            log.warning("sensor is over its quota", sensor=name)
        for why in stopped:
            log.warning("a rollout has stopped by itself", why=why)


def tune_garbage_collector() -> None:
    """
    Make Python's garbage collector run less often and skip the loaded modules.

    A decoded message has some twenty lists; by default every few dozen messages start a collection, and the
    collections take four times as long as the decoding. This process makes few reference cycles.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def run(settings: Settings) -> None:
    """Migrate the database, then store the sensors' messages until interrupted."""
    from server import migrations

    config.make_files_private()
    logging_setup.configure(settings.log_format)
    migrations.upgrade(settings)
    vault.check(settings, db.open_sessions(settings.url()))
    tune_garbage_collector()
    _lock = single_instance.wait_for_turn(settings)  # held until the process ends
    process = Ingest(settings)
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, process.stop)
    if settings.ingest_metrics_port:
        from server.ingest import metrics

        metrics.serve(settings.ingest_metrics_port, process)
    process.run()
