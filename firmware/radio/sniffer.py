"""
Frame headers from the native module `rfsniff` (firmware/native/rfsniff).

    sniffer = Sniffer(wlan, ALL_KINDS)
    await sniffer.tune(6)                       # starts if necessary; the first 10 ms are dropped
    undecodable, dropped = sniffer.drain(engine.take)
    sniffer.stop()                              # before Bluetooth, a scan or a connection

The module's ring holds about 500 headers, so drain() must be called every 100 ms. No payload ever
arrives here: a record has no room for one.
"""

import asyncio

from ansim.detect.viper import micropython, ptr8
from ansim.frame_header import RECORD_BYTES
from firmware import shared_buffer

try:
    import rfsniff
except ImportError:  # an interpreter without the module: the sensor scans only, and reports that
    rfsniff = None

BATCH_RECORDS = shared_buffer.SCRATCH_BYTES // RECORD_BYTES
SETTLE_MS = 10  # after tuning, the radio still delivers frames of the previous channel

ELEVEN_CHANNELS = ("CA", "TW", "US")
MANAGEMENT_ONLY = 1  # on chips that crash while sniffing, this crashes far less often
ALL_KINDS = 15


def is_available() -> bool:
    """True if this interpreter was built with the module."""
    return rfsniff is not None


def silence() -> None:
    """Stop a sniffer that a soft reset left running; the module is not notified of one."""
    if rfsniff is not None:
        rfsniff.stop()


def set_country(code: str) -> None:
    """
    Allow the 2.4 GHz channels of a country to scans, uplink and sniffer: by default the chip uses 1 to 11 only.

    code  as in ISO 3166: "KR"

    The interface must have been made (network.WLAN). Without the module nothing changes, because MicroPython itself has
    no function for it on this chip.
    """
    if rfsniff is not None:
        rfsniff.country(code, 11 if code in ELEVEN_CHANNELS else 13)


def static_memory(size: int):
    """Return a bytearray of the module's memory, which lies outside the heap; None without the module."""
    return rfsniff.memory(size) if rfsniff is not None else None


@micropython.viper
def count_undecodable(records, count: int) -> int:
    """Return how many of the first `count` header records are KIND_UNDECODABLE."""
    kinds = ptr8(records)
    undecodable = 0
    offset = 13  # KIND; a constant, because compiled code looks up no names
    for _ in range(count):
        if kinds[offset] & 15 == 3:  # KIND_UNDECODABLE
            undecodable += 1
        offset += 36  # RECORD_BYTES
    return undecodable


class Sniffer:
    """
    The native sniffer, tuned to one channel at a time.

    wlan   network.WLAN of the station interface
    kinds  MANAGEMENT_ONLY or ALL_KINDS

    dropped  records for which the ring had no room, since boot
    """

    def __init__(self, wlan, kinds: int):
        self.dropped = 0
        self._wlan = wlan
        self._kinds = kinds
        self._channel = 0
        self._dropped_before = 0

    async def tune(self, channel: int) -> None:
        """Listen on `channel` from now on. Raises OSError if the radio refuses, as it does while it is connected."""
        if channel == self._channel:
            return
        if self._channel:
            rfsniff.channel(channel)
        else:
            if not self._wlan.active():
                self._wlan.active(True)
            rfsniff.start(channel, self._kinds)
            self._dropped_before = 0
        self._channel = channel
        await asyncio.sleep_ms(SETTLE_MS)
        while rfsniff.readinto(shared_buffer.buffer) == BATCH_RECORDS:
            pass

    def drain(self, on_records) -> tuple:
        """
        Pass all waiting records to on_records(records, count); return how many were (undecodable, dropped).

        `records` is shared_buffer.buffer, which is valid only until on_records returns.

        Reads until a batch is not full: one batch a call loses 30 % at 4,600 frames a second.
        """
        records = shared_buffer.buffer
        undecodable = 0
        count = BATCH_RECORDS
        while count == BATCH_RECORDS:
            count = rfsniff.readinto(records)
            if count:
                undecodable += count_undecodable(records, count)
                on_records(records, count)
        dropped = rfsniff.stats()[2]
        lost = dropped - self._dropped_before
        self._dropped_before = dropped
        self.dropped += lost
        return undecodable, lost

    def stop(self) -> None:
        """Stop listening and release the radio."""
        if self._channel:
            rfsniff.stop()
            self._channel = 0
