"""
One connection to the broker: announce the sensor, deliver the journal, receive `stored`, parts and commands.

    session = Session(settings, key, journal, clock, commands, info_fields, live)
    try:
        await mqtt_session.open(tls)
        await mqtt_session.wait_until(lambda: ...)       # or None: until the connection ends
    finally:
        await mqtt_session.close(messages.SLEEPING)

A report leaves the journal only by the server's `stored`; the broker's PUBACK only paces the sending. If `stored` does
not come, the oldest report is sent again at growing intervals, and the others wait for a sign of the server: its time,
a command or `stored`. Otherwise many sensors would fill the broker while the server is away.
"""

import asyncio
import binascii
import os

from ansim import envelope, messages, topics
from ansim.decode import BadMessage, decode_message
from firmware.network.mqtt import BrokerError, Client, TimedOut

MARK_REPORTS = 16  # reports between two marks
MAX_MARKS = 4  # with this many marks unconfirmed, sending waits for the server
RESEND_MS = 10_000
MAX_RESEND_MS = 300_000
MAX_RESENDS = 3  # without progress, before the journal is checked for missing reports
INFO_MS = 300_000
PART_S = 10
TICK_S = 1
CLOSE_S = 2


class Session:
    """
    settings, key  see ansim/settings.py; the key's 32 bytes
    journal, clock, commands   see their files
    info_fields    function() -> the fields of the info message
    live           an Outbox of the arguments of messages.live()

    ready_ms        when the broker had acknowledged "ready", None before
    info_requested  set it to publish an info message soon
    """

    def __init__(self, settings, key, journal, clock, commands, info_fields, live):
        device = settings["device"]
        self.ready_ms = None
        self.info_requested = False
        self._settings = settings
        self._key = key
        self._journal = journal
        self._clock = clock
        self._commands = commands
        self._info_fields = info_fields
        self._live = live
        self._device = device
        topic, will_parts = self._seal(topics.STATE, messages.state(journal.boot, messages.LOST, ""))
        will = topic, b"".join(will_parts)
        self._client = Client(device, device, envelope.broker_password(key), will, settings["keepalive_s"])
        self._nonce = ""
        self._tasks = []
        self._after = None
        self._failure = None
        self._woken = asyncio.Event()
        self._stored = {}  # boot -> seq, as the newest `stored` said
        self._unanswered_ms = None  # since when `stored` is expected
        self._resend_ms = RESEND_MS
        self._probes = 1  # reports that may be sent before a sign of the server; None: any number
        self._resends = 0
        self._part = None  # the newest `part` message
        self._parts_subscribed = False

    async def open(self, tls) -> None:
        """Connect, subscribe, announce; then deliver and handle messages in the background. Raises BrokerError."""
        client = self._client
        await client.connect(self._settings["broker"], self._settings["port"], tls)
        self._start(self._receive())
        for leaf in (topics.CMD, topics.STORED):
            await client.subscribe(self._topic(leaf))
        self._nonce = binascii.hexlify(os.urandom(8)).decode()
        self._clock.nonce = self._nonce
        # A retained `stored` arrives with the subscription, before the first report is sent.
        await self._publish_state(messages.INIT)
        await self._publish(topics.INFO, messages.info(self._info_fields()), retain=True)
        await self._publish_state(messages.READY)
        self.ready_ms = self._clock.now_ms()
        self._start(self._deliver())
        self._start(self._send_info())
        self._start(self._send_live())

    async def wait_until(self, is_done, timeout_s=None) -> bool:
        """
        Wait until is_done() is true; checked after each received message, and each TICK_S.

        Returns False after timeout_s. Raises BrokerError if the connection ends, and any other exception of the
        background tasks.
        """
        waited_s = 0
        while not (is_done and is_done()):
            if self._failure:
                raise self._failure
            if timeout_s is not None and waited_s >= timeout_s:
                return False
            self._woken.clear()
            step_s = TICK_S if timeout_s is None else min(TICK_S, timeout_s - waited_s)
            before_ms = self._clock.now_ms()
            try:
                await asyncio.wait_for(self._woken.wait(), step_s)
            except TimedOut:
                pass
            waited_s += max(0.001, (self._clock.now_ms() - before_ms) / 1000)
        return True

    async def fetch(self, sha256: str, offset: int):
        """
        Request a part of a file from the server; return its bytes, b"" at the file's end, None without an answer.

        Raises BrokerError if the connection ends.
        """
        if not self._parts_subscribed:
            await self._client.subscribe(self._topic(topics.PART))
            self._parts_subscribed = True
        self._part = None
        await self._publish(topics.WANT, messages.want(self._journal.boot, sha256, offset))
        if not await self.wait_until(lambda: self._has_part(sha256, offset), PART_S):
            return None
        data, self._part = self._part["data"], None  # pyright: ignore[reportOptionalSubscript]
        return binascii.a2b_base64(data)

    def _has_part(self, sha256, offset):
        part = self._part
        return part is not None and part["sha256"] == sha256 and part["offset"] == offset

    def wake(self) -> None:
        """Let wait_until() check again."""
        self._woken.set()

    @property
    def is_quiet(self) -> bool:
        """True if no received message waits and the server has answered with its time."""
        return not self._client.pending and self._clock.nonce != self._nonce

    async def close(self, state) -> None:
        """
        Publish `state` (SLEEPING, DISCONNECTED) if that is still possible, and disconnect. Never raises.

        With None no state is published, and the broker publishes the will.
        """
        orderly = state is not None and self.ready_ms is not None and not self._failure
        if orderly:
            try:
                await asyncio.wait_for(self._publish_state(state), CLOSE_S)
            except (BrokerError, TimedOut, MemoryError):
                orderly = False
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        await self._client.disconnect(orderly)

    # Background tasks

    def _start(self, coroutine):
        self._tasks.append(asyncio.create_task(self._guard(coroutine)))

    async def _guard(self, coroutine):
        try:
            await coroutine
        except Exception as error:
            self._failure = self._failure or error  # wait_until() raises it
            self._woken.set()

    async def _receive(self):
        while True:
            topic, payload = await self._client.receive()  # pyright: ignore[reportGeneralTypeIssues]
            if topic == self._topic(topics.STORED):
                self._handle_stored(payload)
            elif topic == self._topic(topics.CMD):
                await self._handle_command(payload)
            elif topic == self._topic(topics.PART):
                self._handle_part(payload)
            topic = payload = None  # freed while waiting
            self._woken.set()

    def _handle_stored(self, payload):
        """Free the reports that the server holds. A message that is not signed by our key has no effect."""
        try:
            body = envelope.unseal(self._key, self._topic(topics.STORED), payload)
            rows = decode_message(topics.STORED, body)["upto"]
        except (envelope.BadEnvelope, BadMessage) as error:
            print("rejected a stored message:", error)
            return
        journal = self._journal
        if journal.is_behind(rows):
            journal.continue_as(max([row[0] for row in rows]) + 1)
            if self._clock.time_s() is not None:
                journal.append(messages.CLOCK, self._clock.report_body())
        self._stored = {row[0]: row[1] for row in rows}
        if journal.confirm(rows):
            self._resends = 0
            self._unanswered_ms = self._clock.now_ms()
        if self._unanswered_ms is not None:  # otherwise it may be the retained one, and old
            self._note_server()

    def _handle_part(self, payload):
        try:
            body = envelope.unseal(self._key, self._topic(topics.PART), payload)
            self._part = decode_message(topics.PART, body)
        except (envelope.BadEnvelope, BadMessage) as error:
            print("rejected a part message:", error)

    def _note_server(self):
        """Note a sign of the server, so that _deliver() continues."""
        self._probes = None
        self._resend_ms = RESEND_MS
        self._journal.appended.set()

    async def _handle_command(self, payload):
        answer = await self._commands.handle(payload)
        self._report_clock()
        if answer:
            if not answer.error:
                self._note_server()
            ack = messages.ack(self._journal.boot, answer.command_id, answer.error)
            await self._publish(topics.ACK, ack, wait=answer.after is not None)
            if answer.after:
                result = answer.after()
                if hasattr(result, "send"):  # async; not in this task, which it may end
                    self._after = asyncio.create_task(result)

    def _report_clock(self) -> None:
        """Report the time of day if it has changed."""
        if self._clock.take_change():
            self._journal.append(messages.CLOCK, self._clock.report_body())

    async def _deliver(self):
        journal, topic = self._journal, self._topic(topics.REPORT)
        cursor, marks, sent, newest = journal.cursor(), [], 0, (0, 0)
        while True:
            marks = [mark for mark in marks if not journal.is_confirmed(mark[0], mark[1])]
            journal.appended.clear()
            report = cursor.next() if len(marks) < MAX_MARKS and self._probes != 0 else None
            if report:
                boot, seq, data = report
                report = None  # otherwise the report is in RAM three times while it is sent
                await self._client.publish(topic, envelope.parts(self._key, topic, data), qos=1, wait=False)
                data = None  # freed while the next is read
                newest = max(newest, (boot, seq))
                sent += 1
                if self._probes:
                    self._probes -= 1
                if sent % MARK_REPORTS == 0:
                    marks.append(newest)
                if self._unanswered_ms is None:
                    self._unanswered_ms = self._clock.now_ms()
                continue
            report = data = None  # freed while waiting
            if await self._pause():
                cursor, marks, self._probes = journal.cursor(), [], 1
                if not self._is_due(newest):
                    self._unanswered_ms = None
                    self._probes = None

    async def _pause(self):
        """Wait for another report or for `stored`; return True if `stored` is overdue."""
        appended = self._journal.appended
        if self._unanswered_ms is None:
            await appended.wait()
            return False
        due_ms = self._unanswered_ms + self._resend_ms - self._clock.now_ms()
        if due_ms > 0:
            try:
                await asyncio.wait_for(appended.wait(), due_ms / 1000)
            except TimedOut:
                pass
            return False
        self._unanswered_ms = self._clock.now_ms()
        self._resend_ms = min(2 * self._resend_ms, MAX_RESEND_MS)
        return True

    def _is_due(self, newest):
        """Return True if a report up to `newest` is unconfirmed; fill gaps before it that hold the server up."""
        oldest = self._journal.cursor().next(body=False)
        if oldest is None or oldest[:2] > newest:
            return False
        self._resends += 1
        if self._resends >= MAX_RESENDS:
            self._resends = 0
            boot, seq, _ = oldest
            if self._stored.get(boot, seq) + 1 < seq:
                print("the server waits for %d.%d, which is not here" % (boot, self._stored[boot] + 1))
                self._journal.close_gaps([(boot, self._stored[boot])])
        return True

    async def _send_info(self):
        """Publish an info message each INFO_MS, and when one is requested."""
        sent_ms = self._clock.now_ms()
        while True:
            await asyncio.sleep(TICK_S)
            if self.info_requested or self._clock.now_ms() - sent_ms >= INFO_MS:
                self.info_requested = False
                sent_ms = self._clock.now_ms()
                await self._publish(topics.INFO, messages.info(self._info_fields()), retain=True)

    async def _send_live(self):
        async for fields in self._live:
            await self._publish(topics.LIVE, messages.live(*fields), qos=0)

    # Publishing

    def _topic(self, leaf):
        return topics.topic(self._device, leaf)

    def _seal(self, leaf, message):
        topic = self._topic(leaf)
        return topic, envelope.parts(self._key, topic, messages.encode(message))

    async def _publish_state(self, state):
        await self._publish(topics.STATE, messages.state(self._journal.boot, state, self._nonce), retain=True)

    async def _publish(self, leaf, message, qos=1, retain=False, wait=True):
        topic, data = self._seal(leaf, message)
        message = None  # freed while waiting
        await self._client.publish(topic, data, qos, retain, wait)
