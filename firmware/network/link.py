"""
The sensor's way to the server: joins the uplink, connects, delivers, and tries again for ever.

    link = Link(settings, journal, clock, commands, uplink, describe)
    await link.upload(20000)                # a Wi-Fi sensor, between two rounds of listening
    await link.stay_connected()             # a wired one; ends only by stop()

A failure of the network is never an exception here: `problem` has its reason in one line, and
the next attempt waits, 1 s at first and up to a minute, half of that by chance, so that a
hundred sensors do not come back at the same moment.

Wi-Fi: before upload() or stay_connected() the sniffer and Bluetooth must be off.
"""

import asyncio
import gc
import random

from ansim import messages
from ansim.envelope import key_bytes
from firmware.network import mqtt
from firmware.network.mqtt import BrokerError, TimedOut
from firmware.network.outbox import Outbox
from firmware.network.session import Session
from firmware.network.uplink import NoUplink

BACK_OFF_MS = 1000
BACK_OFF_MOST_MS = 60_000
STEADY_MS = 30_000  # a connection that lasted so long was good: the next failure is a first one
JOIN_MS = 15_000
CLOSE_MS = 2500  # kept of upload()'s time for an orderly end
STORED_MS = 5000  # upload() waits so long after the last progress for `stored`
TIME_MS = 2000  # and so long for the server's time
LINGER_MS = 300  # and so long, when all is done, for a command that is on its way
REJOIN_EVERY = 4  # failures in a row after which the uplink is made anew
LIVE_WAITING = 6
LIVE_EVERY_MS = 2000  # of those that wait for the next upload
NTP_MS = 1500
ERRAND_MS = 60_000  # one run of an errand on a connection that stays
ERRAND_SPARE_MS = 12_000  # of upload()'s time, for the answer an errand is waiting for (session.PART_S)


