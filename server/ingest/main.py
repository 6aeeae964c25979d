"""
The loop of the ingest process.

A message is acknowledged to the broker only after its transaction has committed; then the
sensor is told what is stored. A bad message is counted and dropped. Anything unexpected
ends the process with nothing acknowledged, so that broker or sensor send it again.
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

from ansim import topics
from server import clock, db, logging_setup, vault
from server.broker import topic_rules
from server.ingest import batch, decode, mqtt_client, outgoing
from server.ingest.keyring import Keyring
from server.ingest.rejections import Refusals
from server.services.findings.pseudonyms import Pseudonyms
from server.services.intake import completeness, counters
from server.services.sensors import commands, enrolment, health, rollout

LEADER = "1"  # the worker that, beside reports, takes what comes on unshared topics and sends commands
KEEPALIVE_S = 30
QUIET_S = 0.003  # nothing more comes for so long: do not wait for the batch to fill
IDLE_S = 0.2
BACKOFF_S = (0.1, 0.2, 0.5, 1, 2)
COMPLAIN_EVERY = 100  # failures to connect, so every three minutes
COMMANDS_EVERY_S = 0.3
WATCH_EVERY_S = 10

_PUBACK = struct.Struct(">BBH")  # MQTT 3.1.1, section 3.4

log = structlog.get_logger()


class Refused(Exception):
    """The broker does not give us what we need."""


class Ingest:
    """One ingest process. run() returns after stop(), or raises what it did not expect."""

    def __init__(self, settings):
        keys = vault.open_vault(settings)
        self._settings = settings
        self._sessions = db.open_sessions(settings.url())
        self._vault = keys
        self._keyring = Keyring(self._sessions, keys)
        self._store = batch.Store(self._sessions, Pseudonyms(keys))
        self._password = settings.mqtt_password.get_secret_value() or keys.service_password(topic_rules.SERVICE)
        self._refusals = Refusals()
        self._confirmations = outgoing.Confirmations()
        self._greetings = outgoing.Greetings()
        self._letters = []  # [(Letter, retained)] of the batch that is being filled
        self._mids = []  # packet ids to acknowledge once it is stored
        self._began = 0.0  # when the batch began
        self._next = dict.fromkeys(("commands", "watch"), 0.0)
        self._leads = settings.worker == LEADER
        self._stopping = False
        self._client = None
        self._failures = 0  # to connect, one after the other
        self.ready = False  # connected and subscribed
        self.totals = Counter()  # word of tally.py -> how many since the start

    def stop(self, *_signal) -> None:
        """Make run() finish its batch and return."""
        self._stopping = True

    def run(self) -> None:
        """Connect, and store until stop()."""
        self._warm_up()
        self._client = self._make_client()
        connected = False
        while not self._stopping:
            connected = self._turn() if connected else self._connect()
            if self.ready:
                self._failures = 0
            elif not connected:
                self._failures += 1
        self._flush()
        self._store.write_tallies(clock.now_s(), at_the_end=True)
        self._client.disconnect()

    def _warm_up(self):
        """Do everything once that is slow the first time, so that the first messages need not wait for it."""
        self._vault.unseal(self._vault.seal(b""))
        if self._leads:
            self._watch()
            self._send_commands()

    def _make_client(self):
        settings = self._settings
        client = mqtt_client.Client(
            mqtt.CallbackAPIVersion.VERSION2,
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
        client.on_subscribe = self._subscribed
        return client

    def _connect(self):
        if self._failures:
            time.sleep(BACKOFF_S[min(self._failures, len(BACKOFF_S)) - 1])
        try:
            self._client.connect(self._settings.mqtt_host, self._settings.mqtt_port, KEEPALIVE_S)
            return True
        except OSError as error:
            self._complain("no broker there yet; trying again", error=type(error).__name__)
            return False

    def _complain(self, event, **more):
        """Log a failure to connect: the first one, and then one in a while."""
        if self._failures % COMPLAIN_EVERY == 0:
            log.warning(event, where=f"{self._settings.mqtt_host}:{self._settings.mqtt_port}", **more)

    def _subscribe(self, client, _data, _flags, reason, _properties):
        if reason.is_failure:
            self._complain("the broker refuses this account; trying again", reason=str(reason))
            return
        # Also after a reconnect: a broker that was restarted may have forgotten.
        group = self._settings.share_group
        reports = topics.everyone(topics.REPORT)
        filters = [(f"$share/{group}/{reports}" if group else reports, 1)]
        if self._leads:
            filters += [(topics.everyone(leaf), 1) for leaf in (topics.STATE, topics.INFO, topics.ACK, topics.WANT)]
            filters.append((topics.everyone(topics.LIVE), 0))
        client.subscribe(filters)

    def _subscribed(self, _client, _data, _mid, reasons, _properties):
        if any(reason.is_failure for reason in reasons):
            raise Refused(
                f"the broker does not let {topic_rules.SERVICE} read what sensors write; check its access list"
            )
        self.ready = True
        log.info(
            "connected to the broker", worker=self._settings.worker, share_group=self._settings.share_group or None
        )

    def _turn(self):
        """Wait for messages, store what there is, do what is due; return False if the connection was lost."""
        waits = bool(self._letters or self._mids)
        found, reply = self._client.turn(QUIET_S if waits else self._idle_s())
        if found:
            self._take(found)
        if reply != mqtt.MQTT_ERR_SUCCESS:
            # The packet ids are the old connection's. What was read is stored all the same; the broker or
            # the sensor sends it again, and it is recognised then.
            if self.ready:
                log.warning("connection to the broker lost", reason=mqtt.error_string(reply))
            self.ready = False
            self._mids.clear()
            self._flush()
            return False
        now = time.monotonic()
        late = (now - self._began) * 1000 >= self._settings.batch_wait_ms
        if (waits and (late or not found)) or self._is_full():
            self._flush()
        self._tick(now)
        return True

    def _is_full(self):
        return max(len(self._letters), len(self._mids)) >= self._settings.batch_messages

    def _idle_s(self):
        return outgoing.CONFIRM_EVERY_MS / 4000 if self._confirmations.is_waiting() else IDLE_S

    def _take(self, deliveries):
        """Messages from the broker: into the batch, or dropped. Acknowledged with the batch either way."""
        if not self._letters and not self._mids:
            self._began = time.monotonic()
        now_s = clock.now_s()
        for topic, payload, mid, retained in deliveries:
            if mid:
                self._mids.append(mid)
            try:
                self._letters.append((decode.read(self._keyring, topic, payload, now_s), retained))
            except decode.Bad as bad:
                self._refusals.add(bad.why, bad.sensor, bad.detail, now_s)

    def _flush(self):
        """Store the batch; then acknowledge, confirm and answer."""
        mids, self._mids = self._mids, []
        filled, self._letters = self._letters, []
        refused = self._refusals.take_counts()
        if not (filled or mids or refused):
            return
        done = self._store.store(filled, refused, clock.now_s())
        for (name, what), count in done.counts.items():
            self.totals[what] += count
            if what == counters.CONFLICT:
                self._refusals.say(what, name, "another report has this number", clock.now_s())
        self._answer(done, mids)

    def _answer(self, done, mids):
        now_s = clock.now_s()
        for sensor, upto in done.confirm.values():
            self._confirm(sensor, upto)
        outgoing_messages = [(sensor, topics.CMD, message) for sensor, message in done.orders]
        outgoing_messages += [(sensor, topics.PART, message) for sensor, message in done.parts]
        for sensor, nonce in done.connected:
            message = self._greetings.time_for(sensor, nonce, now_s)
            if message:
                outgoing_messages.append((sensor, topics.CMD, message))
        self._send(mids, outgoing_messages)

    def _confirm(self, sensor, upto):
        if not self._confirmations.knows(sensor.name):
            with self._sessions() as session:
                upto = {**dict(completeness.confirmation_of(session, sensor.id)), **upto}
        self._confirmations.add(sensor, upto)

    def _send(self, mids, messages):
        """Acknowledge and publish, with one system call. What is lost with the connection comes again."""
        messages = messages + [
            (sensor, topics.STORED, message) for sensor, message in self._confirmations.due(health.now_ms())
        ]
        if not (mids or messages) or not (self._client and self._client.is_connected()):
            return
        self._client.wire.corked = True
        self._acknowledge(mids)
        for sensor, leaf, message in messages:
            topic, payload = outgoing.sealed(sensor, leaf, message)
            self._client.publish(topic, payload, qos=1, retain=leaf == topics.STORED)
        with contextlib.suppress(OSError):  # the next turn finds the connection gone
            self._client.wire.flush()

    def _acknowledge(self, mids):
        if self._client.want_write():
            for mid in mids:
                self._client.ack(mid, 1)
        else:
            # Nothing of paho's waits to be written, so whole packets may pass by it, at a tenth of the cost.
            self._client.wire.send(b"".join(_PUBACK.pack(0x40, 2, mid) for mid in mids))

    def _tick(self, now):
        """What is done by the clock."""
        self._store.write_tallies(clock.now_s())
        if self._confirmations.is_waiting():
            self._send([], [])
        if not self._leads:
            return
        if now >= self._next["commands"]:
            self._next["commands"] = now + COMMANDS_EVERY_S
            self._send_commands()
        if now >= self._next["watch"]:
            self._next["watch"] = now + WATCH_EVERY_S
            self._watch()

    def _send_commands(self):
        now_s = clock.now_s()
        orders = []
        for name, message in batch.due_orders(self._sessions, now_s):
            sensor = self._keyring.find(name, now_s)
            if sensor and not sensor.revoked:
                orders.append((sensor, topics.CMD, message))
        if orders:
            self._send([], orders)

    def _watch(self):
        now_s = clock.now_s()
        with self._sessions.begin() as session:
            silent = enrolment.watch(session, now_s, self._settings.silent_after_s)
            commands.expire(session, now_s)
            health.forget_proximity(session, health.now_ms())
            stopped = [one.why for one in rollout.tick(session, self._vault, now_s)]
        for name in silent:
            log.warning("sensor has fallen silent", sensor=name)
        for why in stopped:
            log.warning("a rollout has stopped by itself", why=why)


def calm_collector() -> None:
    """
    Keep Python's garbage collector from walking over all loaded modules again and again.

    A decoded message is some twenty lists; without this every few dozen messages start a collection, and the
    collections take four times as long as the decoding. Nothing here makes cycles that would have to wait.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(100_000, 20, 100)


def run(settings) -> None:
    """Store what sensors report until interrupted. Brings the database up to date first."""
    from server import migrations

    logging_setup.configure(settings.log_format)
    migrations.upgrade(settings)
    calm_collector()
    process = Ingest(settings)
    signal.signal(signal.SIGTERM, process.stop)
    signal.signal(signal.SIGINT, process.stop)
    if settings.ingest_metrics_port:
        from server.ingest import metrics

        metrics.serve(settings.ingest_metrics_port, process.totals)
    process.run()
