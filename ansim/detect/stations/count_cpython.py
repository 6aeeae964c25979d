"""
Count header records into the station table on CPython: what count.py does, about ten times as fast there.

Between two folds the counts of a station are in a list; flush() writes them into the table,
which all other code reads.
"""

import struct

from ansim.detect.stations.count import claim
from ansim.detect.stations.layout import (
    F_RSSI_MAX,
    F_UP_RECORDS,
    FIRST,
    FLAG_OWN,
    NONE,
    S_USED,
    S_VISIT,
    SERIES_AT,
    SERIES_BINS,
    SERIES_LENGTHS,
    SERIES_LENGTHS_AT,
    SERIES_LENGTHS_FROM,
    SERIES_LENGTHS_LAST,
    STATIONS,
    STRIDE,
    UNHEARD,
)
from ansim.frame_header import RECORD_BYTES

RECORD = struct.Struct("<IHHHbBBB6s6s6sHH")
# A station from F_ADDRESS to F_SERIES: address, next, flags, rank, three sums of 32 bits, then halves.
STATION = struct.Struct("<6s3H3I14H5H8H6sH")
# Indexes in the list that it unpacks to.
(ADDRESS, NEXT, FLAGS, RANK, UP_BYTES, DOWN_BYTES, RSSI_SUM, UP_FRAMES, DOWN_FRAMES, UP_RECORDS) = range(10)
(RETRIES, PAIRS, LOST, ACKED_UP, ACKED_DOWN, ASKED, FINE, OTHERS, RSSI_MAX, AMSDU, RELAYED) = range(10, 21)
(LAST_BIN, LAST_SEQUENCE, VISIT, MAX_LENGTH, MAX_COUNT) = range(21, 26)
LENGTHS, BSSID, SERIES = 26, 34, 35
PLACE = 36  # half at which the station begins, after the unpacked values

_NO_ADDRESS = bytes(6)


