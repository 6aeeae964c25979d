"""
The sensor in ordinary operation: radios → detection engine → reports → journal → connection, and commands.

    app = App(settings, health)
    await app.run()                # for ever; raises unexpected errors

A Wi-Fi sensor listens, and uploads when the plan says so: it cannot do both at once, because a connection occupies the
channel. A wired one stays connected while it listens.
"""

import asyncio
import gc

import machine

from ansim import messages
from ansim.detect import engine as engines
from ansim.detect.stations.layout import TABLE_BYTES
from ansim.finding import ALARM, CLEARED, NOTICE, RAISED, is_new_alarm
from firmware.inspecting.inspection import Inspection
from firmware.inspecting.radio_jobs import RadioJobs
from firmware.inspecting.server_commands import ServerCommands
from firmware.inspecting.sweeps import Sweeps
from firmware.maintenance import chip_memory, unload_modules
from firmware.maintenance.upkeep import TABLES, UPDATE_WINDOW_MS
from firmware.panel import signal
from firmware.panel.panel import BUTTON, NRF24, DisplayStatus, Panel
from firmware.radio import ble, sniffer
from firmware.radio.listener import Listener
from firmware.radio.plan import Plan
from firmware.sensor import Sensor

SWEEP_MS = 60_000
INSPECTION_SWEEP_MS = 30_000  # during an inspection, whose page shows the coverage
MIN_SWEEP_MS = 20_000  # before an upload: a sweep report that is younger is recent enough
IDLE_MS = 500
IDLE_UPLOAD_MS = 20_000  # an idle sensor misses nothing meanwhile
SHOW_FINDING_MS = 60_000


