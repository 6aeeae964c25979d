"""
Recognise the second copy of a frame that two adapters of one recording received.

    copies = duplicates.Copies()
    if copies.is_copy(adapter, time_us, record, radiotap_header): ...

A transmitter numbers its frames, and marks a repetition with the retry bit; the copy of another adapter has
the same header, a few milliseconds later at most. Frames without a number (acknowledgements) are paired one
by one. Where a file does not name its adapters, a second frame with the same number and no retry bit is a
copy if its signal or antenna differs.
"""

from collections import deque
from itertools import islice

from ansim.frame_header import (
    ADDR1,
    CHANNEL,
    FLAG_RETRY,
    FLAGS,
    FRAME_CONTROL,
    KIND,
    KIND_DATA,
    KIND_MANAGEMENT,
    LENGTH,
    RATE,
    RSSI_DBM,
)

NUMBERED_US = 20_000  # USB adapters stamp frames up to some milliseconds late
UNNUMBERED_US = 2_000  # acknowledgements to one receiver may follow each other after a fraction of a millisecond
SAME_ADAPTER_US = 1_000
NO_DATA = 0x40  # bit of the first byte of a data frame's control: Null frames are not numbered reliably
MOST_REMEMBERED = 512
MOST_COMPARED = 16


class Copies:
    """The frames of the last NUMBERED_US."""

    def __init__(self):
        self._newest: deque[list] = deque()  # [time_us, key, adapters that received it, radiotap header]
        self._by_key: dict[bytes, deque[list]] = {}
        self._first_adapter: int | None = None
        self._has_two = False

    def forget(self) -> None:
        """Start a new section: its adapters are others."""
        self.__init__()

    def is_copy(self, adapter: int, time_us: int, record: bytes, heading: bytes) -> bool:
        """
        Return True if another adapter has already received this frame.

        adapter  number of the interface in its file
        record   the frame's header record
        heading  its radiotap header
        """
        if self._first_adapter is None:
            self._first_adapter = adapter
        self._has_two = self._has_two or adapter != self._first_adapter
        is_numbered = _is_numbered(record)
        # Adapters on different channels may hear one frame; each channel has detectors of its own.
        key = record[LENGTH:RSSI_DBM] + record[CHANNEL:RATE] + record[ADDR1:]
        self._drop_older_than(time_us - NUMBERED_US)
        window_us = NUMBERED_US if is_numbered else UNNUMBERED_US
        for entry in islice(reversed(self._by_key.get(key, ())), MOST_COMPARED):
            age_us = abs(time_us - entry[0])
            if adapter not in entry[2] and age_us <= window_us:
                entry[2].add(adapter)
                return True
            if (
                is_numbered
                and not self._has_two
                and age_us <= SAME_ADAPTER_US
                and not record[FLAGS] & FLAG_RETRY
                and heading != entry[3]
            ):
                return True
        entry = [time_us, key, {adapter}, heading]
        self._newest.append(entry)
        self._by_key.setdefault(key, deque()).append(entry)
        return False

    def _drop_older_than(self, time_us):
        newest = self._newest
        while newest and (newest[0][0] < time_us or len(newest) >= MOST_REMEMBERED):
            entry = newest.popleft()
            same = self._by_key[entry[1]]
            same.popleft()
            if not same:
                del self._by_key[entry[1]]


def _is_numbered(record):
    kind = record[KIND] & 0x0F
    return kind == KIND_MANAGEMENT or (kind == KIND_DATA and not record[FRAME_CONTROL] & NO_DATA)
