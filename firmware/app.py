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

from ansim import VERSION, messages
from ansim.detect import engine as engines
from ansim.envelope import key_bytes
from ansim.finding import CLEARED, RAISED
from firmware.inspecting.inspection import Inspection
from firmware.inspecting.radio_jobs import RadioJobs
from firmware.inspecting.server_commands import ServerCommands
from firmware.journal.journal import Journal
from firmware.maintenance import unload_modules
from firmware.maintenance.upkeep import TABLES, UPDATE_WINDOW_MS, Upkeep
from firmware.network import uplink
from firmware.network.clock import Clock
from firmware.network.commands import Commands
from firmware.network.link import Link
from firmware.panel import signal
from firmware.panel.panel import BUTTON, NRF24, DisplayStatus, Panel
from firmware.radio import ble, sniffer
from firmware.radio.listener import Listener
from firmware.radio.plan import Plan

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
        from firmware import boards  # here, so that it can be given back

        self._settings = settings
        gc.collect()  # loading has left holes, and the engine's table wants 16 kB in one piece
        self._board = board = boards.load(settings["board"])
        self._panel = Panel(board, settings["fitted"] or board.FITTED, self._status)
        self._spectrum = _spectrum(board, self._panel.fitted)
        self._capabilities = can = capabilities(health.sniff_level(), self._spectrum)
        self._engine = engine = engines.standard(settings, TABLES, messages.NRF24 in can)
        self._health = health
        self._wired = settings["uplink"] == "ethernet"
        self._swept_ms = 0
        self._shown_until_ms = 0
        self._spectrum_swept = 0

        wlan = network.WLAN(network.WLAN.IF_STA)
        way = uplink.Ethernet(board.lan()) if self._wired else uplink.Wifi(wlan, settings["wifi"])
        every_ms = settings["upload_every_s"] * 1000
        self._clock = clock = Clock()
        self._journal = journal = Journal(JOURNAL_FOLDER, settings["journal_bytes"], clock)
        self._inspection = Inspection(journal, engine, clock, settings["ignore"], self._sweep, self._panel.reset)
        self._commands = Commands(settings["device"], key_bytes(settings), clock, COMMANDS_FILE)
        self._link = Link(settings, journal, clock, self._commands, way, self._describe)
        self._plan = Plan(settings["channels"], can, every_ms, settings["uplink"])
        ears = _make_sniffer(wlan, can)
        self._listener = Listener(
            self._plan, engine, clock, wlan, ears, self._on_finding, self._upload, health, self._spectrum
        )
        self._upkeep = Upkeep(settings, on_trial, clock, self._restart, health.feed_watchdog)
        self._link.errand = self._upkeep  # pyright: ignore[reportAttributeAccessIssue]
        parts = (self._listener, self._panel, health, wlan, way, ears, self._report)
        self._jobs = RadioJobs(settings, clock, engine, *parts)
        parts = (self._inspection, self._plan, self._listener, clock)
        self._server_commands = ServerCommands(*parts, self._show_reading, self._report, self._jobs.request)
        self._button = self._button_actions() if BUTTON in self._panel.fitted else None

    async def run(self) -> None:
        """Listen and report for ever. Raises what nobody expected."""
        unload_modules.unload()
        self._link.prepare()
        machine.freq(self._board.CPU_HZ)
        self._health.start_watchdog()
        self._journal.open()
        self._inspection.resume()
        self._upkeep.begin()
        self._panel.begin()
        slot = {"version": VERSION, "slot": self._upkeep.info_fields()["slot"]}
        self._report(messages.RESET, dict(slot, cause=self._health.cause, crashes=self._health.crashes))
        for name, handler in self._server_commands.handlers() + self._upkeep.handlers():
            self._commands.on(name, handler)
        tasks = [self._listen(), self._panel.run()]
        if self._button:
            from firmware.panel.button import Button

            tasks.append(Button(self._board.BUTTON, self._button.on_hold, self._button.on_press).run())
        if self._upkeep.on_trial:
            tasks.append(self._upkeep.confirm_or_restart(self._link, self._plan.upload_soon))
        if self._wired:
            tasks.append(self._link.stay_connected())
        await asyncio.gather(*tasks)

    async def _listen(self):
        uploaded_ms = 0
        while True:
            self._inspection.stop_if_expired()
            now_ms = self._clock.now_ms()
            if self._jobs.is_pending:
                await self._run_job()
                continue
            self._jobs.tick()
            if self._settings["always_listen"] or self._inspection.id or self._listener.is_following:
                await self._listen_step(now_ms)
                self._sweep_if_due(INSPECTED_SWEEP_MS if self._inspection.id else SWEEP_MS)
                continue
            self._panel.show(signal.IDLE)
            self._listener.stop()
            self._health.feed_watchdog()
            self._swept_ms = now_ms  # what is not asked for is not missing either
            if not self._wired and (not uploaded_ms or now_ms - uploaded_ms >= self._settings["upload_every_s"] * 1000):
                await self._upload(IDLE_UPLOAD_MS)
                uploaded_ms = self._clock.now_ms()
            await asyncio.sleep_ms(IDLE_MS)

    async def _upload(self, deadline_ms):
        """Hand over what waits, by Wi-Fi; True if the server has it all."""
        self._sweep_if_due(LEAST_SWEEP_MS)
        self._panel.show(signal.UPLOADING)
        return await self._link.upload(max(deadline_ms, UPDATE_WINDOW_MS) if self._upkeep.is_pending else deadline_ms)

    async def _run_job(self):
        self._sweep()
        await self._jobs.run_pending()
        self._engine.coverage()  # what a self-test has heard is no part of an account
        self._swept_ms = self._clock.now_ms()
        self._plan.upload_soon()

    async def _listen_step(self, now_ms):
        if not self._listener.is_following:
            self._panel.reading = None
            quiet = signal.INSPECTING if self._inspection.id else signal.LISTENING
            self._panel.show(signal.FOUND if now_ms < self._shown_until_ms else quiet)
        await self._listener.step()

    def _on_finding(self, finding):
        if self._jobs.handles(finding):
            return
        self._report(messages.FINDING, messages.finding_body(finding))
        self._panel.record_finding(finding, finding.event != CLEARED)
        if finding.event == RAISED:
            self._shown_until_ms = self._clock.now_ms() + FOUND_SHOWN_MS
            self._panel.play(signal.ALARM)

    def _show_reading(self, *reading):
        """Show how near the followed signal is, here and on the server."""
        self._panel.show_reading(*reading)
        self._link.send_live(*reading)

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
        if self._spectrum:
            body["spectrum_sweeps"] = self._spectrum.sweeps - self._spectrum_swept
            self._spectrum_swept = self._spectrum.sweeps
        self._panel.add_coverage(body["channels"])
        self._swept_ms = now_ms
        self._report(messages.SWEEP, body)
        unload_modules.unload()

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
            "fitted": self._panel.fitted,
            "battery_percent": self._panel.battery_percent,
            "crashes": self._health.crashes,
            "reset_cause": self._health.cause,
            "ring_dropped": self._listener.ring_dropped,
            "inspection": self._inspection.id,
        }
        fields.update(self._upkeep.info_fields())
        return fields

    def _status(self):
        """What the display shows of the app's own."""
        inspection, now_ms = self._inspection, self._clock.now_ms()
        word = self._jobs.status_text or ("Sweep" if inspection.id else "Listening")
        for_s = (now_ms - inspection.began_ms) // 1000 if inspection.id else None
        connected = not self._link.problem and self._link.ever_ready
        hint = self._button.hint() if self._button else ""
        return DisplayStatus(
            self._settings["device"], word, for_s, self._settings["channels"], connected, self._journal.reports, hint
        )

    def _button_actions(self):
        from firmware.inspecting.button_actions import ButtonActions

        return ButtonActions(
            self._inspection, self._panel, self._server_commands, lambda: self._journal.boot, self._jobs
        )

    async def _restart(self, last=None):
        """End this run on purpose; last() is called just before."""
        self._listener.stop()
        await self._link.stop(messages.DISCONNECTED)
        self._journal.close()
        if last:
            last()
        self._health.intend_reset()
        machine.reset()


