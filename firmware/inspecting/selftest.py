"""
Does this sensor hear, keep and know what it should? The report says yes or no for each part, with a figure.

    test = SelfTest(parts, emitter="c0:ff:ee:00:00:01", quiet=False)
    body = await test.run()              # of a SELFTEST report; 17 s, with an emitter up to 47 s
    if test.takes(finding): ...          # not to be reported: it is the test signal

    check            passes if                                                  value
    flash            4 kB written, read back and equal                          kB free
    heap             LEAST_HEAP_BYTES are free                                  bytes free
    clock            the time of day is known                                   1 or 0
    battery          it has LEAST_PERCENT (only where one is fitted)            percent
    access_points    the scan found one                                         how many
    channel_<n>      the sniffer heard a beacon, or the scan found nobody near  beacons heard
    beacons_heard    one on any channel                                         beacons heard
    ble              Bluetooth can be switched on and listens                   advertisements
    nrf24            the chip answers (and is calibrated if `quiet`)            looks at the band
    emitter          the sensor raised the emitter within EMITTER_MS            ms it took

A scan and the sniffer are two ways to the same radio: access points that the scan lists and the
sniffer does not hear mean that the sniffer is deaf. Where nobody at all is on the air the test fails,
because a deaf sensor looks the same: take an emitter (emitter.py) or any access point there.
"""

import asyncio
import gc
import os
from collections import namedtuple

from ansim.finding import CLEARED, RAISED
from ansim.frame_header import RECORD_BYTES
from firmware.radio import ble, wifi_scan

# clock, wlan    as in clock.py; network.WLAN of the station
# ears           a radio.sniffer.Sniffer, None without the native module
# spectrum       a radio.nrf24.Nrf24, None without one
# channels       list of 1..13
# panel          a panel.Panel, which knows the battery
# step           async function(): one step of ordinary listening
# forget         function(): the detectors start anew
# feed           function() for the watchdog
Parts = namedtuple("Parts", ("clock", "wlan", "ears", "spectrum", "channels", "panel", "step", "forget", "feed"))

VISIT_MS = 600  # access points send a beacon every 102 ms
AGAIN_MS = 1500  # a channel that should be heard and was not gets a second, longer chance
DRAIN_MS = 40
NEAR_DBM = -75  # an access point this strong cannot go unheard
BLE_MS = 1000
EMITTER_MS = 30_000
HUSH_MS = 600_000  # so long after the test the emitter's findings are not reported
LEAST_HEAP_BYTES = 8192
LEAST_PERCENT = 20
FLASH_BYTES = 4096
FILE = "/selftest.bin"

_BEACON = 0x80  # first byte of the frame control field


