"""
Jobs that interrupt sniffing: self-test and test signal.

    jobs = RadioJobs(settings, clock, listener, panel, crash_counter, uplink, report)
    jobs.request({})                              # a self-test: the arguments of its command
    jobs.request(TEST_SIGNAL)                     # send the test signal
    if jobs.is_pending: await jobs.run_pending()  # between two steps of the listener
    if jobs.handles(finding): ...                 # a finding about the test signal, which is not reported

The code of both jobs is imported when one runs, to save heap.
"""

from ansim import messages, refusal_codes
from firmware.panel import signal

TEST_SIGNAL = "test_signal"
TEST_SIGNAL_S = 600


class RadioJobs:
    """
    settings, clock, listener, panel, crash_counter   as in their modules
    uplink   the uplink; the test signal is sent over it, so it must be Wi-Fi
    report   function(kind, body) that appends a report to the journal

    status_text  the running job, for the display; "" if none runs
    address      transmitter address of the running test signal, else ""
    """

    def __init__(self, settings, clock, listener, panel, crash_counter, uplink, report):
        self.status_text = ""
        self.address = ""
        self._settings = settings
        self._clock = clock
        self._listener = listener
        self._panel = panel
        self._crash_counter = crash_counter
        self._uplink = uplink
        self._report = report
        self._pending = {} if settings["selftest_at_start"] else None
        self._selftest = None
        self._signal = None

    @property
    def is_pending(self) -> bool:
        """True if a job waits for the radio."""
        return self._pending is not None

    def request(self, job):
        """
        Run a job as soon as the radio is free; it replaces a pending one. Return the reason of a refusal, else None.

        job  TEST_SIGNAL, or the arguments of a self-test command
        """
        if job == TEST_SIGNAL and self._settings["uplink"] != "wifi":
            return refusal_codes.NO_WIFI
        self._pending = job
        return None

    def handles(self, finding) -> bool:
        """Pass a Finding to the self-test; True if it is about the test signal and must not be reported."""
        return self._selftest is not None and self._selftest.handles(finding)

    def stop(self) -> bool:
        """Stop sending the test signal; False if none is sent."""
        if self._signal is None:
            return False
        self._signal.stop()
        return True

    def tick(self) -> None:
        """Forget a self-test that is over, so that its emitter counts as any other. Call between steps."""
        if self._selftest is not None and self._selftest.is_over(self._clock.now_ms()):
            self._selftest = None

    async def run_pending(self) -> None:
        """Run the pending job to its end."""
        job, self._pending = self._pending, None
        self._listener.stop()
        if job == TEST_SIGNAL:
            await self._send_test_signal()
        else:
            await self._run_selftest(job)
        self.status_text = ""

    async def _run_selftest(self, args):
        from firmware.inspecting.selftest import Parts, SelfTest

        self.status_text = "Self-test"
        self._panel.show(signal.TESTING)
        radios = self._listener.radios
        parts = Parts(
            self._clock,
            radios.wlan,
            radios.sniffer,
            radios.spectrum,
            self._settings["channels"],
            self._panel,
            self._listener.step,
            self._listener.engine.forget,
            self._crash_counter.feed_watchdog,
        )
        self._selftest = test = SelfTest(parts, args.get("emitter", ""), args.get("quiet", False))
        body = await test.run()
        self._report(messages.SELFTEST, body)
        self._panel.failed = test.failed()
        self._panel.play(signal.PASSED if body["passed"] else signal.FAILED)
        print("self-test:", "passed" if body["passed"] else "failed: " + ", ".join(self._panel.failed))

    async def _send_test_signal(self):
        from firmware.inspecting.test_signal import TestSignal
        from firmware.network.wifi_and_ethernet import NoUplink

        self._signal = test_signal = TestSignal(self._listener.radios.wlan, self._uplink, self._clock)
        self.status_text, self.address = "Test signal", test_signal.address
        print("test signal from", self.address)
        self._panel.show(signal.EMITTING)
        try:
            await test_signal.run(TEST_SIGNAL_S, self._crash_counter.feed_watchdog)
            self._panel.play(signal.STOPPED)
        except (NoUplink, OSError) as error:
            print("test signal:", error)
            self._panel.play(signal.REFUSED)
        self._signal, self.address = None, ""
