"""
Frame headers from the native module `rfsniff` (firmware/native/rfsniff).

    sniffer = Sniffer(wlan, ALL_KINDS)
    await sniffer.tune(6)                       # also begins; the first moments are dropped
    undecodable, dropped = sniffer.drain(engine.take)
    sniffer.stop()                              # before Bluetooth, a scan or a connection

The ring in the module holds about 500 headers, so drain() must come round every 100 ms.
Nothing here sees a payload: a record has no room for one.
"""

import asyncio

from ansim.detect.viper import micropython, ptr8
from ansim.frame_header import RECORD_BYTES

try:
    import rfsniff
except ImportError:  # an interpreter without the module: the sensor scans, and says so
    rfsniff = None

BATCH_RECORDS = 32
SETTLE_MS = 10  # after tuning the radio still hands over frames of the channel before

MANAGEMENT_ONLY = 1  # crashes the chips that crash at all far less often
ALL_KINDS = 15


def is_available() -> bool:
    """True if this interpreter was built with the module."""
    return rfsniff is not None


def silence() -> None:
    """Stop what a soft reset has left running: the module is not told of one."""
    if rfsniff is not None:
        rfsniff.stop()


@micropython.viper
def count_undecodable(records, count: int) -> int:
    """Return how many of the first `count` header records are KIND_UNDECODABLE."""
    kinds = ptr8(records)
    found = 0
    at = 13  # KIND; compiled code looks up no names
    for _ in range(count):
        if kinds[at] & 15 == 3:  # KIND_UNDECODABLE
            found += 1
        at += 36  # RECORD_BYTES
    return found


class Sniffer:
    """
    Listen to one channel after another.

    wlan   network.WLAN of the station interface
    kinds  MANAGEMENT_ONLY or ALL_KINDS

    tune() raises OSError if the radio refuses, as it does while it is connected.
    """

    def __init__(self, wlan, kinds: int):
        self.dropped = 0  # records the ring had no room for, since the start
        self._wlan = wlan
        self._kinds = kinds
        self._records = bytearray(BATCH_RECORDS * RECORD_BYTES)
        self._channel = 0
        self._dropped_before = 0

    async def tune(self, channel: int) -> None:
        """Listen on `channel` from now on; begins if it was stopped."""
        if channel == self._channel:
            return
        if self._channel:
            rfsniff.channel(channel)
        else:
            # A station that still holds an access point would hold its channel too.
            if not self._wlan.active():
                self._wlan.active(True)
            rfsniff.start(channel, self._kinds)
            self._dropped_before = 0
        self._channel = channel
        await asyncio.sleep_ms(SETTLE_MS)
        while rfsniff.readinto(self._records) == BATCH_RECORDS:
            pass

    def drain(self, take) -> tuple:
        """
        Hand everything that waits to take(records, count); return (undecodable, dropped) of it.

        Until a short read, because one batch each time loses 30 % at 4,600 frames a second.
        """
        undecodable = 0
        count = BATCH_RECORDS
        while count == BATCH_RECORDS:
            count = rfsniff.readinto(self._records)
            if count:
                undecodable += count_undecodable(self._records, count)
                take(self._records, count)
        dropped = rfsniff.stats()[2]
        lost = dropped - self._dropped_before
        self._dropped_before = dropped
        self.dropped += lost
        return undecodable, lost

    def stop(self) -> None:
        """Give the radio to somebody else."""
        if self._channel:
            rfsniff.stop()
            self._channel = 0
