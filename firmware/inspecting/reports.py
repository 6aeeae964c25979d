"""
Reports of what the radios heard: findings one by one, all else in sweep reports.

    reports = Reports(listener, clock, panel, append)
    reports.keep(finding)                # written at the end of the visit
    reports.end_sweep_if_due(60_000)     # in operation
    reports.end_sweep()                  # before something that must not be in the same report
    reports.restart_sweep()              # what was heard since does not belong to any sweep

A sweep report says what the sensor listened to, and what it missed, since the one before.
"""

from ansim import messages


class Reports:
    """
    listener, clock, panel   as in their modules
    append                   function(kind, body) that appends a report to the journal
    """

    def __init__(self, listener, clock, panel, append):
        self._listener = listener
        self._clock = clock
        self._panel = panel
        self._append = append
        self._findings = []  # bodies of reports that wait for the end of the visit, because writing deafens the chip
        self._began_ms = 0  # of the sweep
        self._flash_ms = 0  # spent in writing the flash while the sniffer ran
        self._spectrum_sweeps = 0  # in earlier reports

    def add(self, kind: str, body: dict) -> None:
        """Append a report to the journal. The chip is deaf while the flash is written."""
        began_ms = self._clock.now_ms()
        self._append(kind, body)
        if self._listener.is_sniffing:
            self._flash_ms += self._clock.now_ms() - began_ms

    def keep(self, finding) -> None:
        """Keep a Finding for the next write_findings()."""
        self._findings.append(messages.finding_body(finding))

    def write_findings(self) -> None:
        """Append the kept findings. Call between two visits."""
        bodies, self._findings = self._findings, []
        for body in bodies:
            self.add(messages.FINDING, body)

    def restart_sweep(self) -> None:
        """Begin a sweep now, and forget what was heard since the last one."""
        self._listener.engine.coverage()
        self._began_ms = self._clock.now_ms()

    def end_sweep_if_due(self, every_ms: int) -> bool:
        """Report the findings, and the sweep if it is `every_ms` old; True if it was."""
        self.write_findings()
        if self._clock.now_ms() - self._began_ms < every_ms:
            return False
        now_ms = self._clock.now_ms()
        listener = self._listener
        body = listener.engine.coverage()
        heard_ms = sum([row[1] for row in body["channels"]])
        body["from_ms"] = self._began_ms
        body["to_ms"] = now_ms
        body["deaf_ms"] = max(0, now_ms - self._began_ms - heard_ms)
        capabilities, spectrum = listener.radios.capabilities, listener.radios.spectrum
        body["capabilities"] = capabilities
        if not listener.has_ble_memory:
            body["capabilities"] = [name for name in capabilities if name != messages.BLE]
        body["flash_ms"], self._flash_ms = self._flash_ms, 0
        body["ble_dropped"] = listener.take_ble_dropped()
        if spectrum:
            body["spectrum_sweeps"] = spectrum.sweeps - self._spectrum_sweeps
            self._spectrum_sweeps = spectrum.sweeps
        self._panel.add_coverage(body["channels"])
        self._began_ms = now_ms
        self.add(messages.SWEEP, body)
        return True

    def end_sweep(self) -> None:
        """Report the findings and the sweep, and begin the next."""
        self.end_sweep_if_due(0)
