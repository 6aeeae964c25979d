"""
The sensor: wires radio → engine → reports → journal → link, and obeys orders.

    app = App(settings, health)
    await app.run()                # for ever; anything unexpected comes out as an exception

A Wi-Fi sensor listens, and uploads when the plan says so: it cannot do both, because a
connection holds the channel. A wired one stays connected while it listens.
"""

import asyncio
import gc
import sys

import machine
import network

from ansim import VERSION, report
from ansim.detect import engine as engines
from ansim.finding import RAISED
from ansim.settings import key_bytes
from firmware import boards, led, uplink
from firmware.clock import Clock
from firmware.commands import Commands
from firmware.inspection import Inspection
from firmware.journal import Journal
from firmware.link import Link
from firmware.orders import Orders
from firmware.radio import ble, sniffer
from firmware.radio.listener import Listener
from firmware.radio.plan import Plan
from firmware.upkeep import TABLES, UPDATE_WINDOW_MS, Upkeep

JOURNAL_FOLDER = "/journal"
COMMANDS_FILE = "/commands.json"
SWEEP_MS = 60_000
INSPECTED_SWEEP_MS = 30_000  # while an inspection runs somebody waits for its coverage
LEAST_SWEEP_MS = 20_000  # before an upload; below that the last one is new enough
IDLE_MS = 500
IDLE_UPLOAD_MS = 20_000  # nothing is missed meanwhile
FOUND_SHOWN_MS = 60_000


class FlashFailed(Exception):
    """A report could not be written down."""


