"""
Carries out the plan: one radio after the other, and everything heard goes to the engine.

    listener = Listener(plan, engine, clock, wlan, sniffer, report_finding, upload, health)
    while True:
        await listener.step()

Only this file and the plan know the order of the radios; only the files beside it know a radio.
"""

import asyncio
import gc

from ansim.finding import RAISED
from ansim.frame_header import RECORD_BYTES
from firmware.radio import ble, wifi_scan
from firmware.radio import plan as phases

DRAIN_MS = 40  # the ring holds 500 records: 12,000 a second
JUDGE_MS = 1000
RADIO_FAILURES = 5  # in a row, then a reset has to help


class RadioFailed(Exception):
    """The radio refuses again and again."""


class Listener:
    """
    Hears, shows the engine what it heard, and hands on what the engine concludes.

    plan, engine, clock   as in plan.py, ansim/detect/engine.py, clock.py
    wlan                  network.WLAN of the station interface, for scans
    sniffer               a radio.sniffer.Sniffer, None without the native module
    found                 function(Finding)
    upload                async function(deadline_ms) -> delivered; called in an UPLOAD step
    health                a health.Health
    spectrum              a radio.nrf24.Nrf24 that has begun, None without one
    """

    def __init__(self, plan, engine, clock, wlan, sniffer, found, upload, health, spectrum=None):
        self.deaf_ms = 0  # time not spent sniffing, since begin_account()
        self.radio_errors = 0
        self.ble_dropped = 0
        self._plan = plan
        self._engine = engine
        self._clock = clock
        self._wlan = wlan
        self._sniffer = sniffer
        self._found = found
        self._upload = upload
        self._health = health
        self._failures = 0
        self._follower = None
        self._watched = None
        self.spectrum = spectrum

    @property
    def sniffs(self) -> bool:
        """True if it has a sniffer at all."""
        return self._sniffer is not None

    @property
    def follows(self) -> bool:
        """True while a follower is told what it asks for."""
        return self._follower is not None

    @property
    def ring_dropped(self) -> int:
        """Frames lost because nobody read the sniffer's ring in time."""
        return self._sniffer.dropped if self._sniffer else 0

    def follow(self, follower) -> None:
        """Tell a follow.Follower what it asks for, until it is over; None ends it."""
        self._follower = follower

    def watch(self, one) -> None:
        """Show a watch.Watch the frames, until its time is over; None ends it."""
        self._watched = one

    async def step(self) -> str:
        """Do what the plan wants next; return the phase. Raises RadioFailed."""
        now_ms = self._clock.now_ms()
        step = self._plan.next(now_ms, self._engine.candidates(now_ms))
        self._health.feed_watchdog()
        try:
            if step.phase in (phases.SNIFF, phases.DWELL):
                await self._sniff(step)
            else:
                await self._other(step)
            self._failures = 0
        except OSError as error:
            self.radio_errors += 1
            self._failures += 1
            if self._failures >= RADIO_FAILURES:
                raise RadioFailed("%s: %s" % (step.phase, error))
            self.stop()
            self._wlan.active(False)  # the next step switches it on again
            await asyncio.sleep_ms(200)
        self._health.forgive_crashes(now_ms)
        return step.phase

    def stop(self) -> None:
        """Stop sniffing; from now on nothing is heard."""
        self._engine.tune(0, self._clock.now_ms())
        if self._sniffer:
            self._sniffer.stop()
            self._health.note_sniffing(False)

    async def _sniff(self, step):
        # Marked before: a chip that dies in the very first call was sniffing, too.
        self._health.note_sniffing(True)
        await self._sniffer.tune(step.channel)
        began_ms = now_ms = judged_ms = self._clock.now_ms()
        self._engine.tune(step.channel, began_ms)
        watched_ms = began_ms
        may_be_quiet = step.phase == phases.SNIFF
        while now_ms - began_ms < step.duration_ms:
            await asyncio.sleep_ms(min(DRAIN_MS, step.duration_ms - (now_ms - began_ms)))
            undecodable, dropped = self._sniffer.drain(self._take)
            self._engine.lost(undecodable, dropped)
            now_ms = self._clock.now_ms()
            may_be_quiet = may_be_quiet and not undecodable
            if may_be_quiet and now_ms - began_ms >= self._plan.quiet_ms():
                if self._engine.is_quiet():
                    break
                may_be_quiet = False
            if self._follower is not None and not self._follower.tick(now_ms):
                self._follower = None
            if self._watched is not None:
                if not self._watched.tick(step.channel, watched_ms, now_ms):
                    self._watched = None
                watched_ms = now_ms
            if now_ms - judged_ms >= JUDGE_MS:
                judged_ms = now_ms
                self._judge(now_ms)
                self._health.feed_watchdog()
                if step.phase == phases.DWELL and self._plan.leaves(now_ms, self._engine.candidates(now_ms)):
                    break
        self._judge(now_ms)

    async def _other(self, step):
        self.stop()
        gc.collect()  # the pause costs nothing here, and TLS wants memory in one piece
        began_ms = self._clock.now_ms()
        if step.phase == phases.SCAN:
            found = wifi_scan.scan(self._wlan, began_ms)
            self._engine.access_points(found, self._clock.now_ms())
        elif step.phase == phases.BLE:
            self.ble_dropped += await ble.listen(step.duration_ms, self._clock.now_ms, self._engine.advertisement)
        elif step.phase == phases.SPECTRUM:
            self._engine.spectrum(await self.spectrum.listen(step.duration_ms, self._clock.now_ms))
        elif step.phase == phases.UPLOAD:
            delivered = await self._upload(step.duration_ms)
            self._plan.uploaded(self._clock.now_ms(), delivered)
        now_ms = self._clock.now_ms()
        self.deaf_ms += now_ms - began_ms
        self._judge(now_ms)

    def _take(self, records, count):
        self._engine.take(records, count)
        if self._watched is not None:
            self._watched.take(records, count, self._clock.now_ms())
        if self._follower is not None:
            self._seek(records, count)

    def _seek(self, records, count):
        """Look for the followed transmitter; only while somebody walks towards it."""
        now_ms = self._clock.now_ms()
        wanted = self._follower.address
        for at in range(0, count * RECORD_BYTES, RECORD_BYTES):
            if records[at + 20 : at + 26] == wanted:
                level = records[at + 10]
                self._follower.heard.add(now_ms, level - 256 if level > 127 else level)

    def _judge(self, now_ms):
        for finding in self._engine.judge(now_ms):
            if finding.event == RAISED:
                self._plan.upload_soon()
            self._found(finding)
