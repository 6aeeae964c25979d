"""
The sensor in ordinary operation.

    app = App(settings, crash_counter)
    await app.run()                # for ever; raises unexpected errors

Each part knows only parts above it, and this module connects them:

    BaseApp         base_app.py                   clock, journal, uplink, commands, upkeep, connection to the server
    panel           panel/panel.py                light, buzzer, display, battery
    listener        radio/listener.py             runs the radios as the plan says; the engine judges what they hear
    reports         inspecting/reports.py         findings and sweeps, into the journal
    inspection      inspecting/inspection.py      its id is in every report
    jobs            inspecting/radio_jobs.py      self-test and test signal, which interrupt the listener
    handlers        inspecting/command_handlers.py  what the server asks for
    button          inspecting/button_actions.py  what a person asks for

A Wi-Fi sensor listens, and uploads when the plan says so: it cannot do both at once, because a connection occupies the
channel. A wired one stays connected while it listens.
"""

import asyncio
import gc

import machine

from ansim.detect import engine as engines
from ansim.detect.stations.layout import TABLE_BYTES
from firmware.base_app import BaseApp
from firmware.inspecting.command_handlers import CommandHandlers
from firmware.inspecting.inspection import Inspection
from firmware.inspecting.radio_jobs import RadioJobs
from firmware.inspecting.reports import Reports
from firmware.maintenance import chip_memory, unload_modules
from firmware.maintenance.maintenance_commands import TABLES, UPDATE_WINDOW_MS
from firmware.panel import signal
from firmware.panel.panel import BUTTON, DisplayStatus, Panel
from firmware.radio import sniffer
from firmware.radio.listener import Listener
from firmware.radio.plan import Plan

SWEEP_MS = 60_000
INSPECTION_SWEEP_MS = 30_000  # during an inspection, whose page shows the coverage
MIN_SWEEP_MS = 20_000  # before an upload: a sweep report that is younger is recent enough
IDLE_MS = 500
IDLE_UPLOAD_MS = 20_000  # an idle sensor misses nothing meanwhile