class App:
    """
    The whole sensor. The constructor ties its parts together; run() starts them.

    settings  checked (ansim/settings.py)
    health    a health.Health that has begun
    on_trial  True if these settings are new and may be taken back (trial.py)

    Raises boards.UnknownBoard.
    """

    def __init__(self, settings: dict, health, on_trial=False):
        self._settings = settings
        gc.collect()  # loading has left holes, and the engine's table wants 16 kB in one piece
        self._capabilities = can = capabilities(health.level())
        self._engine = engine = engines.standard(settings, TABLES, report.NRF24 in can)
        self._health = health
        self._board = board = boards.load(settings["board"])
        self._wired = settings["uplink"] == "ethernet"
        self._swept_ms = 0
        self._shown_until_ms = 0
        self._led = led.Led(board.LED, board.LED_ON)

        wlan = network.WLAN(network.WLAN.IF_STA)
        way = uplink.Ethernet(board.lan()) if self._wired else uplink.Wifi(wlan, settings["wifi"])
        every_ms = settings["upload_every_s"] * 1000
        self._clock = clock = Clock()
        self._journal = journal = Journal(JOURNAL_FOLDER, settings["journal_bytes"], clock)
        self._inspection = Inspection(journal, engine, clock, settings["ignore"], self._sweep)
        self._commands = Commands(settings["device"], key_bytes(settings), clock, COMMANDS_FILE)
        self._link = Link(settings, journal, clock, self._commands, way, self._describe)
        self._plan = Plan(settings["channels"], can, every_ms, settings["uplink"])
        ears = _ears(wlan, can)
        self._listener = Listener(self._plan, engine, clock, wlan, ears, self._found, self._upload, health)
        live = self._link.live
        self._upkeep = Upkeep(settings, on_trial, clock, self._restart, health.feed)
        self._link.errand = self._upkeep  # pyright: ignore[reportAttributeAccessIssue]
        self._orders = Orders(self._inspection, self._plan, self._listener, clock, live, self._report)

    async def run(self) -> None:
        """Listen and report for ever. Raises what nobody expected."""
        machine.freq(self._board.CPU_HZ)
        self._health.watch()
        self._journal.open()
        self._inspection.resume()
        self._upkeep.begin()
        slot = {"version": VERSION, "slot": self._upkeep.fields()["slot"]}
        self._report(report.RESET, dict(slot, cause=self._health.cause, crashes=self._health.crashes))
        for name, handler in self._orders.table() + self._upkeep.table():
            self._commands.on(name, handler)
        tasks = [self._listen(), self._led.run()]
        if self._upkeep.on_trial:
            tasks.append(self._upkeep.prove(self._link, self._plan.upload_soon))
        if self._wired:
            tasks.append(self._link.stay_connected())
        await asyncio.gather(*tasks)

    async def _listen(self):
        uploaded_ms = 0
        while True:
            self._inspection.end_if_forgotten()
            now_ms = self._clock.now_ms()
            if self._settings["always_listen"] or self._inspection.id:
                self._led.show(led.FOUND if now_ms < self._shown_until_ms else led.LISTENING)
                await self._listener.step()
                self._sweep_if_due(INSPECTED_SWEEP_MS if self._inspection.id else SWEEP_MS)
                continue
            self._led.show(led.IDLE)
            self._listener.stop()
            self._health.feed()
            self._swept_ms = now_ms  # what is not asked for is not missing either
            if not self._wired and (not uploaded_ms or now_ms - uploaded_ms >= self._settings["upload_every_s"] * 1000):
                await self._upload(IDLE_UPLOAD_MS)
                uploaded_ms = self._clock.now_ms()
            await asyncio.sleep_ms(IDLE_MS)

    async def _upload(self, deadline_ms):
        """Hand over what waits, by Wi-Fi; True if the server has it all."""
        self._sweep_if_due(LEAST_SWEEP_MS)
        self._led.show(led.UPLOADING)
        return await self._link.upload(max(deadline_ms, UPDATE_WINDOW_MS) if self._upkeep.waits else deadline_ms)

    def _found(self, finding):
        self._report(report.FINDING, report.finding_body(finding))
        if finding.event == RAISED:
            self._shown_until_ms = self._clock.now_ms() + FOUND_SHOWN_MS

    def _sweep_if_due(self, every_ms):
        if self._clock.now_ms() - self._swept_ms >= every_ms:
            self._sweep()

    def _sweep(self):
        """Report what was listened to since the last time."""
        now_ms = self._clock.now_ms()
        body = self._engine.coverage()
        heard_ms = sum([row[1] for row in body["channels"]])
        body["from_ms"] = self._swept_ms
        body["to_ms"] = now_ms
        body["deaf_ms"] = max(0, now_ms - self._swept_ms - heard_ms)
        body["capabilities"] = self._capabilities
        self._swept_ms = now_ms
        self._report(report.SWEEP, body)

    def _report(self, kind, body):
        try:
            self._journal.append(kind, body)
        except OSError as error:  # not a radio's: those are OSErrors, too
            raise FlashFailed("no room for a %s report: %s" % (kind, error))

    def _describe(self):
        """The fields of the info message that only the app knows."""
        fields = {
            "version": VERSION,
            "interpreter": interpreter(),
            "board": self._board.NAME,
            "capabilities": self._capabilities,
            "fitted": list(self._board.FITTED),
            "battery_percent": None,
            "crashes": self._health.crashes,
            "reset_cause": self._health.cause,
            "ring_dropped": self._listener.ring_dropped,
            "inspection": self._inspection.id,
        }
        fields.update(self._upkeep.fields())
        return fields

    async def _restart(self, last=None):
        """End this run on purpose; last() is called just before."""
        self._listener.stop()
        await self._link.stop(report.DISCONNECTED)
        self._journal.close()
        if last:
            last()
        self._health.ends()
        machine.reset()


def capabilities(level: int) -> list:
    """
    Return what this sensor can hear with, as in report.CAPABILITIES.

    level  what the sniffer may do after the crashes so far, see Health.level()
    """
    can = [report.SCAN]
    if sniffer.is_available() and level:
        can.append(report.SNIFF if level == 2 else report.SNIFF_MANAGEMENT)
    if ble.is_available():
        can.append(report.BLE)
    return can


def _ears(wlan, can):
    if report.SNIFF in can:
        return sniffer.Sniffer(wlan, sniffer.ALL_KINDS)
    if report.SNIFF_MANAGEMENT in can:
        return sniffer.Sniffer(wlan, sniffer.MANAGEMENT_ONLY)
    return None


def interpreter():
    """Return what runs the program, for the info message."""
    version = ".".join([str(part) for part in sys.implementation.version if part != ""])
    return ("MicroPython %s on %s" % (version, getattr(sys.implementation, "_machine", sys.platform)))[:64]
