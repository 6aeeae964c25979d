"""
The sensor's connection to the server: joins the network, connects, delivers, and retries for ever.

    connection = Connection(settings, journal, clock, commands, uplink, describe, transfer)
    await server_connection.upload(20000)                # a Wi-Fi sensor, between two rounds of listening
    await server_connection.stay_connected()             # a wired one; ends only by stop()

A network failure is never an exception here: `problem` has its reason in one line. Neither is a connection for which
there is no memory, unless MAX_MEMORY_FAILURES of them come in a row. The next attempt waits 1 s at first
and up to a minute, half of that at random, so that a hundred sensors do not reconnect at the same moment.

Wi-Fi: before upload() or stay_connected() the sniffer and Bluetooth must be off.
"""

import asyncio
import gc
import random

from ansim import messages
from ansim.envelope import key_bytes
from firmware.network import mqtt
from firmware.network.mqtt import BrokerError, TimedOut
from firmware.network.mqtt_session import Session
from firmware.network.outbox import Outbox
from firmware.network.wifi_and_ethernet import NoUplink

BACK_OFF_MS = 1000
MAX_BACK_OFF_MS = 60_000
STEADY_MS = 30_000  # a connection that lasted this long resets the back-off
JOIN_MS = 15_000
CLOSE_MS = 2500  # of upload()'s time, reserved for an orderly end
STORED_MS = 5000  # upload() waits this long after the last progress for `stored`
TIME_MS = 2000  # and this long for the server's time
LINGER_MS = 300  # and this long at the end for a command that is on its way
REJOIN_EVERY = 4  # failures in a row after which the uplink is joined anew
MAX_MEMORY_FAILURES = 5  # in a row; then only a restart may help, which begins with an empty heap
RESERVE_BYTES = 512  # of the heap, to close a connection that ends with a MemoryError
MAX_WAITING_LIVE = 6
LIVE_EVERY_MS = 2000  # of a Wi-Fi sensor, which keeps one in this time for its next upload
NTP_MS = 1500
TRANSFER_MS = 60_000  # one run of a transfer on a connection that stays
TRANSFER_SPARE_MS = 12_000  # of upload()'s time, for the answer that the transfer waits for (session.PART_S)


