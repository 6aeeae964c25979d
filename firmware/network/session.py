"""
One connection to the broker: says who it is, delivers the journal, takes `stored` and commands.

    session = Session(settings, key, journal, clock, commands, inform, live)
    try:
        await session.open(tls)
        await session.until(lambda: ...)        # or None: until the connection ends
    finally:
        await session.close(report.SLEEPING)

A report leaves the journal only by the server's `stored`; the broker's PUBACK paces, nothing more.
If `stored` does not come, the oldest report is sent again, ever more rarely, and the others
wait until the server shows itself, by its time, by a command or by `stored`: many sensors must
not fill a broker whose server is away.
"""

import asyncio
import binascii
import os

from ansim import envelope, messages, topics
from ansim.decode import BadMessage, decode_message
from firmware.network.mqtt import BrokerError, Client, TimedOut

MARK_REPORTS = 16  # reports between two marks
MARKS = 4  # with so many marks not confirmed, sending waits for the server
RESEND_MS = 10_000
RESEND_MOST_MS = 300_000
FRUITLESS = 3  # resends without progress, then it is looked whether reports are missing here
INFO_MS = 300_000
PART_S = 10
TICK_S = 1
CLOSE_S = 2


class Session:
    """
    settings   as ansim/settings.py; key: its 32 bytes
    inform     inform() returns the fields of the info message
    live       an Outbox of the fields of live messages, as report.live() takes them
    """

    def __init__(self, settings, key, journal, clock, commands, inform, live):
        device = settings["device"]
        self.ready_ms = None  # when the broker had acknowledged "ready"
        self.wants_info = False
        self._settings = settings
        self._key = key
        self._journal = journal
        self._clock = clock
        self._commands = commands
        self._inform = inform
        self._live = live
        self._device = device
        topic, last_words = self._sealed(topics.STATE, messages.state(journal.boot, messages.LOST, ""))
        will = topic, b"".join(last_words)
        self._client = Client(device, device, envelope.broker_password(key), will, settings["keepalive_s"])
        self._nonce = ""
        self._tasks = []
        self._after = None
        self._failure = None
        self._stirred = asyncio.Event()
        self._told = {}  # boot -> seq: the server's last word
        self._asked_ms = None  # since when an answer of the server is due
        self._resend_ms = RESEND_MS
        self._probes = 1  # reports that may be sent before the server shows itself; None: any number
        self._fruitless = 0
        self._part = None  # the newest `part` message
        self._parts_come = False

    async def open(self, tls) -> None:
        """Connect, subscribe, announce; then deliver and obey in the background. Raises BrokerError."""
        client = self._client
        await client.connect(self._settings["broker"], self._settings["port"], tls)
        self._start(self._listen())
        for leaf in (topics.CMD, topics.STORED):
            await client.subscribe(self._topic(leaf))
        self._nonce = binascii.hexlify(os.urandom(8)).decode()
        self._clock.nonce = self._nonce
        # A retained `stored` comes with the subscription, so before the first report is sent.
        await self._say(messages.INIT)
        await self._publish(topics.INFO, messages.info(self._inform()), retain=True)
        await self._say(messages.READY)
        self.ready_ms = self._clock.now_ms()
        self._start(self._deliver())
        self._start(self._beat())
        self._start(self._send_live())

    async def until(self, is_done, timeout_s=None) -> bool:
        """
        Wait until is_done() is true; asked again whenever something was confirmed or commanded, and each TICK_S.

        Returns False if that takes longer than timeout_s. Raises BrokerError if the connection ends,
        and whatever else went wrong in the background.
        """
        waited_s = 0
        while not (is_done and is_done()):
            if self._failure:
                raise self._failure
            if timeout_s is not None and waited_s >= timeout_s:
                return False
            self._stirred.clear()
            step_s = TICK_S if timeout_s is None else min(TICK_S, timeout_s - waited_s)
            before_ms = self._clock.now_ms()
            try:
                await asyncio.wait_for(self._stirred.wait(), step_s)
            except TimedOut:
                pass
            waited_s += max(0.001, (self._clock.now_ms() - before_ms) / 1000)
        return True

    async def fetch(self, sha256: str, offset: int):
        """
        Ask the server for a part of a file; return its bytes, b"" at the file's end, None without an answer.

        Raises BrokerError if the connection ends.
        """
        if not self._parts_come:
            await self._client.subscribe(self._topic(topics.PART))
            self._parts_come = True
        self._part = None
        await self._publish(topics.WANT, messages.want(self._journal.boot, sha256, offset))
        if not await self.until(lambda: self._fits(sha256, offset), PART_S):
            return None
        data, self._part = self._part["data"], None  # pyright: ignore[reportOptionalSubscript]
        return binascii.a2b_base64(data)

    def _fits(self, sha256, offset):
        part = self._part
        return part is not None and part["sha256"] == sha256 and part["offset"] == offset

    def stir(self) -> None:
        """Let until() look again."""
        self._stirred.set()

    @property
    def is_quiet(self) -> bool:
        """True if nothing that came waits to be taken and the server has answered with its time."""
        return not self._client.waiting and self._clock.nonce != self._nonce

    async def close(self, word) -> None:
        """
        Say `word` (SLEEPING, DISCONNECTED) if that is still possible, and end all of it. Never raises.

        With None nothing is said, and the broker publishes the will.
        """
        politely = word is not None and self.ready_ms is not None and not self._failure
        if politely:
            try:
                await asyncio.wait_for(self._say(word), CLOSE_S)
            except (BrokerError, TimedOut):
                politely = False
        for task in self._tasks:
            task.cancel()
        self._tasks = []
        await self._client.disconnect(politely)

    # Background tasks

    def _start(self, work):
        self._tasks.append(asyncio.create_task(self._guarded(work)))

    async def _guarded(self, work):
        try:
            await work
        except Exception as error:
            self._failure = self._failure or error  # until() raises it
            self._stirred.set()

    async def _listen(self):
        while True:
            topic, payload = await self._client.receive()  # pyright: ignore[reportGeneralTypeIssues]
            if topic == self._topic(topics.STORED):
                self._take_stored(payload)
            elif topic == self._topic(topics.CMD):
                await self._obey(payload)
            elif topic == self._topic(topics.PART):
                self._take_part(payload)
            topic = payload = None  # not kept through the wait
            self._stirred.set()

    def _take_stored(self, payload):
        """Free what the server holds. A message that is not signed by our key does nothing."""
        try:
            body = envelope.unseal(self._key, self._topic(topics.STORED), payload)
            rows = decode_message(topics.STORED, body)["upto"]
        except (envelope.BadEnvelope, BadMessage) as error:
            print("refused a stored:", error)
            return
        journal = self._journal
        if journal.behind(rows):
            journal.skip_to(max([row[0] for row in rows]) + 1)
            if self._clock.time_s() is not None:
                journal.append(messages.CLOCK, self._clock.body())
        self._told = {row[0]: row[1] for row in rows}
        if journal.confirm(rows):
            self._fruitless = 0
            self._asked_ms = self._clock.now_ms()
        if self._asked_ms is not None:  # else it may be the retained one, and old
            self._show_server()

    def _take_part(self, payload):
        try:
            body = envelope.unseal(self._key, self._topic(topics.PART), payload)
            self._part = decode_message(topics.PART, body)
        except (envelope.BadEnvelope, BadMessage) as error:
            print("refused a part:", error)

    def _show_server(self):
        """The server is there: _deliver() may go on."""
        self._probes = None
        self._resend_ms = RESEND_MS
        self._journal.appended.set()

    async def _obey(self, payload):
        answer = await self._commands.handle(payload)
        self.note_clock()
        if answer:
            if not answer.error:
                self._show_server()
            ack = messages.ack(self._journal.boot, answer.command_id, answer.error)
            await self._publish(topics.ACK, ack, wait=answer.after is not None)
            if answer.after:
                work = answer.after()
                if hasattr(work, "send"):  # async; and not in this task, which it may end
                    self._after = asyncio.create_task(work)

    def note_clock(self) -> None:
        """Report the time of day if it is news."""
        if self._clock.take_news():
            self._journal.append(messages.CLOCK, self._clock.body())

    async def _deliver(self):
        journal, topic = self._journal, self._topic(topics.REPORT)
        cursor, marks, sent, newest = journal.cursor(), [], 0, (0, 0)
        while True:
            marks = [mark for mark in marks if not journal.is_confirmed(mark[0], mark[1])]
            journal.appended.clear()
            waiting = cursor.next() if len(marks) < MARKS and self._probes != 0 else None
            if waiting:
                boot, seq, data = waiting
                waiting = None  # or the report would be there three times while it is sent
                await self._client.publish(topic, envelope.parts(self._key, topic, data), qos=1, wait=False)
                data = None  # not kept while the next is read
                newest = max(newest, (boot, seq))
                sent += 1
                if self._probes:
                    self._probes -= 1
                if sent % MARK_REPORTS == 0:
                    marks.append(newest)
                if self._asked_ms is None:
                    self._asked_ms = self._clock.now_ms()
                continue
            waiting = data = None  # a report's bytes are not kept through the wait
            if await self._pause():
                cursor, marks, self._probes = journal.cursor(), [], 1
                if not self._is_due(newest):
                    self._asked_ms = None
                    self._probes = None

    async def _pause(self):
        """Wait for another report or for `stored`; return True if the answer of the server is overdue."""
        appended = self._journal.appended
        if self._asked_ms is None:
            await appended.wait()
            return False
        due_ms = self._asked_ms + self._resend_ms - self._clock.now_ms()
        if due_ms > 0:
            try:
                await asyncio.wait_for(appended.wait(), due_ms / 1000)
            except TimedOut:
                pass
            return False
        self._asked_ms = self._clock.now_ms()
        self._resend_ms = min(2 * self._resend_ms, RESEND_MOST_MS)
        return True

    def _is_due(self, newest):
        """Return True if a report up to `newest` still waits to be confirmed; see to what is missing before it."""
        oldest = self._journal.cursor().next(body=False)
        if oldest is None or oldest[:2] > newest:
            return False
        self._fruitless += 1
        if self._fruitless >= FRUITLESS:
            self._fruitless = 0
            boot, seq, _ = oldest
            if self._told.get(boot, seq) + 1 < seq:
                print("the server waits for %d.%d, which is not here" % (boot, self._told[boot] + 1))
                self._journal.close_gaps([(boot, self._told[boot])])
        return True

    async def _beat(self):
        """Tell from time to time how the sensor is, and once when asked by wants_info."""
        told_ms = self._clock.now_ms()
        while True:
            await asyncio.sleep(TICK_S)
            if self.wants_info or self._clock.now_ms() - told_ms >= INFO_MS:
                self.wants_info = False
                told_ms = self._clock.now_ms()
                await self._publish(topics.INFO, messages.info(self._inform()), retain=True)

    async def _send_live(self):
        async for fields in self._live:
            await self._publish(topics.LIVE, messages.live(*fields), qos=0)

    # Publishing

    def _topic(self, leaf):
        return topics.topic(self._device, leaf)

    def _sealed(self, leaf, message):
        topic = self._topic(leaf)
        return topic, envelope.parts(self._key, topic, messages.encode(message))

    async def _say(self, word):
        await self._publish(topics.STATE, messages.state(self._journal.boot, word, self._nonce), retain=True)

    async def _publish(self, leaf, message, qos=1, retain=False, wait=True):
        topic, data = self._sealed(leaf, message)
        message = None  # not kept through the wait
        await self._client.publish(topic, data, qos, retain, wait)
