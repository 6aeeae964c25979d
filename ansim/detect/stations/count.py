"""
Count header records into the station table: the hot path, as machine code on the board.

Nothing here allocates. No intermediate value exceeds 31 bits, so results are the same on
32 and 64 bits. Time is taken from the record in 24 bits of 256 us, which wrap when the radio's
clock does; a step back or a jump can only spoil a 100 ms bin.

count_cpython.py does the same on CPython, about ten times as fast as this file there; tests
compare the two.
"""

from ansim.detect.viper import const, micropython, ptr8, ptr16, ptr32

# See layout.py.
_STATIONS = const(64)
_STRIDE = const(112)
_FIRST = const(80)
_SERIES_BINS = const(256)
_SERIES_AT = const(7248)
_SERIES_LENGTHS = const(56)
_SERIES_LENGTHS_FROM = const(512)
_SERIES_LENGTHS_LAST = const(1392)
_SERIES_LENGTHS_AT = const(8016)
_NONE = const(255)
_UNHEARD = const(0xFFFF)
_S_VISIT = const(64)
_S_USED = const(65)
_S_EVICTED = const(70)
_S_FIRST_S = const(72)
_F_NEXT = const(3)
_F_FLAGS = const(4)
_F_RANK = const(5)
_F_UP_BYTES = const(6)
_F_DOWN_BYTES = const(8)
_F_RSSI_SUM = const(10)
_F_UP_FRAMES = const(12)
_F_DOWN_FRAMES = const(13)
_F_UP_RECORDS = const(14)
_F_RETRIES = const(15)
_F_PAIRS = const(16)
_F_LOST = const(17)
_F_ACKED_UP = const(18)
_F_ACKED_DOWN = const(19)
_F_ASKED = const(20)
_F_FINE = const(21)
_F_OTHERS = const(22)
_F_RSSI_MAX = const(23)
_F_AMSDU = const(24)
_F_RELAYED = const(25)
_F_LAST_BIN = const(26)
_F_LAST_SEQUENCE = const(27)
_F_VISIT = const(28)
_F_MAX_LENGTH = const(29)
_F_MAX_COUNT = const(30)
_F_LENGTHS = const(31)
_F_BSSID = const(39)
_F_SERIES = const(42)
_F_STRENGTH = const(44)
_F_FIRST_S = const(60)
_FLAG_OWN = const(1)

# Roles of an address in a record.
_UP = const(0)
_DOWN = const(1)
_RELAY = const(2)
_ACKED_UP = const(3)
_ACKED_DOWN = const(4)
_ASKED = const(5)


