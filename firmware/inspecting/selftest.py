"""
Self-test of the radios, the flash, the heap, the clock and the battery: pass or fail and a figure for each.

    test = SelfTest(parts, emitter="c0:ff:ee:00:00:01", quiet=False)
    body = await test.run()              # of a SELFTEST report; takes 17 s, with an emitter up to 47 s
    if test.handles(finding): ...        # a finding about the test signal, which is not reported

    check            passes if                                                      value
    flash            4 kB are written and read back unchanged                       kB free
    heap             LEAST_HEAP_BYTES are free                                      bytes free
    clock            the time of day is known                                       1 or 0
    battery          LEAST_PERCENT or more are left (only with a battery)           percent
    access_points    the scan found an access point                                 access points
    channel_<n>      the sniffer heard a beacon, or the scan found none near        beacons heard
    beacons_heard    a beacon was heard on any channel                              beacons heard
    ble              Bluetooth can be switched on and listens                       advertisements
    nrf24            the chip answers (and is calibrated if `quiet`)                sweeps of the band
    emitter          the sensor raised the emitter within EMITTER_MS                ms until then

The scan and the sniffer use the same radio: if the scan lists access points that the sniffer does not
hear, the sniffer is deaf. Without any transmitter in range the test fails, because a deaf sensor gives the
same result; use a test signal (test_signal.py) or any access point.
"""

import asyncio
import gc
import os
from collections import namedtuple

from ansim.finding import CLEARED, RAISED
from ansim.frame_header import RECORD_BYTES
from firmware.radio import ble, wifi_scan

# clock, wlan    a Clock; network.WLAN of the station interface
# sniffer        a radio.sniffer.Sniffer, None without the native module
# spectrum       a radio.nrf24.Nrf24, None without one
# channels       list of 1..13
# panel          a panel.Panel, for the battery
# step           async function(): one step of ordinary listening
# forget         function(): clear the detectors
# feed           function(): feed the watchdog
Parts = namedtuple("Parts", ("clock", "wlan", "sniffer", "spectrum", "channels", "panel", "step", "forget", "feed"))

CHANNEL_MS = 600  # access points send a beacon every 102 ms
RETRY_MS = 1500  # second, longer visit of a channel on which a near access point was not heard
DRAIN_MS = 40
NEAR_DBM = -75  # an access point this strong is always heard
BLE_MS = 1000
EMITTER_MS = 30_000
MUTE_MS = 600_000  # how long after the test the emitter's findings are not reported
LEAST_HEAP_BYTES = 8192
LEAST_PERCENT = 20
FLASH_BYTES = 4096
FILE = "/selftest.bin"

_BEACON = 0x80  # first byte of the frame control field


