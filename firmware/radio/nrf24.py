"""
Power on the 126 channels (1 MHz each) of the 2.4 GHz band, measured with an nRF24L01+.

    radio = Nrf24(board.NRF24)
    radio.begin()                                         # raises OSError if no chip answers
    spectrum = await radio.listen(2000, clock.now_ms)     # a Spectrum
    problem = await radio.calibrate(clock.now_ms)         # in a quiet room; "" if it succeeded

The chip only reports whether there was more than -64 dBm (its "received power detector"). Reading a
channel takes 0.2 ms plus the SPI transfers, a sweep of all 126 about 60 ms. The chip never sends.

On some boards the ESP32's own clocks leak into some channels permanently. calibrate() finds these
channels while nothing else sends; afterwards such a channel counts as the quieter of its neighbours, so
that it neither makes a plateau nor breaks one. A room with a transmitter in it is refused, because
calibrating there would hide the transmitter.

Source: nRF24L01+ Product Specification 1.0, 6.1.7 (timing), 6.4 (RPD), 8.3 (SPI), 9 (registers).
"""

import asyncio
import json
import time

from ansim.observation import Spectrum

CHANNELS = 126
FILE = "/nrf24.json"
SPI_HZ = 4_000_000  # 8 MHz works on short wires
RECEIVE_US = 180  # 130 to settle, 40 for the detector, 10 spare
POWER_UP_US = 5000
MAX_SWEEPS = 250  # `busy` has one byte for each channel

CALIBRATE_MS = 4000
OWN_PERMILLE = 300  # power in more sweeps than this, in a quiet room, is the board's own
MAX_OWN = 10
MAX_ADJACENT = 2  # a board's own tones are narrow, a transmitter is not

_CONFIG, _EN_AA, _SETUP_AW, _RF_CH, _RF_SETUP, _RPD = 0x00, 0x01, 0x03, 0x05, 0x06, 0x09
_WRITE = 0x20
_RECEIVE = 0x03  # PWR_UP, PRIM_RX, no CRC
_OFF = 0x08  # as after power-on
_RF_2_MBPS = 0x08  # the widest filter, so that there is no gap between two channels


class Nrf24:
    """
    pins  (sck, mosi, miso, csn, ce), GPIO numbers

    sweeps  sweeps of the whole band since boot
    """

    def __init__(self, pins):
        self.sweeps = 0
        self._pins = pins
        self._spi = None
        self._csn = self._ce = None
        self._buffer = bytearray(2)
        self._own_channels = []

    def begin(self) -> None:
        """Detect the chip and load the calibration. Raises OSError if it does not answer."""
        from machine import SPI, Pin

        sck, mosi, miso, csn, ce = self._pins
        self._ce = Pin(ce, Pin.OUT, value=0)
        self._csn = Pin(csn, Pin.OUT, value=1)
        self._spi = SPI(1, baudrate=SPI_HZ, polarity=0, phase=0, sck=Pin(sck), mosi=Pin(mosi), miso=Pin(miso))
        if not self.is_present():
            raise OSError("no nRF24L01+ answers")
        self._own_channels = _load_calibration()

    def is_present(self) -> bool:
        """True if the chip stores a register; a bus without a chip reads only ones or zeros."""
        for value in (1, 3):
            self._write(_SETUP_AW, value)
            if self._read(_SETUP_AW) != value:
                return False
        return True

    async def listen(self, duration_ms: int, now_ms) -> Spectrum:
        """
        Sweep the whole band repeatedly: at least once, at most MAX_SWEEPS times.

        now_ms  function that returns the sensor's time

        Raises OSError if the chip has stopped answering.
        """
        sweeps, busy = await self._measure(duration_ms, now_ms)
        corrected = bytearray(busy)
        for channel in self._own_channels:
            corrected[channel] = _quieter_neighbour(busy, channel, self._own_channels)
        return Spectrum(now_ms(), sweeps, corrected)

    async def calibrate(self, now_ms) -> str:
        """Find the channels with power of the board's own; return the problem, "" if there is none. Raises OSError."""
        sweeps, busy = await self._measure(CALIBRATE_MS, now_ms)
        own = [channel for channel in range(CHANNELS) if busy[channel] * 1000 > OWN_PERMILLE * sweeps]
        run = longest = 0
        for channel in range(CHANNELS):
            run = run + 1 if channel in own else 0
            longest = max(longest, run)
        if len(own) > MAX_OWN or longest > MAX_ADJACENT:
            return "the room is not quiet: %d channels have power" % len(own)
        with open(FILE, "w") as file:
            json.dump(own, file)
        self._own_channels = own
        return ""

    async def _measure(self, duration_ms, now_ms):
        """Return (number of sweeps, for each channel the number of sweeps with power)."""
        if not self.is_present():
            raise OSError("the nRF24L01+ has gone")
        busy = bytearray(CHANNELS)
        self._write(_EN_AA, 0)
        self._write(_RF_SETUP, _RF_2_MBPS)
        self._write(_CONFIG, _RECEIVE)
        time.sleep_us(POWER_UP_US)
        until_ms = now_ms() + duration_ms
        sweeps = 0
        try:
            while not sweeps or (sweeps < MAX_SWEEPS and now_ms() < until_ms):
                self._sweep(busy)
                sweeps += 1
                await asyncio.sleep_ms(0)
        finally:
            self._write(_CONFIG, _OFF)
        self.sweeps += sweeps
        return sweeps, busy

    def _sweep(self, busy):
        ce, write, read, wait_us = self._ce, self._write, self._read, time.sleep_us
        for channel in range(CHANNELS):
            write(_RF_CH, channel)
            ce.value(1)  # pyright: ignore[reportOptionalMemberAccess]
            wait_us(RECEIVE_US)
            ce.value(0)  # pyright: ignore[reportOptionalMemberAccess] # latches the detector
            if read(_RPD) & 1:
                busy[channel] += 1

    def _write(self, register, value):
        self._exchange(_WRITE | register, value)

    def _read(self, register):
        self._exchange(register, 0)
        return self._buffer[1]

    def _exchange(self, first, second):
        buffer = self._buffer
        buffer[0], buffer[1] = first, second
        self._csn.value(0)  # pyright: ignore[reportOptionalMemberAccess]
        self._spi.write_readinto(buffer, buffer)  # pyright: ignore[reportOptionalMemberAccess]
        self._csn.value(1)  # pyright: ignore[reportOptionalMemberAccess]


def _quieter_neighbour(busy, channel, own):
    """Return the lower count of the nearest channels below and above that are not in `own`."""
    low, high = channel - 1, channel + 1
    while low in own:
        low -= 1
    while high in own:
        high += 1
    return min([busy[neighbour] for neighbour in (low, high) if 0 <= neighbour < CHANNELS], default=0)


def _load_calibration():
    """Return the channels found by calibrate(), [] without a usable file."""
    try:
        with open(FILE) as file:
            return [channel for channel in json.load(file) if type(channel) is int and 0 <= channel < CHANNELS]
    except (OSError, ValueError, TypeError):
        return []