@micropython.viper
def count_records(table, records, count: int):
    """Count `count` header records (see ansim/frame_header.py) into the table."""
    t = ptr16(table)
    w = ptr32(table)
    heads = ptr8(table)
    r = ptr16(records)
    visit = t[_S_VISIT]
    end = count * 18
    p = 0
    while p < end:
        control = r[p + 3]
        kind = (r[p + 6] >> 8) & 15
        ds = 4  # neither direction: not a data frame
        first = 0  # offsets of the two addresses that are counted; 0: none
        second = 0
        first_role = _UP
        second_role = _DOWN
        if kind == 2:
            # Data frames that carry data: type 2, the "no data" bit of the subtype clear.
            if control & 0x4C == 0x08:
                ds = (control >> 8) & 3
                if ds == 1:
                    first = p + 10
                    # To an access point itself: what a client answers to an access-point-mode camera.
                    if r[p + 7] == r[p + 13] and r[p + 8] == r[p + 14] and r[p + 9] == r[p + 15]:
                        second = p + 7
                elif ds == 2:
                    first = p + 10
                    second = p + 7
                    if r[p + 10] != r[p + 13] or r[p + 11] != r[p + 14] or r[p + 12] != r[p + 15]:
                        first_role = _RELAY
                elif ds == 0:
                    first = p + 10
                    second = p + 7
            elif control & 0x0300 == 0x0100:
                # A null frame: it is acknowledged, as data is, and shows that the station can be decoded.
                first = p + 10
                first_role = _RELAY
        elif kind == 0:
            if not r[p + 7] & 1:
                first = p + 10
                first_role = _RELAY
        elif kind == 1:
            subtype = control & 0xFC
            first = p + 7
            if subtype == 0x94:
                first_role = _ACKED_UP
                second = p + 10
                second_role = _ACKED_DOWN
            elif subtype == 0xD4:
                first_role = _ACKED_UP
            elif subtype == 0xC4:
                first_role = _ASKED
            else:
                first = 0
        turn = 0
        while turn < 2:
            q = second if turn else first
            role = second_role if turn else first_role
            turn += 1
            if q == 0:
                continue
            x = r[q]
            y = r[q + 1]
            z = r[q + 2]
            # Group addresses are no station; zeros are a malformed record.
            if x & 1 or (x | y | z) == 0:
                continue
            i = heads[(z + (z >> 8) + (y >> 8)) & 127]
            b = 0
            while i != _NONE:
                b = _FIRST + i * _STRIDE
                if t[b] == x and t[b + 1] == y and t[b + 2] == z:
                    break
                i = t[b + _F_NEXT]
            if i == _NONE:
                if role == _RELAY:
                    continue
                i = int(claim(table, records, q, 1 if role > _RELAY else 0))
                if i == _NONE:
                    continue
                b = _FIRST + i * _STRIDE
            length = r[p + 2]
            parts = 1
            aggregated = control & 0x80 and r[p + 17] & 0x80
            if role == _UP:
                if aggregated:
                    # Full-size parts, or two small ones: only its length is known.
                    parts = 4 if length >= 3200 else 2
                    t[b + _F_AMSDU] = (t[b + _F_AMSDU] + 1) & 0xFFFF
                is_new = 1 if t[b + _F_VISIT] != visit else 0
                # One counter for each TID, and one for frames without; an access point has them for each receiver.
                sequence = r[p + 16] >> 4
                sequence |= (r[p + 17] & 15) << 12 if control & 0x80 else 0xF000
                last = t[b + _F_LAST_SEQUENCE]
                k = b + _F_BSSID
                if ds == 2 and (t[k] != r[p + 7] or t[k + 1] != r[p + 8] or t[k + 2] != r[p + 9]):
                    pass
                elif is_new or (last ^ sequence) & 0xF000:
                    t[b + _F_LAST_SEQUENCE] = sequence
                else:
                    gap = (sequence - last) & 0xFFF
                    if gap == 0:
                        if control & 0x0800:
                            t[b + _F_RETRIES] = (t[b + _F_RETRIES] + 1) & 0xFFFF
                            continue  # the same frame again
                    elif gap < 2048:
                        t[b + _F_PAIRS] = (t[b + _F_PAIRS] + 1) & 0xFFFF
                        t[b + _F_LOST] = (t[b + _F_LOST] + gap - 1) & 0xFFFF
                        t[b + _F_LAST_SEQUENCE] = sequence
                    elif t[b + _F_LOST]:
                        t[b + _F_LOST] = t[b + _F_LOST] - 1  # it was late, not lost
                if control & 0x0800:
                    t[b + _F_RETRIES] = (t[b + _F_RETRIES] + 1) & 0xFFFF
                k = (b + _F_UP_BYTES) >> 1
                w[k] = (w[k] + length) & 0x3FFFFFFF
                rssi = (r[p + 5] & 255) ^ 128
                k = (b + _F_RSSI_SUM) >> 1
                w[k] = (w[k] + rssi) & 0x3FFFFFFF
                if rssi > t[b + _F_RSSI_MAX]:
                    t[b + _F_RSSI_MAX] = rssi
                t[b + _F_UP_FRAMES] = (t[b + _F_UP_FRAMES] + parts) & 0xFFFF
                t[b + _F_UP_RECORDS] = (t[b + _F_UP_RECORDS] + 1) & 0xFFFF
                if not aggregated:
                    k = length >> 8
                    k = b + _F_LENGTHS + (k if k < 7 else 7)
                    if t[k] < 0xFFFF:
                        t[k] = t[k] + 1
                    k = t[b + _F_MAX_LENGTH]
                    if length > k + 8:
                        t[b + _F_MAX_LENGTH] = length
                        t[b + _F_MAX_COUNT] = 1
                    elif length + 8 >= k and t[b + _F_MAX_COUNT] < 0xFFFF:
                        t[b + _F_MAX_COUNT] = t[b + _F_MAX_COUNT] + 1
                    k = t[b + _F_SERIES]
                    if k and length >= _SERIES_LENGTHS_FROM:
                        k = _SERIES_LENGTHS_AT + k * _SERIES_LENGTHS
                        if length < _SERIES_LENGTHS_LAST:
                            k += ((length - _SERIES_LENGTHS_FROM) >> 4) - _SERIES_LENGTHS
                        else:
                            k -= 1
                        if t[k] < 0xFFFF:
                            t[k] = t[k] + 1
                # Bins of 100 ms: the time in steps of 1.024 ms, times 21 / 2048.
                now = (((r[p + 1] << 6) | (r[p] >> 10)) * 21) >> 11
                before = t[b + _F_LAST_BIN]
                series = t[b + _F_SERIES]
                if series:
                    series = _SERIES_AT + (series - 1) * _SERIES_BINS
                ahead = now - before
                # A small step back is a late frame.
                if is_new or ahead > 0 or ahead < -16:
                    t[b + _F_FINE] = (t[b + _F_FINE] + 1) & 0xFFFF
                    t[b + _F_LAST_BIN] = now
                    if series:
                        fill = _UNHEARD if is_new else 0
                        if ahead < 0 or ahead > _SERIES_BINS:
                            ahead = _SERIES_BINS
                            fill = _UNHEARD
                        k = 1
                        while k <= ahead:
                            t[series + ((before + k) & 255)] = fill
                            k += 1
                if series:
                    k = series + (now & 255)
                    total = (t[k] if t[k] != _UNHEARD else 0) + (length >> 4)
                    t[k] = total if total < _UNHEARD else _UNHEARD - 1
                t[b + _F_VISIT] = visit
                k = p + 7  # the access point it sends to
                if ds == 0:
                    k = p + 13
                elif ds == 2:
                    # An access point's own frames: keep the client that most of them go to.
                    t[b + _F_FLAGS] = t[b + _F_FLAGS] | _FLAG_OWN
                    if t[b + _F_BSSID] != r[k] or t[b + _F_BSSID + 1] != r[k + 1] or t[b + _F_BSSID + 2] != r[k + 2]:
                        t[b + _F_OTHERS] = (t[b + _F_OTHERS] + 1) & 0xFFFF
                        if t[b + _F_UP_RECORDS] > t[b + _F_OTHERS] << 1:
                            continue
                        t[b + _F_LAST_SEQUENCE] = sequence
                t[b + _F_BSSID] = r[k]
                t[b + _F_BSSID + 1] = r[k + 1]
                t[b + _F_BSSID + 2] = r[k + 2]
            elif role == _DOWN:
                if aggregated:
                    parts = (length >> 7) + 1 if length < 1600 else 4 if length >= 3200 else 2
                k = (b + _F_DOWN_BYTES) >> 1
                w[k] = (w[k] + length) & 0x3FFFFFFF
                t[b + _F_DOWN_FRAMES] = (t[b + _F_DOWN_FRAMES] + parts) & 0xFFFF
            elif role == _RELAY:
                t[b + _F_RELAYED] = (t[b + _F_RELAYED] + 1) & 0xFFFF
                # What an access point forwards to its client is numbered by the same counter as its own.
                if ds != 2 or t[b + _F_VISIT] != visit:
                    continue
                k = b + _F_BSSID
                if t[k] == r[p + 7] and t[k + 1] == r[p + 8] and t[k + 2] == r[p + 9]:
                    sequence = r[p + 16] >> 4
                    sequence |= (r[p + 17] & 15) << 12 if control & 0x80 else 0xF000
                    last = t[b + _F_LAST_SEQUENCE]
                    gap = (sequence - last) & 0xFFF
                    if (last ^ sequence) & 0xF000:
                        t[b + _F_LAST_SEQUENCE] = sequence
                    elif gap and gap < 2048:
                        t[b + _F_PAIRS] = (t[b + _F_PAIRS] + 1) & 0xFFFF
                        t[b + _F_LOST] = (t[b + _F_LOST] + gap - 1) & 0xFFFF
                        t[b + _F_LAST_SEQUENCE] = sequence
            elif role == _ASKED:
                t[b + _F_ASKED] = (t[b + _F_ASKED] + 1) & 0xFFFF
            else:
                k = r[p + 17] if second else 1
                if k > 256:
                    k = 256  # a Block Ack has no room for more
                b += role - _ACKED_UP + _F_ACKED_UP
                t[b] = (t[b] + k) & 0xFFFF
        p += 18