class RecordCounter:
    """Counts into `table`, a bytearray with the layout of layout.py."""

    def __init__(self, table):
        self._table = table
        self._halves = memoryview(table).cast("H")
        self._lists = {}  # address -> list
        self._places = {}  # address -> half at which its station begins, of all in the table

    def take(self, records: bytes | bytearray | memoryview, count: int) -> None:
        """Count `count` records; see count.count_records()."""
        lists = self._lists
        halves = self._halves
        visit = halves[S_VISIT]
        find = lists.get
        station = self._station
        for (
            time_us,
            length,
            control,
            _,
            rssi_dbm,
            _,
            _,
            kind,
            addr1,
            addr2,
            addr3,
            sequence,
            extra,
        ) in RECORD.iter_unpack(memoryview(records)[: count * RECORD_BYTES]):
            kind &= 15
            if kind == 2:
                if control & 0x4C != 0x08:
                    if control & 0x0300 == 0x0100:
                        self._count_read(addr2)
                    continue
                ds = (control >> 8) & 3
                if ds == 3:
                    continue
                aggregated = control & 0x80 and extra & 0x80
                if ds != 2 or addr2 == addr3:
                    if not addr2[0] & 1 and addr2 != _NO_ADDRESS:
                        counts = find(addr2) or station(addr2)
                        number = sequence >> 4 | ((extra & 15) << 12 if control & 0x80 else 0xF000)
                        is_new = counts[VISIT] != visit
                        again = False
                        if ds == 2 and counts[BSSID] != addr1:
                            pass
                        elif is_new or (counts[LAST_SEQUENCE] ^ number) & 0xF000:
                            counts[LAST_SEQUENCE] = number
                        else:
                            gap = (number - counts[LAST_SEQUENCE]) & 0xFFF
                            if gap == 0:
                                again = control & 0x0800
                            elif gap < 2048:
                                counts[PAIRS] += 1
                                counts[LOST] += gap - 1
                                counts[LAST_SEQUENCE] = number
                            elif counts[LOST] & 0xFFFF:
                                counts[LOST] -= 1
                        if control & 0x0800:
                            counts[RETRIES] += 1
                        if aggregated:
                            counts[AMSDU] += 1
                        if not again:
                            counts[UP_BYTES] += length
                            rssi = rssi_dbm + 128
                            counts[RSSI_SUM] += rssi
                            if rssi > counts[RSSI_MAX]:
                                counts[RSSI_MAX] = rssi
                            counts[UP_RECORDS] += 1
                            if aggregated:
                                counts[UP_FRAMES] += 4 if length >= 3200 else 2
                            else:
                                counts[UP_FRAMES] += 1
                                counts[LENGTHS + (length >> 8 if length < 1792 else 7)] += 1
                                over = length - counts[MAX_LENGTH]
                                if over > 8:
                                    counts[MAX_LENGTH] = length
                                    counts[MAX_COUNT] = 1
                                elif over >= -8:
                                    counts[MAX_COUNT] += 1
                                if counts[SERIES] and length >= SERIES_LENGTHS_FROM:
                                    self._count_length(counts[SERIES], length)
                            now = (time_us >> 10) * 21 >> 11
                            ahead = now - counts[LAST_BIN]
                            if is_new:
                                counts[VISIT] = visit
                            if is_new or ahead > 0 or ahead < -16:
                                counts[FINE] += 1
                                if counts[SERIES]:
                                    self._advance(counts, ahead, is_new)
                                counts[LAST_BIN] = now
                            if counts[SERIES]:
                                self._add(counts, now, length >> 4)
                            if ds == 1:
                                counts[BSSID] = addr1
                            elif ds == 0:
                                counts[BSSID] = addr3
                            else:
                                counts[FLAGS] |= FLAG_OWN
                                if counts[BSSID] != addr1:
                                    counts[OTHERS] += 1
                                    if counts[UP_RECORDS] & 0xFFFF <= (counts[OTHERS] & 0xFFFF) << 1:
                                        counts[BSSID] = addr1
                                        counts[LAST_SEQUENCE] = number
                elif addr2 in self._places and not addr2[0] & 1:
                    counts = find(addr2) or station(addr2)
                    counts[RELAYED] += 1
                    if counts[VISIT] == visit and counts[BSSID] == addr1:
                        number = sequence >> 4 | ((extra & 15) << 12 if control & 0x80 else 0xF000)
                        gap = (number - counts[LAST_SEQUENCE]) & 0xFFF
                        if (counts[LAST_SEQUENCE] ^ number) & 0xF000:
                            counts[LAST_SEQUENCE] = number
                        elif 0 < gap < 2048:
                            counts[PAIRS] += 1
                            counts[LOST] += gap - 1
                            counts[LAST_SEQUENCE] = number
                if (ds != 1 or addr1 == addr3) and not addr1[0] & 1 and addr1 != _NO_ADDRESS:
                    counts = find(addr1) or station(addr1)
                    counts[DOWN_BYTES] += length
                    if aggregated:
                        counts[DOWN_FRAMES] += (length >> 7) + 1 if length < 1600 else 4 if length >= 3200 else 2
                    else:
                        counts[DOWN_FRAMES] += 1
            elif kind == 0:
                if not addr1[0] & 1:
                    self._count_read(addr2)
            elif kind == 1:
                subtype = control & 0xFC
                if subtype == 0xD4:
                    self._count_answer(addr1, ACKED_UP, 1)
                elif subtype == 0x94:
                    acked = min(extra, 256)
                    self._count_answer(addr1, ACKED_UP, acked)
                    self._count_answer(addr2, ACKED_DOWN, acked)
                elif subtype == 0xC4:
                    self._count_answer(addr1, ASKED, 1)

    def flush(self) -> None:
        """Write all counts into the table and drop them here; then the table may be changed."""
        for counts in self._lists.values():
            self._write(counts)
        self._lists.clear()

    def forget(self) -> None:
        """Drop all counts: the table has been emptied."""
        self._lists.clear()
        self._places.clear()

    def _station(self, address):
        """Return the list of an address that has none yet, made from its station, which is added if it is missing."""
        halves = self._halves
        place = self._places.get(address)
        if place is None:
            if halves[S_USED] == STATIONS:
                self.flush()
            number = claim(self._table, address, 0, 0)
            place = FIRST + number * STRIDE
            for other in [known for known in self._places if self._places[known] == place]:
                del self._places[other]
            self._places[address] = place
        counts = list(STATION.unpack_from(self._table, 2 * place))
        counts.append(place)
        self._lists[address] = counts
        return counts

    def _count_read(self, address):
        """Count a null or management frame of a station in the table: it is acknowledged as its data is."""
        if address in self._places and not address[0] & 1:
            (self._lists.get(address) or self._station(address))[RELAYED] += 1

    def _count_answer(self, address, index, count):
        if address[0] & 1 or address == _NO_ADDRESS:
            return
        counts = self._lists.get(address)
        if counts is None:
            if address not in self._places and self._halves[S_USED] == STATIONS:
                return
            counts = self._station(address)
        counts[index] += count

    def _write(self, counts):
        for at in range(UP_FRAMES, LAST_BIN):
            counts[at] &= 0xFFFF
        counts[MAX_COUNT] = min(counts[MAX_COUNT], 0xFFFF)
        for at in range(LENGTHS, LENGTHS + 8):
            counts[at] = min(counts[at], 0xFFFF)
        for at in (UP_BYTES, DOWN_BYTES, RSSI_SUM):
            counts[at] &= 0x3FFFFFFF
        place = counts.pop()
        # The chain and the rank may have changed meanwhile.
        counts[NEXT], counts[RANK] = self._halves[place + 3], self._halves[place + 5]
        STATION.pack_into(self._table, 2 * place, *counts)

    def _advance(self, counts, ahead, is_new):
        """Fill the bins after the last one, up to the current one: with 0, or UNHEARD."""
        halves = self._halves
        start = SERIES_AT + (counts[SERIES] - 1) * SERIES_BINS
        fill = UNHEARD if is_new else 0
        if ahead < 0 or ahead > SERIES_BINS:
            ahead, fill = SERIES_BINS, UNHEARD
        for step in range(1, ahead + 1):
            halves[start + ((counts[LAST_BIN] + step) & 255)] = fill

    def _count_length(self, series, length):
        step = (min(length, SERIES_LENGTHS_LAST) - SERIES_LENGTHS_FROM) >> 4
        at = SERIES_LENGTHS_AT + (series - 1) * SERIES_LENGTHS + step
        self._halves[at] = min(self._halves[at] + 1, 0xFFFF)

    def _add(self, counts, now, amount):
        at = SERIES_AT + (counts[SERIES] - 1) * SERIES_BINS + (now & 255)
        before = self._halves[at]
        self._halves[at] = min((before if before != UNHEARD else 0) + amount, UNHEARD - 1)


assert STATION.size == 2 * (F_RSSI_MAX + 20) and F_UP_RECORDS == 14 and NONE == 255
