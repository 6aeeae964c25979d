"""
Count header records into the station table on CPython: what station_take.py does, several times as fast there.

The counts of a station live in a list between two folds; flush() writes them into the
table, which so stays the one place that everything else reads.
"""

import struct

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
    STATIONS,
    STRIDE,
    UNHEARD,
)
from ansim.detect.stations.take import claim
from ansim.frame_header import RECORD_BYTES

RECORD = struct.Struct("<IHHHbBBB6s6s6sHH")
# A station from F_ADDRESS to F_SERIES: address, next, flags, rank, three sums of 32 bits, then halves.
STATION = struct.Struct("<6s3H3I14H5H8H6sH")
# Places in the list that this makes.
(ADDRESS, NEXT, FLAGS, RANK, UP_BYTES, DOWN_BYTES, RSSI_SUM, UP_FRAMES, DOWN_FRAMES, UP_RECORDS) = range(10)
(RETRIES, PAIRS, LOST, ACKED_UP, ACKED_DOWN, ASKED, FINE, OTHERS, RSSI_MAX, AMSDU, RELAYED) = range(10, 21)
(LAST_BIN, LAST_SEQUENCE, VISIT, MAX_LENGTH, MAX_COUNT) = range(21, 26)
LENGTHS, BSSID, SERIES = 26, 34, 35
PLACE = 36  # half at which the station begins, after what is packed

_NO_ADDRESS = bytes(6)