class App(BaseApp):
    """
    The whole sensor. The constructor makes the parts; run() starts them.

    settings, crash_counter, on_trial   see BaseApp

    Raises boards.UnknownBoard.
    """

    def __init__(self, settings: dict, crash_counter, on_trial: bool = False):
        from firmware import boards  # here, so that it can be unloaded

        gc.collect()  # imports have left holes, which the permanent objects should fill
        board = boards.load(settings["board"])
        super().__init__(settings, crash_counter, board, on_trial)
        clock, self._panel = self._clock, Panel(board, settings["fitted"] or board.FITTED, self._status)
        self._listener = listener = self._make_listener(boards.channels_of(board, settings))
        self._reports = reports = Reports(listener, clock, self._panel, self._report)
        self._inspection = Inspection(
            self._journal, listener.engine, clock, settings["ignore"], reports, self._panel.reset
        )
        self._jobs = RadioJobs(settings, clock, listener, self._panel, crash_counter, self._uplink, reports.add)
        self._command_handlers = CommandHandlers(
            self._inspection, listener, clock, self._show_reading, reports.add, self._jobs.request
        )
        self._idle_upload_ms = 0  # when an idle sensor uploaded last
        self._button = self._make_button_actions() if BUTTON in self._panel.fitted else None

    def _make_listener(self, channels):
        from firmware.radio.radios import open_radios

        settings, crash_counter = self._settings, self._crash_counter
        radios = open_radios(self._wlan, self._board, self._panel.fitted, crash_counter.sniff_level())
        has_spectrum = radios.spectrum is not None
        engine = engines.standard(settings, TABLES, has_spectrum, sniffer.static_memory(TABLE_BYTES))
        plan = Plan(
            channels=channels[0],
            rare_channels=channels[1],
            capabilities=radios.capabilities,
            upload_every_ms=settings["upload_every_s"] * 1000,
            uplink=settings["uplink"],
        )
        return Listener(plan, engine, radios, self._clock, crash_counter, self._on_finding, self._upload)

    async def run(self) -> None:
        """Listen and report for ever. Raises unexpected errors."""
        unload_modules.unload()
        self._connection.prepare()
        try:
            machine.freq(self._board.CPU_HZ)
        except ValueError:  # another chip than that of the board in the settings
            print("This chip has no %d MHz; is the setting board right?" % (self._board.CPU_HZ // 1_000_000))
        self._begin()
        self._inspection.resume()
        self._panel.begin()
        self._report_reset()
        self._add_handlers(self._command_handlers.handlers())
        self._add_handlers(self._upkeep.handlers())
        tasks = [self._listen(), self._panel.run()]
        if self._button:
            from firmware.panel.button import Button

            tasks.append(Button(self._board.BUTTON, self._button.on_hold, self._button.on_press).run())
        tasks += self._network_tasks(self._listener.plan.upload_soon)
        await asyncio.gather(*tasks)

    async def _listen(self):
        while True:
            self._inspection.stop_if_expired()
            if self._jobs.is_pending:
                await self._run_job()
                continue
            self._jobs.tick()
            if self._settings["always_listen"] or self._inspection.id or self._listener.is_following:
                await self._listen_step()
            else:
                await self._idle()

    async def _listen_step(self):
        now_ms = self._clock.now_ms()
        if not self._listener.is_following:
            self._panel.show_listening(bool(self._inspection.id), now_ms)
        await self._listener.step()
        is_over = self._end_sweep_if_due(INSPECTION_SWEEP_MS if self._inspection.id else SWEEP_MS)
        if is_over and not self._inspection.id:
            needs_tls = self._settings["tls"] and not self._connection.connected
            if chip_memory.is_used_up(now_ms, needs_tls):
                print("The chip's memory is used up; the sensor restarts")
                await self._restart()

    async def _idle(self):
        """Wait for an inspection, and upload now and then."""
        self._panel.show(signal.IDLE)
        self._listener.stop()
        self._crash_counter.feed_watchdog()
        self._reports.restart_sweep()  # an idle sensor owes no coverage
        since_ms = self._clock.now_ms() - self._idle_upload_ms
        if not self._is_wired and (not self._idle_upload_ms or since_ms >= self._settings["upload_every_s"] * 1000):
            await self._upload(IDLE_UPLOAD_MS)
            self._idle_upload_ms = self._clock.now_ms()
        await asyncio.sleep_ms(IDLE_MS)

    async def _upload(self, deadline_ms):
        """Deliver the waiting reports by Wi-Fi; True if the server has them all."""
        self._end_sweep_if_due(MIN_SWEEP_MS)
        self._panel.show(signal.UPLOADING)
        return await self._connection.upload(
            max(deadline_ms, UPDATE_WINDOW_MS) if self._upkeep.is_pending else deadline_ms
        )

    async def _run_job(self):
        self._end_sweep_if_due(0)
        await self._jobs.run_pending()
        self._reports.restart_sweep()  # what the job has heard is not part of a sweep
        self._listener.plan.upload_soon()

    def _on_finding(self, finding):
        if not self._jobs.handles(finding):
            self._reports.keep(finding)
            self._panel.announce(finding, self._clock.now_ms())

    def _show_reading(self, *reading):
        """Show how near the followed signal is, on the display and on the server."""
        self._panel.show_reading(*reading)
        self._connection.send_live(*reading)

    def _end_sweep_if_due(self, every_ms):
        is_due = self._reports.end_sweep_if_due(every_ms)
        if is_due:
            unload_modules.unload()
        return is_due

    def _describe(self):
        fields = super()._describe()
        fields["capabilities"] = self._listener.radios.capabilities
        fields["fitted"] = self._panel.fitted
        fields["battery_percent"] = self._panel.battery_percent
        fields["ring_dropped"] = self._listener.ring_dropped
        fields["radio_errors"] = self._listener.radio_errors
        return fields

    def _status(self):
        """Return the DisplayStatus."""
        inspection, now_ms = self._inspection, self._clock.now_ms()
        activity = self._jobs.status_text or ("Sweep" if inspection.id else "Listening")
        elapsed_s = (now_ms - inspection.began_ms) // 1000 if inspection.id else None
        connected = not self._connection.problem and self._connection.ever_ready
        hint = self._button.hint() if self._button else ""
        return DisplayStatus(
            self._settings["device"],
            activity,
            elapsed_s,
            self._settings["channels"],
            connected,
            self._journal.reports,
            hint,
        )

    def _make_button_actions(self):
        from firmware.inspecting.button_actions import ButtonActions

        return ButtonActions(
            self._inspection, self._panel, self._command_handlers, lambda: self._journal.boot, self._jobs
        )

    async def _restart(self, last=None):
        self._listener.stop()
        await super()._restart(last)
