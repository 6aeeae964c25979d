"""
The whole 2.4 GHz band by an nRF24L01+: on which of 126 channels of 1 MHz is there power?

    radio = Nrf24(board.NRF24)
    radio.begin()                                     # raises OSError if there is none
    seen = await radio.listen(2000, clock.now_ms)     # a Spectrum
    why = await radio.calibrate(clock.now_ms)         # in a quiet room; "" or why not

The chip only tells whether there was more than -64 dBm (its "received power detector"). One look at
a channel takes 0.2 ms and the SPI traffic around it; all 126 about 60 ms. It never sends.

The ESP32's own clocks leak into some channels of some boards, always. calibrate() finds them where
nothing else sends, and afterwards such a channel counts as the quieter of its neighbours, so that it
neither makes a plateau nor breaks one. A room with a sender in it is refused: that would hide it.

Source: nRF24L01+ Product Specification 1.0, 6.1.7 (timing), 6.4 (RPD), 8.3 (SPI), 9 (registers).
"""

import asyncio
import json
import time

from ansim.observation import Spectrum

CHANNELS = 126
FILE = "/nrf24.json"
SPI_HZ = 4_000_000  # 8 MHz work on short wires
LOOK_US = 180  # 130 to settle, 40 for the detector, 10 to spare
POWER_UP_US = 5000
MOST_LOOKS = 250  # `busy` has a byte for each channel

QUIET_MS = 4000
STUCK_PERMILLE = 300  # power in more looks than this, in a quiet room: the board itself
MOST_STUCK = 10
MOST_TOGETHER = 2  # neighbours; a board's own tones are narrow, a sender is not

_CONFIG, _EN_AA, _SETUP_AW, _RF_CH, _RF_SETUP, _RPD = 0x00, 0x01, 0x03, 0x05, 0x06, 0x09
_WRITE = 0x20
_RECEIVE = 0x03  # PWR_UP, PRIM_RX, no CRC
_OFF = 0x08  # as after power-on
_RF_2_MBPS = 0x08  # the widest filter, so that no gap is between two channels


class Nrf24:
    """
    pins  (sck, mosi, miso, csn, ce), GPIO numbers

    sweeps  looks at the whole band since the start
    """

    def __init__(self, pins):
        self.sweeps = 0
        self._pins = pins
        self._spi = None
        self._csn = self._ce = None
        self._two = bytearray(2)
        self._stuck = []

    def begin(self) -> None:
        """Look for the chip and read the calibration. Raises OSError if it does not answer."""
        from machine import SPI, Pin

        sck, mosi, miso, csn, ce = self._pins
        self._ce = Pin(ce, Pin.OUT, value=0)
        self._csn = Pin(csn, Pin.OUT, value=1)
        self._spi = SPI(1, baudrate=SPI_HZ, polarity=0, phase=0, sck=Pin(sck), mosi=Pin(mosi), miso=Pin(miso))
        if not self.is_present():
            raise OSError("no nRF24L01+ answers")
        self._stuck = _kept()

    def is_present(self) -> bool:
        """True if the chip keeps what is written into it; a bus without one reads only ones or zeros."""
        for value in (1, 3):
            self._write(_SETUP_AW, value)
            if self._read(_SETUP_AW) != value:
                return False
        return True

    async def listen(self, duration_ms: int, now_ms) -> Spectrum:
        """
        Look at the whole band again and again; once at least, MOST_LOOKS times at most.

        now_ms  function that returns the sensor's time

        Raises OSError if the chip has gone.
        """
        looks, busy = await self._looks(duration_ms, now_ms)
        mended = bytearray(busy)
        for channel in self._stuck:
            mended[channel] = _neighbours(busy, channel, self._stuck)
        return Spectrum(now_ms(), looks, mended)

    async def calibrate(self, now_ms) -> str:
        """Learn which channels have the board's own power; return why not, "" if it is done. Raises OSError."""
        looks, busy = await self._looks(QUIET_MS, now_ms)
        stuck = [channel for channel in range(CHANNELS) if busy[channel] * 1000 > STUCK_PERMILLE * looks]
        run = longest = 0
        for channel in range(CHANNELS):
            run = run + 1 if channel in stuck else 0
            longest = max(longest, run)
        if len(stuck) > MOST_STUCK or longest > MOST_TOGETHER:
            return "the room is not quiet: %d channels have power" % len(stuck)
        with open(FILE, "w") as file:
            json.dump(stuck, file)
        self._stuck = stuck
        return ""

    async def _looks(self, duration_ms, now_ms):
        """Return (how often each channel was looked at, in how many of them there was power)."""
        if not self.is_present():
            raise OSError("the nRF24L01+ has gone")
        busy = bytearray(CHANNELS)
        self._write(_EN_AA, 0)
        self._write(_RF_SETUP, _RF_2_MBPS)
        self._write(_CONFIG, _RECEIVE)
        time.sleep_us(POWER_UP_US)
        until_ms = now_ms() + duration_ms
        looks = 0
        try:
            while not looks or (looks < MOST_LOOKS and now_ms() < until_ms):
                self._sweep(busy)
                looks += 1
                await asyncio.sleep_ms(0)
        finally:
            self._write(_CONFIG, _OFF)
        self.sweeps += looks
        return looks, busy

    def _sweep(self, busy):
        ce, write, read, wait_us = self._ce, self._write, self._read, time.sleep_us
        for channel in range(CHANNELS):
            write(_RF_CH, channel)
            ce.value(1)  # pyright: ignore[reportOptionalMemberAccess]
            wait_us(LOOK_US)
            ce.value(0)  # pyright: ignore[reportOptionalMemberAccess] # latches what was seen
            if read(_RPD) & 1:
                busy[channel] += 1

    def _write(self, register, value):
        self._exchange(_WRITE | register, value)

    def _read(self, register):
        self._exchange(register, 0)
        return self._two[1]

    def _exchange(self, first, second):
        two = self._two
        two[0], two[1] = first, second
        self._csn.value(0)  # pyright: ignore[reportOptionalMemberAccess]
        self._spi.write_readinto(two, two)  # pyright: ignore[reportOptionalMemberAccess]
        self._csn.value(1)  # pyright: ignore[reportOptionalMemberAccess]


def _neighbours(busy, channel, stuck):
    """Return the lesser count of the nearest channels beside it that are the board's own in no way."""
    low, high = channel - 1, channel + 1
    while low in stuck:
        low -= 1
    while high in stuck:
        high += 1
    return min([busy[one] for one in (low, high) if 0 <= one < CHANNELS], default=0)


def _kept():
    """Return the channels found by calibrate(), none if it never was."""
    try:
        with open(FILE) as file:
            return [one for one in json.load(file) if type(one) is int and 0 <= one < CHANNELS]
    except (OSError, ValueError, TypeError):
        return []