class SelfTest:
    """
    parts    a Parts
    emitter  address of the emitter that is sending now, "" if none is
    quiet    the room is quiet: also learn the nRF24's own tones
    """

    def __init__(self, parts, emitter: str = "", quiet: bool = False):
        self._parts = parts
        self._emitter = emitter
        self._quiet = quiet
        self._checks = []
        self._began_ms = parts.clock.now_ms()
        self._ended_ms = None
        self._found_ms = None
        self._is_raised = False
        self._beacons = 0

    async def run(self) -> dict:
        """Return the body of the report."""
        parts = self._parts
        self._keeps()
        await self._hears_wifi()
        await self._hears_ble()
        if parts.spectrum:
            await self._hears_spectrum()
        if self._emitter:
            await self._finds_emitter()
        self._ended_ms = now_ms = parts.clock.now_ms()
        return {"passed": not self.failed(), "checks": self._checks, "took_ms": now_ms - self._began_ms}

    def failed(self) -> list:
        """Return the names of the checks that did not pass."""
        return [check[0] for check in self._checks if not check[1]]

    def takes(self, finding) -> bool:
        """Take a Finding that is about the test signal; False if it is a real one."""
        if finding.subject != self._emitter:
            return False
        if finding.event == RAISED and self._found_ms is None:
            self._found_ms = finding.at_ms
        self._is_raised = finding.event != CLEARED
        return True

    def is_over(self, now_ms: int) -> bool:
        """True once the emitter is to be a sender like any other; if it still sends, it is raised anew."""
        if self._ended_ms is None or (self._is_raised and now_ms - self._ended_ms < HUSH_MS):
            return False
        if self._is_raised:
            self._parts.forget()
        return True

    def _check(self, name, passed, value):
        self._checks.append([name, bool(passed), value])

    def _keeps(self):
        parts = self._parts
        self._check("flash", _flash_keeps(), _free_kb())
        gc.collect()
        self._check("heap", gc.mem_free() >= LEAST_HEAP_BYTES, gc.mem_free())
        known = parts.clock.time_s() is not None
        self._check("clock", known, int(known))
        if "battery" in parts.panel.fitted:
            percent = parts.panel.battery_percent
            self._check("battery", percent is not None and percent >= LEAST_PERCENT, percent or 0)

    async def _hears_wifi(self):
        parts = self._parts
        found = []
        try:
            found = wifi_scan.scan(parts.wlan, parts.clock.now_ms())
        except OSError as error:
            print("self-test: scan:", error)
        self._check("access_points", found, len(found))
        if parts.ears is None:
            return
        near = [one.channel for one in found if one.rssi_dbm >= NEAR_DBM]
        total = 0
        try:
            for channel in parts.channels:
                parts.feed()
                heard = await self._beacons_on(channel, VISIT_MS)
                if not heard and channel in near:
                    heard = await self._beacons_on(channel, AGAIN_MS)
                total += heard
                self._check("channel_%d" % channel, heard or channel not in near, heard)
        except OSError as error:
            print("self-test: sniffer:", error)
        parts.ears.stop()
        self._check("beacons_heard", total, total)

    async def _beacons_on(self, channel, duration_ms):
        parts = self._parts
        self._beacons = 0
        await parts.ears.tune(channel)
        until_ms = parts.clock.now_ms() + duration_ms
        while parts.clock.now_ms() < until_ms:
            await asyncio.sleep_ms(DRAIN_MS)
            parts.ears.drain(self._count)
        return self._beacons

    def _count(self, records, count):
        for at in range(0, count * RECORD_BYTES, RECORD_BYTES):
            if records[at + 6] == _BEACON and not records[at + 13] & 15:
                self._beacons += 1

    async def _hears_ble(self):
        if not ble.is_available():
            return
        heard = []
        try:
            await ble.listen(BLE_MS, self._parts.clock.now_ms, lambda one: heard.append(1))
            self._check("ble", True, len(heard))
        except OSError as error:
            print("self-test: Bluetooth:", error)
            self._check("ble", False, 0)

    async def _hears_spectrum(self):
        parts = self._parts
        why = ""
        looks = 0
        try:
            if self._quiet:
                why = await parts.spectrum.calibrate(parts.clock.now_ms)
            looks = (await parts.spectrum.listen(1000, parts.clock.now_ms)).sweeps
        except OSError as error:
            why = str(error)
        if why:
            print("self-test: nRF24:", why)
        self._check("nrf24", not why, looks)

    async def _finds_emitter(self):
        parts = self._parts
        parts.forget()  # if it was raised before, that is not proof for now
        began_ms = parts.clock.now_ms()
        while self._found_ms is None and parts.clock.now_ms() - began_ms < EMITTER_MS:
            await parts.step()
        took_ms = (self._found_ms or parts.clock.now_ms()) - began_ms
        self._check("emitter", self._found_ms is not None and took_ms <= EMITTER_MS, took_ms)


def _flash_keeps():
    """Write, read back, compare, remove."""
    pattern = bytes([(place * 167 + 13) & 0xFF for place in range(256)])
    try:
        with open(FILE, "wb") as file:
            for _ in range(FLASH_BYTES // len(pattern)):
                file.write(pattern)
        same = True
        with open(FILE, "rb") as file:
            for _ in range(FLASH_BYTES // len(pattern)):
                same = same and file.read(len(pattern)) == pattern
        os.remove(FILE)
        return same
    except OSError:
        return False


def _free_kb():
    room = os.statvfs("/")
    return min(room[0] * room[3] // 1024, 1 << 30)  # a virtual sensor has a whole disk
