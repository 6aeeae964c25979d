"""
The station table: what each transmitter sends and receives, in bounded memory and without allocating.

    stations = StationTable()
    stations.tune(6, now_ms)
    stations.take(records, count)          # hot path
    stations.settle(now_ms)                # at the end of a visit, each second of a dwell
    number = stations.next(0)              # first station worth judging; the sums of its rows are in stations.out
    while number != NONE:
        ...
        number = stations.next(number + 1)

64 stations and 3 byte series take 16,368 bytes. A 65th transmitter replaces the station with
the lowest rank.
"""

import sys
from array import array

from ansim.detect.stations import layout
from ansim.detect.stations.layout import FIRST, NONE, STRIDE
from ansim.detect.stations.rows import fold, is_quiet, scan

ROW_MS = 1000  # length of a row
ROW_NEARLY_MS = 990  # judging "each second" may come a little early


class StationTable:
    """
    The transmitters of all channels, by address.

    memory  bytearray of layout.TABLE_BYTES for the table, whose contents are lost; None: a new one
    """

    def __init__(self, memory: bytearray | None = None):
        self.table = bytearray(layout.TABLE_BYTES) if memory is None else memory
        self.out = array("I", [0] * layout.OUT_WORDS)
        self._take, self._counter = _counting(self.table)
        self.channel = 0
        self.spent_ms = 0  # between the last two settlements
        self._since_ms = 0
        self._row_ms = ROW_MS
        self.forget()

    def forget(self) -> None:
        """Empty the table."""
        self._series_of = [NONE] * (layout.SERIES_COUNT + 1)  # series -> the station that fills it
        for at in range(len(self.table)):
            self.table[at] = 0
        for at in range(128):
            self.table[at] = NONE
        self._row_ms = ROW_MS
        self._set(layout.S_CHANNEL, self.channel)
        self._write_time()
        if self._counter:
            self._counter.forget()

    def tune(self, channel: int, now_ms: int) -> None:
        """Note that the radio listens on `channel` from now on; 0: deaf."""
        self.settle(now_ms)
        self.channel = channel
        self._row_ms = ROW_MS  # a visit begins with a row of its own
        self._set(layout.S_CHANNEL, channel)
        self._set(layout.S_VISIT, self._get(layout.S_VISIT) + 1)

    def take(self, records: bytes | bytearray | memoryview, count: int) -> None:
        """Count `count` header records, unless the radio is deaf."""
        if self.channel:
            self._take(records, count)

    def settle(self, now_ms: int) -> None:
        """Add the counts since the last call to each station's newest row."""
        spent_ms = now_ms - self._since_ms
        self._since_ms = now_ms
        self.spent_ms = max(0, spent_ms)
        if self._counter:
            self._counter.flush()  # even if no time has passed: fields may be read and written from here on
        if not self.channel or spent_ms <= 0:
            self._write_time()
            return
        if self._row_ms >= ROW_NEARLY_MS:
            self._row_ms = 0
            self._set(layout.S_ROW_ID, self._get(layout.S_ROW_ID) + 1)
        self._row_ms += spent_ms
        self._set(layout.S_ROW_TIME, min(255, (self._row_ms + layout.MS_STEP // 2) // layout.MS_STEP))
        self._write_time()
        fold(self.table)

    def is_quiet(self) -> bool:
        """Return True if no station was heard since the last settle()."""
        if self._counter:
            self._counter.flush()
        return is_quiet(self.table) == 1

    def next(self, start: int) -> int:
        """Return the number of the next station from `start` on that is worth judging, NONE if there is none."""
        return scan(self.table, start, self.out)

    def field(self, number: int, field: int) -> int:
        """Return one F_* of a station."""
        return self._get(FIRST + number * STRIDE + field)

    def set_field(self, number: int, field: int, value: int) -> None:
        """Write one F_* of a station; only between settle() and take()."""
        self._set(FIRST + number * STRIDE + field, value)

    def address(self, number: int, field: int = layout.F_ADDRESS) -> bytes:
        """Return a station's address, or its access point's with field=F_BSSID, as six bytes."""
        at = 2 * (FIRST + number * STRIDE + field)
        return bytes(self.table[at : at + 6])

    def is_at(self, number: int, address: bytes) -> bool:
        """Return True if station `number` has this address of six bytes."""
        at = 2 * (FIRST + number * STRIDE)
        return number < self.used() and self.table[at : at + 6] == address

    def used(self) -> int:
        """Return the number of stations in the table."""
        return self._get(layout.S_USED)

    def start_series(self, number: int, series: int) -> None:
        """Record a station's bytes per 100 ms in series 1..SERIES_COUNT from now on."""
        before = self._series_of[series]
        if before != NONE and self.field(before, layout.F_SERIES) == series:
            self.set_field(before, layout.F_SERIES, 0)
        self._series_of[series] = number
        at = 2 * (layout.SERIES_AT + (series - 1) * layout.SERIES_BINS)
        self.table[at : at + 2 * layout.SERIES_BINS] = b"\xff" * (2 * layout.SERIES_BINS)
        at = 2 * (layout.SERIES_LENGTHS_AT + (series - 1) * layout.SERIES_LENGTHS)
        self.table[at : at + 2 * layout.SERIES_LENGTHS] = bytes(2 * layout.SERIES_LENGTHS)
        self.set_field(number, layout.F_SERIES, series)

    def end_series(self, number: int) -> None:
        """Stop recording a station's byte series."""
        self.set_field(number, layout.F_SERIES, 0)

    def first_ms(self, number: int) -> int:
        """Return when a station was first heard, in ms to the second."""
        return (self.field(number, layout.F_FIRST_S) | self.field(number, layout.F_FIRST_S + 1) << 16) * 1000

    def heard(self) -> tuple:
        """Return (number of transmitters heard, whether one was replaced) since the last call."""
        if self._counter:
            self._counter.flush()
        heard = self._get(layout.S_HEARD), self._get(layout.S_EVICTED) > 0
        self._set(layout.S_HEARD, 0)
        self._set(layout.S_EVICTED, 0)
        for number in range(self.used()):
            flags = self.field(number, layout.F_FLAGS)
            self.set_field(number, layout.F_FLAGS, flags & ~layout.FLAG_HEARD)
        return heard

    def missed(self) -> tuple:
        """Return how many numbered frames of all stations were (received, missing in between) since the last call."""
        counts = []
        for half in (layout.S_PAIRS, layout.S_LOST):
            counts.append(self._get(half) | self._get(half + 1) << 16)
            self._set(half, 0)
            self._set(half + 1, 0)
        return tuple(counts)

    def _write_time(self):
        now_s = self._since_ms // 1000
        self._set(layout.S_NOW_S, now_s)
        self._set(layout.S_FIRST_S, now_s)
        self._set(layout.S_FIRST_S + 1, now_s >> 16)

    def _get(self, half):
        return self.table[2 * half] | self.table[2 * half + 1] << 8

    def _set(self, half, value):
        self.table[2 * half] = value & 0xFF
        self.table[2 * half + 1] = value >> 8 & 0xFF


def _counting(table):
    """Return (function(records, count), RecordCounter or None): the fastest way to count on this interpreter."""
    if sys.implementation.name == "micropython":
        from ansim.detect.stations.count import count_records

        return lambda records, count: count_records(table, records, count), None
    from ansim.detect.stations.count_cpython import RecordCounter

    counter = RecordCounter(table)
    return counter.take, counter