class Link:
    """
    settings          as ansim/settings.py
    journal, clock, commands, uplink   see their files
    describe          describe() returns the fields of the info message that only the app knows

    errand            has `is_pending`, and `async run(session, until_ms)` which is called while it does; None

    problem           why the last attempt failed, "" if it did not
    connected         True between "ready" and the end of the connection
    connects          connections that got as far as "ready"
    live_dropped      live messages that could not be sent at once
    """

    def __init__(self, settings, journal, clock, commands, uplink, describe):
        self.problem = ""
        self.connects = 0
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._commands = commands
        self._uplink = uplink
        self._describe = describe
        self.errand = None
        self._live = Outbox(LIVE_WAITING)
        self._live_refused = 0
        self._kept_ms = 0
        self._session = None
        self._tls = None
        self._failures = 0
        self._not_before_ms = 0
        self._stop_word = None  # what to say at the end, once stop() was called
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()

    def prepare(self) -> None:
        """Make ready what stays for the whole run, while the heap is still in one piece. What fails is tried again later."""
        for name in ("open_connection", "Lock", "Event", "wait_for"):  # asyncio loads its parts when they are asked for
            getattr(asyncio, name)
        from ansim import downlink_rules  # noqa: F401

        try:
            if self._settings["tls"]:
                self._tls = self._tls_context()
        except ValueError:
            pass

    @property
    def connected(self) -> bool:
        return self._session is not None and self._session.ready_ms is not None

    @property
    def ever_ready(self) -> bool:
        """True once the broker was reached in this start: an update that manages this is good."""
        return self.connects > 0

    @property
    def live_dropped(self) -> int:
        return self._live_refused + self._live.dropped

    def live(self, subject, rssi_dbm, smoothed_dbm, sigma_db, trend) -> None:
        """
        Send one live message at once; see ansim/messages.py for the fields.

        A Wi-Fi sensor is not connected while it listens: one in LIVE_EVERY_MS waits for its next upload.
        """
        now_ms = self._clock.now_ms()
        if not self.connected:
            if self._settings["uplink"] != "wifi" or now_ms - self._kept_ms < LIVE_EVERY_MS:
                self._live_refused += 1
                return
            self._kept_ms = now_ms
        # Not the message yet, which takes four times the room.
        self._live.put((self._journal.boot, now_ms, subject, rssi_dbm, smoothed_dbm, sigma_db, trend))

    def announce(self) -> None:
        """Send a fresh info message soon."""
        if self._session:
            self._session.wants_info = True

    async def upload(self, deadline_ms: int) -> bool:
        """
        Deliver what waits and come back; True if the server has confirmed all that waited at the start.

        deadline_ms   the longest it may take, beside a look-up of the broker's name, which blocks

        Between failures it returns False at once, without touching the radio, until the wait is over.
        """
        if self._clock.now_ms() < self._not_before_ms or self._session:
            return False
        self._begin()
        try:
            until_ms = self._clock.now_ms() + deadline_ms - CLOSE_MS
            return await asyncio.wait_for(self._upload(until_ms), max(1, deadline_ms - CLOSE_MS) / 1000)
        except TimedOut:
            self._failed("not done within %d s" % (deadline_ms // 1000))
        except (BrokerError, NoUplink) as error:
            self._failed(str(error))
        finally:
            await self._close(self._stop_word or messages.SLEEPING)
            self._uplink.leave()
            self._ended.set()
        return False

    async def stay_connected(self) -> None:
        """Connect and deliver for ever, until stop(). Raises only what is no fault of the network."""
        self._begin()
        try:
            while not self._stop_word:
                await self._connect_once()
                if not self._stop_word:
                    wait_ms = max(0, self._not_before_ms - self._clock.now_ms())
                    await _first_of(self._stopping.wait(), wait_ms / 1000)
        finally:
            self._uplink.leave()
            self._ended.set()

    async def stop(self, word) -> None:
        """End stay_connected() or upload() with this state: SLEEPING or DISCONNECTED. Returns once it has ended."""
        self._stop_word = word
        self._stopping.set()
        if self._session:
            self._session.stir()
        await self._ended.wait()

    def _begin(self):
        self._stop_word = None
        self._stopping.clear()
        self._ended.clear()

    async def _upload(self, until_ms):
        session = await self._open()
        newest = (self._journal.boot, self._journal.seq)
        oldest, before = self._oldest(), None
        while oldest <= newest and oldest != before and not self._stop_word:
            before = oldest
            await session.until(lambda was=before: self._stop_word or self._oldest() != was, STORED_MS / 1000)
            oldest = self._oldest()
        await session.until(lambda: self._stop_word or session.is_quiet, TIME_MS / 1000)
        await self._ask_ntp()
        await session.until(lambda: self._stop_word, LINGER_MS / 1000)
        if self._errand_waits():
            await self._run_errand(session, until_ms - ERRAND_SPARE_MS)
        self._succeeded()
        self.problem = "" if oldest > newest else "the server does not confirm"
        return oldest > newest

    def _oldest(self):
        """Return (boot, seq) of the oldest report that is not confirmed; of none yet made if all are."""
        waiting = self._journal.cursor().next(body=False)
        return waiting[:2] if waiting else (self._journal.boot + 1, 0)

    async def _connect_once(self):
        began_ms = self._clock.now_ms()
        try:
            session = await self._open()
            began_ms = session.ready_ms
            await session.until(lambda: self._stop_word or session.is_quiet, TIME_MS / 1000)
            await self._ask_ntp()
            while not self._stop_word and self._uplink.is_up():
                await session.until(lambda: self._stop_word or not self._uplink.is_up() or self._errand_waits())
                if self._errand_waits():
                    await self._run_errand(session, self._clock.now_ms() + ERRAND_MS)
                    await asyncio.sleep(1)  # it may have got no answer
            if not self._stop_word:
                self._failed("the uplink is gone")
        except (BrokerError, NoUplink) as error:
            if self.connected and self._clock.now_ms() - began_ms >= STEADY_MS:
                self._succeeded()
            self._failed(str(error))
            await self._ask_ntp()
        finally:
            await self._close(self._stop_word)  # without a word, the broker publishes the will
            if self._failures % REJOIN_EVERY == REJOIN_EVERY - 1:
                self._uplink.leave()

    def _errand_waits(self):
        return self.errand is not None and self.errand.is_pending and not self._stop_word

    async def _run_errand(self, session, until_ms):
        await self.errand.run(session, until_ms)  # pyright: ignore[reportOptionalMemberAccess, reportAttributeAccessIssue]

    async def _open(self):
        """Return a Session that has said "ready". Raises NoUplink, BrokerError."""
        await self._uplink.join(JOIN_MS)
        parts = (self._settings, key_bytes(self._settings), self._journal, self._clock, self._commands)
        gc.collect()  # TLS needs some large blocks
        self._session = Session(*parts, self._inform, self._live)
        try:
            if self._settings["tls"] and self._tls is None:
                self._tls = self._tls_context()
        except ValueError as error:
            raise BrokerError("settings: " + str(error))
        await self._session.open(self._tls)
        self.connects += 1
        self.problem = ""
        return self._session

    def _tls_context(self):
        settings = self._settings
        context = mqtt.tls_context(settings["ca"], settings["client_cert"], settings["client_key"])
        for name in ("ca", "client_cert", "client_key"):  # up to 12 kB of text that nobody reads again in this start
            settings[name] = ""
        return context

    async def _close(self, word):
        session, self._session = self._session, None
        if session:
            await session.close(word)
        self._live.clear()

    async def _ask_ntp(self):
        """Ask for the time if nobody has told it: the server's own answer is better, and comes first."""
        if self._clock.time_s() is None and self._settings["ntp"] and self._uplink.is_up():
            await self._clock.ask_ntp(self._settings["ntp"], NTP_MS)
            if self._clock.take_news():
                self._journal.append(messages.CLOCK, self._clock.body())

    def _inform(self):
        fields = self._describe()
        fields.update(
            {
                "boot": self._journal.boot,
                "uplink": self._settings["uplink"],
                "up_s": self._clock.now_ms() // 1000,
                "free_heap_bytes": gc.mem_free(),
                "journal_bytes": self._journal.bytes,
                "journal_reports": self._journal.reports,
                "journal_dropped": self._journal.dropped,
                "live_dropped": self.live_dropped,
                "connects": self.connects,
                "rssi_dbm": self._uplink.rssi_dbm(),
                "clock": self._clock.source,
            }
        )
        return fields

    def _succeeded(self):
        self._failures = 0
        self._not_before_ms = 0

    def _failed(self, why):
        if why != self.problem:
            print("link:", why)
        self.problem = why
        wait_ms = min(BACK_OFF_MS << min(self._failures, 10), BACK_OFF_MOST_MS)
        self._failures += 1
        self._not_before_ms = self._clock.now_ms() + wait_ms // 2 + random.randint(0, wait_ms // 2)


async def _first_of(waiting, seconds):
    """Wait for it, but not longer than so many seconds."""
    try:
        await asyncio.wait_for(waiting, seconds)
    except TimedOut:
        pass
