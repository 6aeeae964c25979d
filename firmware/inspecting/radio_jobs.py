"""
What takes the radio away from ordinary listening for a while, because somebody asked for it.

    asked = Asked(app_parts...)
    asked.want({})                     # a self-test: the arguments of its command
    asked.want(EMITTER)                # send the test signal
    if asked.waits: await asked.do()   # between two steps of the listener
    if asked.takes(finding): ...       # it is the test signal: not to be reported

The code of both is loaded when it is asked for.
"""

from ansim import messages
from firmware.panel import signal

EMITTER = "emitter"
EMIT_S = 600


class Asked:
    """
    settings, clock, engine, listener, panel, health   as in their files
    wlan     network.WLAN of the station
    way      the uplink; the test signal is sent by it, so it must be Wi-Fi
    ears     a radio.sniffer.Sniffer or None
    tell     function(kind, body) that makes a report

    word     what it does now, for the display; "" if nothing
    address  of the emitter that runs, else ""
    """

    def __init__(self, settings, clock, engine, listener, panel, health, wlan, way, ears, tell):
        self.word = ""
        self.address = ""
        self._settings = settings
        self._clock = clock
        self._engine = engine
        self._listener = listener
        self._panel = panel
        self._health = health
        self._wlan = wlan
        self._way = way
        self._ears = ears
        self._tell = tell
        self._wanted = {} if settings["selftest_at_start"] else None
        self._test = None
        self._emitter = None

    @property
    def waits(self) -> bool:
        """True if something is to be done."""
        return self._wanted is not None

    def want(self, what) -> None:
        """Do it as soon as the radio is free; what was wanted before and has not begun is forgotten."""
        self._wanted = what

    def takes(self, finding) -> bool:
        """True if a Finding is about the test signal of a self-test."""
        return self._test is not None and self._test.takes(finding)

    def stop(self) -> bool:
        """Stop sending the test signal; False if none is sent."""
        if self._emitter is None:
            return False
        self._emitter.stop()
        return True

    def tick(self) -> None:
        """Call it between steps: in the end the emitter is a sender like any other."""
        if self._test is not None and self._test.is_over(self._clock.now_ms()):
            self._test = None

    async def do(self) -> None:
        """Do what is wanted."""
        wanted, self._wanted = self._wanted, None
        self._listener.stop()
        if wanted == EMITTER:
            await self._emit()
        else:
            await self._run_test(wanted)
        self.word = ""

    async def _run_test(self, args):
        from firmware.inspecting.selftest import Parts, SelfTest

        self.word = "Self-test"
        self._panel.show(signal.TESTING)
        parts = Parts(
            self._clock,
            self._wlan,
            self._ears,
            self._listener.spectrum,
            self._settings["channels"],
            self._panel,
            self._listener.step,
            self._engine.forget,
            self._health.feed_watchdog,
        )
        self._test = test = SelfTest(parts, args.get("emitter", ""), args.get("quiet", False))
        body = await test.run()
        self._tell(messages.SELFTEST, body)
        self._panel.failed = test.failed()
        self._panel.play(signal.PASSED if body["passed"] else signal.FAILED)
        print("self-test:", "passed" if body["passed"] else "failed: " + ", ".join(self._panel.failed))

    async def _emit(self):
        from firmware.inspecting.test_signal import Emitter
        from firmware.network.uplink import NoUplink

        if self._settings["uplink"] != "wifi":
            self._panel.play(signal.REFUSED)
            return
        self._emitter = emitter = Emitter(self._wlan, self._way, self._clock)
        self.word, self.address = "Test signal", emitter.address
        print("test signal from", self.address)
        self._panel.show(signal.EMITTING)
        try:
            await emitter.run(EMIT_S, self._health.feed_watchdog)
            self._panel.play(signal.STOPPED)
        except (NoUplink, OSError) as error:
            print("test signal:", error)
            self._panel.play(signal.REFUSED)
        self._emitter, self.address = None, ""