@micropython.viper
def claim(table, records, place: int, only_free: int) -> int:
    """
    Return the number of a station for the address at half `place` of the records, 255 if there is none.

    When the table is full, the station with the lowest rank, then the fewest frames, is replaced,
    unless `only_free`; so the strongest suspect always stays.
    """
    t = ptr16(table)
    heads = ptr8(table)
    r = ptr16(records)
    i = t[_S_USED]
    if i < _STATIONS:
        t[_S_USED] = i + 1
    else:
        if only_free:
            return _NONE
        i = 0
        least = 0x3FFFFFFF  # the largest that is a small int on the board
        k = 0
        while k < _STATIONS:
            b = _FIRST + k * _STRIDE
            frames = t[b + _F_UP_RECORDS] + t[b + _F_DOWN_FRAMES] + t[b + _F_STRENGTH]
            worth = (t[b + _F_RANK] << 20) + frames
            if worth < least:
                least = worth
                i = k
            k += 1
        t[_S_EVICTED] = (t[_S_EVICTED] + 1) & 0xFFFF
        b = _FIRST + i * _STRIDE
        k = (t[b + 2] + (t[b + 2] >> 8) + (t[b + 1] >> 8)) & 127
        after = t[b + _F_NEXT]
        if heads[k] == i:
            heads[k] = after
        else:
            k = _FIRST + heads[k] * _STRIDE + _F_NEXT
            while t[k] != i:
                k = _FIRST + t[k] * _STRIDE + _F_NEXT
            t[k] = after
    b = _FIRST + i * _STRIDE
    k = 0
    while k < _STRIDE:
        t[b + k] = 0
        k += 1
    t[b] = r[place]
    t[b + 1] = r[place + 1]
    t[b + 2] = r[place + 2]
    k = (t[b + 2] + (t[b + 2] >> 8) + (t[b + 1] >> 8)) & 127
    t[b + _F_NEXT] = heads[k]
    heads[k] = i
    t[b + _F_VISIT] = (t[_S_VISIT] + 1) & 0xFFFF  # not the current visit: nothing precedes its first frame
    t[b + _F_FIRST_S] = t[_S_FIRST_S]
    t[b + _F_FIRST_S + 1] = t[_S_FIRST_S + 1]
    return i