class App(Sensor):
    """
    The whole sensor. The constructor wires its parts; run() starts them.

    settings, health, on_trial   see Sensor

    Raises boards.UnknownBoard.
    """

    def __init__(self, settings: dict, health, on_trial: bool = False):
        from firmware import boards  # here, so that it can be unloaded

        gc.collect()  # imports have left holes, which the permanent objects should fill
        board = boards.load(settings["board"])
        self._panel = Panel(board, settings["fitted"] or board.FITTED, self._status)
        self._spectrum = _open_spectrum(board, self._panel.fitted)
        self._capabilities = list_capabilities(health.sniff_level(), self._spectrum)
        self._engine = engines.standard(
            settings, TABLES, messages.NRF24 in self._capabilities, sniffer.static_memory(TABLE_BYTES)
        )
        super().__init__(settings, health, board, on_trial)

        # Listening: the plan chooses the radio, the listener runs it, the engine judges what it hears.
        wifi_sniffer = _make_sniffer(self._wlan, self._capabilities)
        channels, rare_channels = boards.channels_of(board, settings)
        self._plan = Plan(
            channels=channels,
            rare_channels=rare_channels,
            capabilities=self._capabilities,
            upload_every_ms=settings["upload_every_s"] * 1000,
            uplink=settings["uplink"],
        )
        self._listener = Listener(
            plan=self._plan,
            engine=self._engine,
            clock=self._clock,
            wlan=self._wlan,
            sniffer=wifi_sniffer,
            on_finding=self._on_finding,
            upload=self._upload,
            health=health,
            spectrum=self._spectrum,
        )

        # Reporting: findings one by one, all else that was heard as sweeps.
        self._waiting_findings = []  # bodies of FINDING reports; written between two visits, because writing deafens
        self._show_finding_until_ms = {NOTICE: 0, ALARM: 0}
        self._sweeps = Sweeps(
            engine=self._engine,
            clock=self._clock,
            listener=self._listener,
            spectrum=self._spectrum,
            capabilities=self._capabilities,
            panel=self._panel,
            report=self._report,
        )
        self._inspection = Inspection(
            journal=self._journal,
            engine=self._engine,
            clock=self._clock,
            ignore=settings["ignore"],
            end_sweep=self._end_sweep,
            on_start=self._panel.reset,
        )

        # What a person asks for, on the server or with the button.
        self._jobs = RadioJobs(
            settings=settings,
            clock=self._clock,
            engine=self._engine,
            listener=self._listener,
            panel=self._panel,
            health=health,
            wlan=self._wlan,
            uplink=self._uplink,
            sniffer=wifi_sniffer,
            report=self._report,
        )
        self._server_commands = ServerCommands(
            inspection=self._inspection,
            plan=self._plan,
            listener=self._listener,
            clock=self._clock,
            on_reading=self._show_reading,
            report=self._report,
            request_job=self._jobs.request,
        )
        self._button = self._make_button_actions() if BUTTON in self._panel.fitted else None

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
        self._add_handlers(self._server_commands.handlers())
        self._add_handlers(self._upkeep.handlers())
        tasks = [self._listen(), self._panel.run()]
        if self._button:
            from firmware.panel.button import Button

            tasks.append(Button(self._board.BUTTON, self._button.on_hold, self._button.on_press).run())
        tasks += self._network_tasks(self._plan.upload_soon)
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
                is_over = self._end_sweep_if_due(INSPECTION_SWEEP_MS if self._inspection.id else SWEEP_MS)
                if (
                    is_over
                    and not self._inspection.id
                    and chip_memory.is_used_up(now_ms, self._settings["tls"] and not self._connection.connected)
                ):
                    print("The chip's memory is used up; the sensor restarts")
                    await self._restart()
                continue
            self._panel.show(signal.IDLE)
            self._listener.stop()
            self._health.feed_watchdog()
            self._sweeps.restart()  # an idle sensor owes no coverage
            if not self._is_wired and (
                not uploaded_ms or now_ms - uploaded_ms >= self._settings["upload_every_s"] * 1000
            ):
                await self._upload(IDLE_UPLOAD_MS)
                uploaded_ms = self._clock.now_ms()
            await asyncio.sleep_ms(IDLE_MS)

    async def _upload(self, deadline_ms):
        """Deliver the waiting reports by Wi-Fi; True if the server has them all."""
        self._end_sweep_if_due(MIN_SWEEP_MS)
        self._panel.show(signal.UPLOADING)
        return await self._connection.upload(
            max(deadline_ms, UPDATE_WINDOW_MS) if self._upkeep.is_pending else deadline_ms
        )

    async def _run_job(self):
        self._end_sweep()
        await self._jobs.run_pending()
        self._sweeps.restart()  # what the job has heard is not part of a sweep
        self._plan.upload_soon()

    async def _listen_step(self, now_ms):
        if not self._listener.is_following:
            self._panel.reading = None
            quiet = signal.INSPECTING if self._inspection.id else signal.LISTENING
            until_ms = self._show_finding_until_ms
            found = signal.FOUND if now_ms < until_ms[ALARM] else signal.NOTICED if now_ms < until_ms[NOTICE] else quiet
            self._panel.show(found)
        await self._listener.step()
        self._write_findings()

    def _on_finding(self, finding):
        if self._jobs.handles(finding):
            return
        self._waiting_findings.append(messages.finding_body(finding))
        self._panel.record_finding(finding, finding.event != CLEARED)
        if is_new_alarm(finding) or finding.event == RAISED:
            self._show_finding_until_ms[finding.level] = self._clock.now_ms() + SHOW_FINDING_MS
            self._panel.play(signal.ALARM if finding.level == ALARM else signal.NOTICE)

    def _write_findings(self):
        bodies, self._waiting_findings = self._waiting_findings, []
        for body in bodies:
            self._report(messages.FINDING, body)

    def _report(self, kind, body):
        began_ms = self._clock.now_ms()
        super()._report(kind, body)
        self._sweeps.note_flash(self._clock.now_ms() - began_ms)

    def _show_reading(self, *reading):
        """Show how near the followed signal is, on the display and on the server."""
        self._panel.show_reading(*reading)
        self._connection.send_live(*reading)

    def _end_sweep_if_due(self, every_ms):
        """Report the sweep, with the findings before it, if it is `every_ms` old; True if it was."""
        self._write_findings()
        is_due = self._sweeps.end_if_due(every_ms)
        if is_due:
            unload_modules.unload()
        return is_due

    def _end_sweep(self):
        self._end_sweep_if_due(0)

    def _describe(self):
        fields = super()._describe()
        fields["capabilities"] = self._capabilities
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
            self._inspection, self._panel, self._server_commands, lambda: self._journal.boot, self._jobs
        )

    async def _restart(self, last=None):
        self._listener.stop()
        await super()._restart(last)


def list_capabilities(level: int, spectrum=None) -> list:
    """
    Return the capabilities of this sensor, as in messages.CAPABILITIES.

    level     what the sniffer may do after the crashes so far, see Health.sniff_level()
    spectrum  a radio.nrf24.Nrf24, None without one
    """
    capabilities = [messages.SCAN]
    if sniffer.is_available() and level:
        capabilities.append(messages.SNIFF if level == 2 else messages.SNIFF_MANAGEMENT)
    if ble.is_available():
        capabilities.append(messages.BLE)
    if spectrum:
        capabilities.append(messages.NRF24)
    return capabilities


def _open_spectrum(board, fitted):
    """Return a radio.nrf24.Nrf24, None if none is fitted or it does not answer."""
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


def _make_sniffer(wlan, capabilities):
    """Return a radio.sniffer.Sniffer, None if this sensor must not sniff or cannot."""
    if messages.SNIFF in capabilities:
        return sniffer.Sniffer(wlan, sniffer.ALL_KINDS)
    if messages.SNIFF_MANAGEMENT in capabilities:
        return sniffer.Sniffer(wlan, sniffer.MANAGEMENT_ONLY)
    return None