class SelfTest:
    """
    parts    a Parts
    emitter  address of the emitter that is sending now, "" if none is
    quiet    the room is quiet: also calibrate the nRF24
    """

    def __init__(self, parts, emitter: str = "", quiet: bool = False):
        self._parts = parts
        self._emitter = emitter
        self._quiet = quiet
        self._checks = []
        self._began_ms = parts.clock.now_ms()
        self._ended_ms = None
        self._raised_ms = None
        self._is_raised = False
        self._beacons = 0

    async def run(self) -> dict:
        """Return the body of the report."""
        parts = self._parts
        self._test_internals()
        await self._test_wifi()
        await self._test_ble()
        if parts.spectrum:
            await self._test_spectrum()
        if self._emitter:
            await self._test_emitter()
        self._ended_ms = now_ms = parts.clock.now_ms()
        return {"passed": not self.failed(), "checks": self._checks, "took_ms": now_ms - self._began_ms}

    def failed(self) -> list:
        """Return the names of the checks that did not pass."""
        return [check[0] for check in self._checks if not check[1]]

    def handles(self, finding) -> bool:
        """Note a Finding about the test signal; False if it is about another transmitter."""
        if finding.subject != self._emitter:
            return False
        if finding.event == RAISED and self._raised_ms is None:
            self._raised_ms = finding.at_ms
        self._is_raised = finding.event != CLEARED
        return True

    def is_over(self, now_ms: int) -> bool:
        """True once the emitter counts as any other transmitter; if it still sends, it is raised again."""
        if self._ended_ms is None or (self._is_raised and now_ms - self._ended_ms < MUTE_MS):
            return False
        if self._is_raised:
            self._parts.forget()
        return True

    def _check(self, name, passed, value):
        self._checks.append([name, bool(passed), value])

    def _test_internals(self):
        parts = self._parts
        self._check("flash", _flash_works(), _free_kb())
        gc.collect()
        self._check("heap", gc.mem_free() >= LEAST_HEAP_BYTES, gc.mem_free())
        known = parts.clock.time_s() is not None
        self._check("clock", known, int(known))
        if "battery" in parts.panel.fitted:
            percent = parts.panel.battery_percent
            self._check("battery", percent is not None and percent >= LEAST_PERCENT, percent or 0)

    async def _test_wifi(self):
        parts = self._parts
        access_points = []
        try:
            access_points = wifi_scan.scan(parts.wlan, parts.clock.now_ms())
        except OSError as error:
            print("self-test: scan:", error)
        self._check("access_points", access_points, len(access_points))
        if parts.sniffer is None:
            return
        near = [access_point.channel for access_point in access_points if access_point.rssi_dbm >= NEAR_DBM]
        total = 0
        try:
            for channel in parts.channels:
                parts.feed()
                beacons = await self._count_beacons(channel, CHANNEL_MS)
                if not beacons and channel in near:
                    beacons = await self._count_beacons(channel, RETRY_MS)
                total += beacons
                self._check("channel_%d" % channel, beacons or channel not in near, beacons)
        except OSError as error:
            print("self-test: sniffer:", error)
        parts.sniffer.stop()
        self._check("beacons_heard", total, total)

    async def _count_beacons(self, channel, duration_ms):
        parts = self._parts
        self._beacons = 0
        await parts.sniffer.tune(channel)
        until_ms = parts.clock.now_ms() + duration_ms
        while parts.clock.now_ms() < until_ms:
            await asyncio.sleep_ms(DRAIN_MS)
            parts.sniffer.drain(self._on_records)
        return self._beacons

    def _on_records(self, records, count):
        for start in range(0, count * RECORD_BYTES, RECORD_BYTES):
            if records[start + 6] == _BEACON and not records[start + 13] & 15:
                self._beacons += 1

    async def _test_ble(self):
        if not ble.is_available():
            return
        heard = []
        try:
            await ble.listen(BLE_MS, self._parts.clock.now_ms, lambda _: heard.append(1))
            self._check("ble", True, len(heard))
        except OSError as error:
            print("self-test: Bluetooth:", error)
            self._check("ble", False, 0)

    async def _test_spectrum(self):
        parts = self._parts
        problem = ""
        sweeps = 0
        try:
            if self._quiet:
                problem = await parts.spectrum.calibrate(parts.clock.now_ms)
            sweeps = (await parts.spectrum.listen(1000, parts.clock.now_ms)).sweeps
        except OSError as error:
            problem = str(error)
        if problem:
            print("self-test: nRF24:", problem)
        self._check("nrf24", not problem, sweeps)

    async def _test_emitter(self):
        parts = self._parts
        parts.forget()  # a finding raised before the test proves nothing
        began_ms = parts.clock.now_ms()
        while self._raised_ms is None and parts.clock.now_ms() - began_ms < EMITTER_MS:
            await parts.step()
        took_ms = (self._raised_ms or parts.clock.now_ms()) - began_ms
        self._check("emitter", self._raised_ms is not None and took_ms <= EMITTER_MS, took_ms)


def _flash_works():
    """Write a file, read it back, compare and remove it."""
    pattern = bytearray(256)
    for index in range(len(pattern)):  # a list would need 1 kB in one piece
        pattern[index] = (index * 167 + 13) & 0xFF
    try:
        with open(FILE, "wb") as file:
            for _ in range(FLASH_BYTES // len(pattern)):
                file.write(pattern)
        is_equal = True
        with open(FILE, "rb") as file:
            for _ in range(FLASH_BYTES // len(pattern)):
                is_equal = is_equal and file.read(len(pattern)) == pattern
        os.remove(FILE)
        return is_equal
    except OSError:
        return False


def _free_kb():
    status = os.statvfs("/")
    return min(status[0] * status[3] // 1024, 1 << 30)  # a virtual sensor has a whole disk