class Connection:
    """
    settings          see ansim/settings.py
    journal, clock, commands, uplink   see their files
    describe          function() -> the fields of the info message that only the app knows
    transfer          object with `is_pending` and `async run(session, until_ms)`, which is called while it is pending,
                      such as maintenance_commands.MaintenanceCommands; or None

    problem           why the last attempt failed, "" if it did not
    connected         True between "ready" and the end of the connection
    connects          connections that got as far as "ready"
    live_dropped      live messages that could not be sent in time
    """

    def __init__(self, settings, journal, clock, commands, uplink, describe, transfer=None):
        self.problem = ""
        self.connects = 0
        self._settings = settings
        self._journal = journal
        self._clock = clock
        self._commands = commands
        self._uplink = uplink
        self._describe = describe
        self._transfer = transfer
        self._live = Outbox(MAX_WAITING_LIVE)
        self._live_skipped = 0
        self._live_kept_ms = 0
        self._session = None
        self._tls = None
        self._failures = 0
        self._memory_failures = 0  # in a row
        self._memory_error = None  # of the connection that ends
        self._reserve = bytearray(RESERVE_BYTES)
        self._not_before_ms = 0
        self._stop_state = None  # to publish at the end, once stop() was called
        self._stopping = asyncio.Event()
        self._ended = asyncio.Event()
        self._ended.set()

    def prepare(self) -> None:
        """
        Load modules and the TLS context while the heap is still in one piece.

        Failures are ignored: it is retried later.
        """
        for name in ("open_connection", "Lock", "Event", "wait_for"):  # asyncio loads these on first access
            getattr(asyncio, name)
        from ansim import downlink_schemas  # noqa: F401

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
        """True once the broker was reached in this start, which confirms an update."""
        return self.connects > 0

    @property
    def live_dropped(self) -> int:
        return self._live_skipped + self._live.dropped

    def send_live(self, subject, rssi_dbm, smoothed_dbm, sigma_db, trend) -> None:
        """
        Send one live message at once; see ansim/messages.py for the fields.

        A Wi-Fi sensor is not connected while it listens: it keeps one in LIVE_EVERY_MS for its next upload.
        """
        now_ms = self._clock.now_ms()
        if not self.connected:
            if self._settings["uplink"] != "wifi" or now_ms - self._live_kept_ms < LIVE_EVERY_MS:
                self._live_skipped += 1
                return
            self._live_kept_ms = now_ms
        # The fields, not the message, which would take four times the memory.
        self._live.put((self._journal.boot, now_ms, subject, rssi_dbm, smoothed_dbm, sigma_db, trend))

    def request_info(self) -> None:
        """Publish a fresh info message soon."""
        if self._session:
            self._session.info_requested = True

    async def upload(self, deadline_ms: int) -> bool:
        """
        Deliver the waiting reports and disconnect; True if the server has confirmed all that waited at the start.

        deadline_ms   the longest it may take, not counting a look-up of the broker's name, which blocks

        During the wait after a failure it returns False at once, without touching the radio.
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
        except MemoryError as error:
            self._note_no_memory(error)
        finally:
            await self._close(None if self._memory_error else self._stop_state or messages.SLEEPING)
            self._uplink.leave()
            self._ended.set()
        self._raise_if_hopeless()
        return False

    async def stay_connected(self) -> None:
        """Connect and deliver until stop(). Raises errors that are no network failures."""
        self._begin()
        try:
            while not self._stop_state:
                await self._connect_once()
                self._raise_if_hopeless()
                if not self._stop_state:
                    wait_ms = max(0, self._not_before_ms - self._clock.now_ms())
                    await _wait_at_most(self._stopping.wait(), wait_ms / 1000)
        finally:
            self._uplink.leave()
            self._ended.set()

    async def stop(self, state) -> None:
        """End stay_connected() or upload() with this state, SLEEPING or DISCONNECTED; return once it has ended."""
        self._stop_state = state
        self._stopping.set()
        if self._session:
            self._session.wake()
        await self._ended.wait()

    def _begin(self):
        try:
            self._reserve = self._reserve or bytearray(RESERVE_BYTES)
        except MemoryError:
            pass  # the connection will hardly succeed
        self._stop_state = None
        self._stopping.clear()
        self._ended.clear()

    async def _upload(self, until_ms):
        session = await self._open()
        newest = (self._journal.boot, self._journal.seq)
        oldest, before = self._oldest(), None
        while oldest <= newest and oldest != before and not self._stop_state:
            before = oldest
            await session.wait_until(
                lambda previous=before: self._stop_state or self._oldest() != previous, STORED_MS / 1000
            )
            oldest = self._oldest()
        await session.wait_until(lambda: self._stop_state or session.is_quiet, TIME_MS / 1000)
        await self._ask_ntp()
        self._clock.keep()
        await session.wait_until(lambda: self._stop_state, LINGER_MS / 1000)
        if self._is_transfer_pending():
            await self._transfer.run(session, until_ms - TRANSFER_SPARE_MS)  # pyright: ignore[reportOptionalMemberAccess]
        self._succeeded()
        self.problem = "" if oldest > newest else "the server does not confirm"
        return oldest > newest

    def _oldest(self):
        """Return (boot, seq) of the oldest unconfirmed report; of the next boot if all are confirmed."""
        report = self._journal.cursor().next(body=False)
        return report[:2] if report else (self._journal.boot + 1, 0)

    async def _connect_once(self):
        began_ms = self._clock.now_ms()
        try:
            session = await self._open()
            began_ms = session.ready_ms
            await session.wait_until(lambda: self._stop_state or session.is_quiet, TIME_MS / 1000)
            await self._ask_ntp()
            self._clock.keep()
            while not self._stop_state and self._uplink.is_up():
                await session.wait_until(
                    lambda: self._stop_state or not self._uplink.is_up() or self._is_transfer_pending()
                )
                if self._is_transfer_pending():
                    until_ms = self._clock.now_ms() + TRANSFER_MS
                    await self._transfer.run(session, until_ms)  # pyright: ignore[reportOptionalMemberAccess]
                    await asyncio.sleep(1)  # there may have been no answer
            if not self._stop_state:
                self._failed("the uplink is gone")
        except (BrokerError, NoUplink) as error:
            if self.connected and self._clock.now_ms() - began_ms >= STEADY_MS:
                self._succeeded()
            self._failed(str(error))
            await self._ask_ntp()
        except MemoryError as error:
            self._note_no_memory(error)
        finally:
            # With None the broker publishes the will.
            await self._close(None if self._memory_error else self._stop_state)
            if self._failures % REJOIN_EVERY == REJOIN_EVERY - 1:
                self._uplink.leave()

    def _is_transfer_pending(self):
        return self._transfer is not None and self._transfer.is_pending and not self._stop_state

    async def _open(self):
        """Return a Session that has published "ready". Raises NoUplink, BrokerError."""
        await self._uplink.join(JOIN_MS)
        key = key_bytes(self._settings)
        gc.collect()  # TLS needs some large blocks
        self._session = Session(
            settings=self._settings,
            key=key,
            journal=self._journal,
            clock=self._clock,
            commands=self._commands,
            info_fields=self._info_fields,
            live=self._live,
        )
        try:
            if self._settings["tls"] and self._tls is None:
                self._tls = self._tls_context()
        except ValueError as error:
            raise BrokerError("settings: " + str(error))
        if self._tls:
            await self._ask_ntp()
            self._clock.set_chip_clock()
        await self._session.open(self._tls)
        self.connects += 1
        self.problem = ""
        return self._session

    def _tls_context(self):
        settings = self._settings
        context = mqtt.tls_context(settings["ca"], settings["client_cert"], settings["client_key"])
        for name in ("ca", "client_cert", "client_key"):  # up to 12 kB of text that is not read again in this start
            settings[name] = ""
        return context

    async def _close(self, state):
        session, self._session = self._session, None
        if session:
            await session.close(state)
        self._live.clear()

    async def _ask_ntp(self):
        """
        Ask NTP for the time if it is unknown.

        The server's time is preferred and comes first, but a TLS handshake needs the date before.
        """
        if self._clock.time_s() is None and self._settings["ntp"] and self._uplink.is_up():
            await self._clock.ask_ntp(self._settings["ntp"], NTP_MS)
            if self._clock.take_change():
                self._journal.append(messages.CLOCK, self._clock.report_body())

    def _info_fields(self):
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

    def _note_no_memory(self, error):
        """Note that a connection ends with a MemoryError, and free what closing it needs."""
        self._memory_error = error
        self._reserve = None
        gc.collect()

    def _raise_if_hopeless(self):
        """Count a connection that has ended with a MemoryError; raise that after MAX_MEMORY_FAILURES in a row."""
        error, self._memory_error = self._memory_error, None
        if error:
            gc.collect()
            self._memory_failures += 1
            if self._memory_failures >= MAX_MEMORY_FAILURES:
                raise error
            self._failed("out of memory")

    def _succeeded(self):
        self._failures = self._memory_failures = 0
        self._not_before_ms = 0

    def _failed(self, why):
        if why != self.problem:
            print("connection:", why)
        self.problem = why
        wait_ms = min(BACK_OFF_MS << min(self._failures, 10), MAX_BACK_OFF_MS)
        self._failures += 1
        self._not_before_ms = self._clock.now_ms() + wait_ms // 2 + random.randint(0, wait_ms // 2)


async def _wait_at_most(awaitable, seconds):
    try:
        await asyncio.wait_for(awaitable, seconds)
    except TimedOut:
        pass
