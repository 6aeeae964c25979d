"""
Sweep reports: what the sensor listened to, and what it missed, since the report before.

    sweeps = Sweeps(engine, clock, listener, spectrum, capabilities, panel, report)
    sweeps.end_if_due(60_000)      # in operation
    sweeps.end()                   # before something that must not be in the same report
    sweeps.restart()               # what was heard since does not belong to any sweep
"""

from ansim import messages


class Sweeps:
    """
    engine, clock, listener, panel   as in their modules
    spectrum      a radio.nrf24.Nrf24, None without one
    capabilities  list as in messages.CAPABILITIES
    report        function(kind, body) that appends a report to the journal
    """

    def __init__(self, engine, clock, listener, spectrum, capabilities, panel, report):
        self._engine = engine
        self._clock = clock
        self._listener = listener
        self._spectrum = spectrum
        self._capabilities = capabilities
        self._panel = panel
        self._report = report
        self._began_ms = 0
        self._flash_ms = 0  # spent in writing the flash while the sniffer ran
        self._spectrum_sweeps = 0  # in earlier reports

    def note_flash(self, ms: int) -> None:
        """Note that the flash was written for some time; the chip was deaf if the sniffer ran."""
        if self._listener.is_sniffing:
            self._flash_ms += ms

    def restart(self) -> None:
        """Begin a sweep now, and forget what was heard since the last one."""
        self._engine.coverage()
        self._began_ms = self._clock.now_ms()

    def end_if_due(self, every_ms: int) -> bool:
        """End the sweep if it is `every_ms` old; True if it was."""
        if self._clock.now_ms() - self._began_ms < every_ms:
            return False
        self.end()
        return True

    def end(self) -> None:
        """Report the sweep and begin the next."""
        now_ms = self._clock.now_ms()
        body = self._engine.coverage()
        heard_ms = sum([row[1] for row in body["channels"]])
        body["from_ms"] = self._began_ms
        body["to_ms"] = now_ms
        body["deaf_ms"] = max(0, now_ms - self._began_ms - heard_ms)
        body["capabilities"] = self._capabilities
        if not self._listener.has_ble_memory:
            body["capabilities"] = [name for name in self._capabilities if name != messages.BLE]
        body["flash_ms"], self._flash_ms = self._flash_ms, 0
        body["ble_dropped"] = self._listener.take_ble_dropped()
        if self._spectrum:
            body["spectrum_sweeps"] = self._spectrum.sweeps - self._spectrum_sweeps
            self._spectrum_sweeps = self._spectrum.sweeps
        self._panel.add_coverage(body["channels"])
        self._began_ms = now_ms
        self._report(messages.SWEEP, body)
