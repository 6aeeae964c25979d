"""
Carry out the plan: run one radio after the other and pass all observations to the engine.

    listener = Listener(plan, engine, radios, clock, crash_counter, on_finding, upload)
    while True:
        await listener.step()

Only this module and the plan know the order of the radios.
"""

import asyncio
import gc

from ansim.finding import is_new_alarm
from ansim.frame_header import RECORD_BYTES
from firmware.radio import ble, wifi_scan
from firmware.radio import plan as phases

DRAIN_MS = 40  # the ring holds 500 records, enough for 12,000 a second
JUDGE_MS = 1000
MAX_FAILURES = 5  # in a row; after that only a reset may help


class RadioFailed(Exception):
    """The radio refused MAX_FAILURES times in a row."""


class Listener:
    """
    Runs the radios, feeds the engine and passes on its findings.

    plan, engine    a Plan and an Engine
    radios          radios.Radios
    clock, crash_counter   a Clock and a CrashCounter
    on_finding      function(Finding)
    upload          async function(deadline_ms) -> delivered; called in an UPLOAD step
    """

    def __init__(self, plan, engine, radios, clock, crash_counter, on_finding, upload):
        self.plan = plan
        self.engine = engine
        self.radios = radios
        self._clock = clock
        self._on_finding = on_finding
        self._upload = upload
        self._crash_counter = crash_counter
        self._failures = 0
        self._follower = None
        self._stimulus_test = None
        self.radio_errors = 0  # refusals of a radio
        self.has_ble_memory = True  # the last BLE step was not skipped for lack of memory
        self._ble_dropped = 0
        self._is_sniffing = False

    @property
    def has_sniffer(self) -> bool:
        """True if this sensor has the native sniffer."""
        return self.radios.sniffer is not None

    @property
    def is_following(self) -> bool:
        """True while a Follower gets the levels of its transmitter."""
        return self._follower is not None

    @property
    def ring_dropped(self) -> int:
        """Number of frames lost because the sniffer's ring was full."""
        return self.radios.sniffer.dropped if self.radios.sniffer else 0

    @property
    def is_sniffing(self) -> bool:
        """True while the sniffer runs."""
        return self._is_sniffing

    def take_ble_dropped(self) -> int:
        """Return how many advertisements were dropped since the last call because they came too fast."""
        dropped, self._ble_dropped = self._ble_dropped, 0
        return dropped

    def follow(self, follower) -> None:
        """Feed a follow.Follower until its time is over; None ends following at once."""
        self._follower = follower

    def test_stimulus(self, test) -> None:
        """Feed a movement_test.StimulusTest until it is over."""
        self._stimulus_test = test

    async def step(self) -> str:
        """Run the plan's next step; return its phase. Raises RadioFailed."""
        now_ms = self._clock.now_ms()
        step = self.plan.next(now_ms, self.engine.candidates(now_ms))
        self._crash_counter.feed_watchdog()
        try:
            if step.phase in (phases.SNIFF, phases.DWELL):
                await self._sniff(step)
            else:
                await self._run_other(step)
            self._failures = 0
        except (OSError, RuntimeError) as error:  # a RuntimeError if Wi-Fi gets no memory
            self._failures += 1
            self.radio_errors += 1
            if self._failures >= MAX_FAILURES:
                raise RadioFailed("%s: %s" % (step.phase, error))
            self.stop()
            ble.switch_off()  # its memory may be what Wi-Fi lacks
            self.radios.wlan.active(False)  # the next step switches it on again
            await asyncio.sleep_ms(200)
        self._crash_counter.forgive_crashes(now_ms)
        return step.phase

    def stop(self) -> None:
        """Stop sniffing."""
        self.engine.tune(0, self._clock.now_ms())
        if self.radios.sniffer:
            self.radios.sniffer.stop()
            self._is_sniffing = False
            self._crash_counter.note_sniffing(False)

    async def _sniff(self, step):
        # Before the first call, because the chip may crash in it.
        self._crash_counter.note_sniffing(True)
        await self.radios.sniffer.tune(step.channel)
        self._is_sniffing = True
        began_ms = now_ms = judged_ms = self._clock.now_ms()
        self.engine.tune(step.channel, began_ms)
        tested_ms = began_ms
        may_be_quiet = step.phase == phases.SNIFF
        while now_ms - began_ms < step.duration_ms:
            await asyncio.sleep_ms(min(DRAIN_MS, step.duration_ms - (now_ms - began_ms)))
            undecodable, dropped = self.radios.sniffer.drain(self._on_records)
            self.engine.lost(undecodable, dropped)
            now_ms = self._clock.now_ms()
            may_be_quiet = may_be_quiet and not undecodable
            if may_be_quiet and now_ms - began_ms >= self.plan.quiet_ms():
                if self.engine.is_quiet():
                    break
                may_be_quiet = False
            if self._follower is not None and not self._follower.tick(now_ms):
                self._follower = None
            if self._stimulus_test is not None:
                if not self._stimulus_test.tick(step.channel, tested_ms, now_ms):
                    result = self._stimulus_test.result
                    self.engine.moved(result["subject"], result["p_ppm"])
                    self._stimulus_test = None
                tested_ms = now_ms
            if now_ms - judged_ms >= JUDGE_MS:
                judged_ms = now_ms
                self._judge(now_ms)
                self._crash_counter.feed_watchdog()
                if step.phase == phases.DWELL and self.plan.may_leave(now_ms, self.engine.candidates(now_ms)):
                    break
        self._judge(now_ms)

    async def _run_other(self, step):
        self.stop()
        gc.collect()  # the pause costs nothing here, and TLS needs contiguous memory
        if step.phase == phases.SCAN:
            access_points = wifi_scan.scan(self.radios.wlan, self._clock.now_ms())
            self.engine.access_points(access_points, self._clock.now_ms())
        elif step.phase == phases.BLE:
            self.has_ble_memory = ble.has_memory()
            if self.has_ble_memory:
                self._ble_dropped += await ble.listen(step.duration_ms, self._clock.now_ms, self.engine.advertisement)
        elif step.phase == phases.SPECTRUM:
            self.engine.spectrum(await self.radios.spectrum.listen(step.duration_ms, self._clock.now_ms))
        elif step.phase == phases.UPLOAD:
            delivered = await self._upload(step.duration_ms)
            self.plan.end_upload(self._clock.now_ms(), delivered)
        self._judge(self._clock.now_ms())

    def _on_records(self, records, count):
        self.engine.take(records, count)
        if self._stimulus_test is not None:
            self._stimulus_test.take(records, count, self._clock.now_ms())
        if self._follower is not None:
            self._add_levels(records, count)

    def _add_levels(self, records, count):
        """Give the follower the levels of its transmitter."""
        now_ms = self._clock.now_ms()
        address = self._follower.address
        for start in range(0, count * RECORD_BYTES, RECORD_BYTES):
            if records[start + 20 : start + 26] == address:
                level = records[start + 10]
                self._follower.proximity.add(now_ms, level - 256 if level > 127 else level)

    def _judge(self, now_ms):
        for finding in self.engine.judge(now_ms):
            if is_new_alarm(finding):  # a notice waits for the next upload: the alarm needs the time for listening
                self.plan.upload_soon()
            self._on_finding(finding)