class Counter:
    """Counts into `table`, a bytearray laid out as station_layout.py says."""

    def __init__(self, table):
        self._table = table
        self._halves = memoryview(table).cast("H")
        self._lists = {}  # address -> list
        self._places = {}  # address -> half at which its station begins, of all in the table

    def take(self, records, count: int) -> None:
        """Count `count` records; see station_take.take()."""
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
                    continue
                ds = (control >> 8) & 3
                if ds == 3:
                    continue
                aggregated = control & 0x80 and extra & 0x80
                if ds != 2 or addr2 == addr3:
                    if not addr2[0] & 1 and addr2 != _NO_ADDRESS:
                        one = find(addr2) or station(addr2)
                        number = sequence >> 4
                        if control & 0x80:
                            number |= (extra & 15) << 12
                        is_new = one[VISIT] != visit
                        again = False
                        if is_new or (one[LAST_SEQUENCE] ^ number) & 0xF000:
                            one[LAST_SEQUENCE] = number
                        else:
                            gap = (number - one[LAST_SEQUENCE]) & 0xFFF
                            if gap == 0:
                                again = control & 0x0800
                            elif gap < 2048:
                                one[PAIRS] += 1
                                one[LOST] += gap - 1
                                one[LAST_SEQUENCE] = number
                            elif one[LOST] & 0xFFFF:
                                one[LOST] -= 1
                        if control & 0x0800:
                            one[RETRIES] += 1
                        if aggregated:
                            one[AMSDU] += 1
                        if not again:
                            one[UP_BYTES] += length
                            rssi = rssi_dbm + 128
                            one[RSSI_SUM] += rssi
                            if rssi > one[RSSI_MAX]:
                                one[RSSI_MAX] = rssi
                            one[UP_RECORDS] += 1
                            if aggregated:
                                one[UP_FRAMES] += 4 if length >= 3200 else 2
                            else:
                                one[UP_FRAMES] += 1
                                one[LENGTHS + (length >> 8 if length < 1792 else 7)] += 1
                                over = length - one[MAX_LENGTH]
                                if over > 8:
                                    one[MAX_LENGTH] = length
                                    one[MAX_COUNT] = 1
                                elif over >= -8:
                                    one[MAX_COUNT] += 1
                            now = (time_us >> 10) * 21 >> 11
                            ahead = now - one[LAST_BIN]
                            if is_new:
                                one[VISIT] = visit
                            if is_new or ahead > 0 or ahead < -16:
                                one[FINE] += 1
                                if one[SERIES]:
                                    self._advance(one, ahead, is_new)
                                one[LAST_BIN] = now
                            if one[SERIES]:
                                self._add(one, now, length >> 4)
                            if ds == 1:
                                one[BSSID] = addr1
                            elif ds == 0:
                                one[BSSID] = addr3
                            else:
                                one[FLAGS] |= FLAG_OWN
                                if one[BSSID] != addr1:
                                    one[OTHERS] += 1
                                    if one[UP_RECORDS] & 0xFFFF <= (one[OTHERS] & 0xFFFF) << 1:
                                        one[BSSID] = addr1
                elif addr2 in self._places and not addr2[0] & 1:
                    (find(addr2) or station(addr2))[RELAYED] += 1
                if (ds != 1 or addr1 == addr3) and not addr1[0] & 1 and addr1 != _NO_ADDRESS:
                    one = find(addr1) or station(addr1)
                    one[DOWN_BYTES] += length
                    if aggregated:
                        one[DOWN_FRAMES] += (length >> 7) + 1 if length < 1600 else 4 if length >= 3200 else 2
                    else:
                        one[DOWN_FRAMES] += 1
            elif kind == 1:
                subtype = control & 0xFC
                if subtype == 0xD4:
                    self._answered(addr1, ACKED_UP, 1)
                elif subtype == 0x94:
                    acked = min(extra, 256)
                    self._answered(addr1, ACKED_UP, acked)
                    self._answered(addr2, ACKED_DOWN, acked)
                elif subtype == 0xC4:
                    self._answered(addr1, ASKED, 1)

    def flush(self) -> None:
        """Write all counts into the table and forget them here; the table may be changed after that."""
        for one in self._lists.values():
            self._write(one)
        self._lists.clear()

    def forget(self) -> None:
        """The table has been emptied."""
        self._lists.clear()
        self._places.clear()

    def _station(self, address):
        """The list of an address that has none yet: from its station, which may have to be made."""
        halves = self._halves
        place = self._places.get(address)
        if place is None:
            if halves[S_USED] == STATIONS:
                self.flush()
            number = claim(self._table, address, 0, 0)
            place = FIRST + number * STRIDE
            for other in [one for one in self._places if self._places[one] == place]:
                del self._places[other]
            self._places[address] = place
        one = list(STATION.unpack_from(self._table, 2 * place))
        one.append(place)
        self._lists[address] = one
        return one

    def _answered(self, address, what, count):
        if address[0] & 1 or address == _NO_ADDRESS:
            return
        one = self._lists.get(address)
        if one is None:
            if address not in self._places and self._halves[S_USED] == STATIONS:
                return
            one = self._station(address)
        one[what] += count

    def _write(self, one):
        for at in range(UP_FRAMES, LAST_BIN):
            one[at] &= 0xFFFF
        one[MAX_COUNT] &= 0xFFFF
        for at in range(LENGTHS, LENGTHS + 8):
            one[at] &= 0xFFFF
        for at in (UP_BYTES, DOWN_BYTES, RSSI_SUM):
            one[at] &= 0x3FFFFFFF
        place = one.pop()
        # the chain and the rank may have changed meanwhile
        one[NEXT], one[RANK] = self._halves[place + 3], self._halves[place + 5]
        STATION.pack_into(self._table, 2 * place, *one)

    def _advance(self, one, ahead, is_new):
        """Mark the bins from the last to the one that begins now."""
        halves = self._halves
        start = SERIES_AT + (one[SERIES] - 1) * SERIES_BINS
        fill = UNHEARD if is_new else 0
        if ahead < 0 or ahead > SERIES_BINS:
            ahead, fill = SERIES_BINS, UNHEARD
        for step in range(1, ahead + 1):
            halves[start + ((one[LAST_BIN] + step) & 255)] = fill

    def _add(self, one, now, amount):
        at = SERIES_AT + (one[SERIES] - 1) * SERIES_BINS + (now & 255)
        before = self._halves[at]
        self._halves[at] = min((before if before != UNHEARD else 0) + amount, UNHEARD - 1)


assert STATION.size == 2 * (F_RSSI_MAX + 20) and F_UP_RECORDS == 14 and NONE == 255