def capabilities(level: int, spectrum=None) -> list:
    """
    Return what this sensor can hear with, as in report.CAPABILITIES.

    level     what the sniffer may do after the crashes so far, see Health.level()
    spectrum  a radio.nrf24.Nrf24 that answers, None without one
    """
    can = [messages.SCAN]
    if sniffer.is_available() and level:
        can.append(messages.SNIFF if level == 2 else messages.SNIFF_MANAGEMENT)
    if ble.is_available():
        can.append(messages.BLE)
    if spectrum:
        can.append(messages.NRF24)
    return can


def _spectrum(board, fitted):
    """Return a Nrf24 that answers, None without one."""
    if NRF24 not in fitted:
        return None
    from firmware.radio.nrf24 import Nrf24

    radio = Nrf24(board.NRF24)
    try:
        radio.begin()
    except OSError as error:
        print("nrf24:", error)
        fitted.remove(NRF24)
        return None
    return radio


def _make_sniffer(wlan, can):
    if messages.SNIFF in can:
        return sniffer.Sniffer(wlan, sniffer.ALL_KINDS)
    if messages.SNIFF_MANAGEMENT in can:
        return sniffer.Sniffer(wlan, sniffer.MANAGEMENT_ONLY)
    return None


def interpreter():
    """Return what runs the program, for the info message."""
    version = ".".join([str(part) for part in sys.implementation.version if part != ""])
    return ("MicroPython %s on %s" % (version, getattr(sys.implementation, "_machine", sys.platform)))[:64]
