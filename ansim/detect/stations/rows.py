"""
Rows of the station table: add the counts of a second or a visit to them, and sum them up for judging.

Machine code on the board. Nothing here allocates, and no intermediate value exceeds 31 bits (see count.py).
"""

from ansim.detect.viper import const, micropython, ptr16, ptr32

# See layout.py.
_STRIDE = const(112)
_FIRST = const(80)
_ROWS = const(10)
_ROW_HALVES = const(5)
_SERIES_BINS = const(256)
_SERIES_AT = const(7248)
_UNHEARD = const(0xFFFF)
_S_USED = const(65)
_S_NOW_S = const(66)
_S_CHANNEL = const(67)
_S_ROW_TIME = const(68)
_S_ROW_ID = const(69)
_S_HEARD = const(71)
_S_PAIRS = const(74)
_S_LOST = const(76)
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
_F_RELAYED = const(25)
_COUNTS_TO = const(26)
_F_MAX_COUNT = const(30)
_F_LENGTHS = const(31)
_F_HOME = const(43)
_F_STRENGTH = const(44)
_F_ROWS = const(45)
_F_HEAD = const(46)
_F_ROW_ID = const(47)
_F_ROW_S = const(48)
_F_SUMS = const(49)
_F_SUM_ACKED_UP = const(51)
_F_SUM_UP = const(53)
_F_RSSI = const(58)
_F_LAST_S = const(59)
_F_ROW = const(62)
_FLAG_HEARD = const(2)
_O_TIME = const(0)
_O_UP = const(1)
_O_UP_FRAMES = const(2)
_O_DOWN = const(3)
_O_DOWN_FRAMES = const(4)
_O_ROWS = const(5)
_O_ACTIVE = const(6)
_O_FINE = const(7)
_O_ANSWERED = const(8)
_O_LATE_TIME = const(9)
_O_LATE_UP = const(10)
_O_LATE_UP_FRAMES = const(11)
_O_LATE_DOWN = const(12)
_LATE = const(180)  # LATE_MS

_FORGET_S = const(60)  # rows are dropped if the radio has not listened to the channel for so long
_PAUSE_HALVES = const(6)  # so many half rows of silence end a period of sending
_SHORT = const(16)  # 256 ms: a shorter row does not show whether a station was active
_QUIET = const(6)  # 96 ms: silence for so long counts as half a row; see QUIET_MS of firmware/radio/plan.py
_MIN_KBPS = const(12)  # uplink below which a station is not judged: 60 kbit/s with 80 % lost
_MIN_ACKED = const(16)
_MIN_ANSWERS = const(6)
_ANSWER_BYTES = const(170)  # mean length; a TCP acknowledgement is 94 to 110


@micropython.viper
def fold(table):
    """
    Add the counts since the last fold to the newest row and to the sums of each station, and clear them.

    A station that is heard on two channels (neighbouring ones overlap) is counted only on the one
    where it is heard best. Silence on that channel makes a row too.
    """
    t = ptr16(table)
    w = ptr32(table)
    channel = t[_S_CHANNEL]
    time = t[_S_ROW_TIME]
    row_id = t[_S_ROW_ID]
    now_s = t[_S_NOW_S]
    b = _FIRST
    end = _FIRST + t[_S_USED] * _STRIDE
    while b < end:
        frames = t[b + _F_UP_RECORDS] + t[b + _F_DOWN_FRAMES]
        heard = frames + t[b + _F_ACKED_UP] + t[b + _F_ACKED_DOWN] + t[b + _F_ASKED] + t[b + _F_RELAYED]
        heard += t[b + _F_RETRIES]
        counts = 1  # 0: clear the counts without adding them
        strength = t[b + _F_STRENGTH]
        strength -= (strength + 7) >> 3
        if heard:
            t[b + _F_LAST_S] = now_s
            if not t[b + _F_FLAGS] & _FLAG_HEARD:
                t[b + _F_FLAGS] = t[b + _F_FLAGS] | _FLAG_HEARD
                t[_S_HEARD] = (t[_S_HEARD] + 1) & 0xFFFF
            if t[b + _F_HOME] != channel:
                if t[b + _F_HOME] == 0 or heard > strength:
                    t[b + _F_HOME] = channel
                    t[b + _F_ROWS] = 0
                else:
                    counts = 0
                    t[b + _F_STRENGTH] = strength
        if t[b + _F_HOME] == channel and (heard or t[b + _F_ROWS]):
            if heard > 0xFFFF:
                heard = 0xFFFF
            t[b + _F_STRENGTH] = heard if heard > strength else strength
            if t[b + _F_UP_RECORDS]:
                t[b + _F_RSSI] = w[(b + _F_RSSI_SUM) >> 1] // t[b + _F_UP_RECORDS] & 0xFF
            if t[b + _F_ROWS] == 0 or t[b + _F_ROW_ID] != row_id:
                if t[b + _F_ROWS] and ((now_s - t[b + _F_ROW_S]) & 0xFFFF) > _FORGET_S:
                    t[b + _F_ROWS] = 0
                head = t[b + _F_HEAD] + 1
                if t[b + _F_ROWS] == 0:
                    head = 0
                elif head >= _ROWS:
                    head = 0
                    # The sums are halved every ROWS rows, so that they follow changes.
                    k = b + _F_MAX_COUNT
                    while k < b + _F_LENGTHS + 8:
                        t[k] = t[k] >> 1
                        k += 1
                    k = b + _F_SUMS
                    while k < b + _F_SUMS + 9:
                        t[k] = t[k] >> 1
                        k += 1
                if t[b + _F_ROWS] < _ROWS:
                    t[b + _F_ROWS] = t[b + _F_ROWS] + 1
                t[b + _F_HEAD] = head
                t[b + _F_ROW_ID] = row_id
                k = b + _F_ROW + head * _ROW_HALVES
                t[k] = 0
                t[k + 1] = 0
                t[k + 2] = 0
                t[k + 3] = 0
                t[k + 4] = 0
            t[b + _F_ROW_S] = now_s
            row = b + _F_ROW + t[b + _F_HEAD] * _ROW_HALVES
            # Bytes are kept in steps; the remainder stays for the next fold.
            k = (b + _F_UP_BYTES) >> 1
            total = t[row] + (w[k] >> 7)
            t[row] = total if total < 0xFFFF else 0xFFFF
            w[k] = w[k] & 127
            total = t[row + 1] + t[b + _F_UP_FRAMES]
            t[row + 1] = total if total < 0xFFFF else 0xFFFF
            k = (b + _F_DOWN_BYTES) >> 1
            total = t[row + 2] + (w[k] >> 7)
            t[row + 2] = total if total < 0xFFFF else 0xFFFF
            w[k] = w[k] & 127
            total = t[row + 3] + t[b + _F_DOWN_FRAMES]
            t[row + 3] = total if total < 0xFFFF else 0xFFFF
            total = (t[row + 4] >> 8) + t[b + _F_FINE]
            if total > 255:
                total = 255
            t[row + 4] = total << 8 | (time if time < 255 else 255)
            w[_S_PAIRS >> 1] = w[_S_PAIRS >> 1] + t[b + _F_PAIRS]
            w[_S_LOST >> 1] = w[_S_LOST >> 1] + t[b + _F_LOST]
            k = 0
            while k < 9:
                # The counts that belong to the sums, in the same order.
                if k < 4:
                    total = t[b + _F_PAIRS + k]
                elif k == 4:
                    total = t[b + _F_UP_RECORDS]
                elif k == 5:
                    total = t[b + _F_DOWN_FRAMES]
                elif k == 6:
                    total = t[b + _F_RETRIES]
                elif k == 7:
                    total = t[b + _F_OTHERS]
                else:
                    total = t[b + _F_RELAYED]
                if total:
                    total += t[b + _F_SUMS + k]
                    t[b + _F_SUMS + k] = total if total < 0xFFFF else 0xFFFF
                k += 1
        if not counts:
            w[(b + _F_UP_BYTES) >> 1] = 0
            w[(b + _F_DOWN_BYTES) >> 1] = 0
        if heard:
            k = b + _F_RSSI_SUM
            while k < b + _COUNTS_TO:
                t[k] = 0
                k += 1
        b += _STRIDE


@micropython.viper
def is_quiet(table) -> int:
    """Return 1 if no station was heard since the last fold, else 0."""
    t = ptr16(table)
    b = _FIRST
    end = _FIRST + t[_S_USED] * _STRIDE
    heard = 0
    while b < end and heard == 0:
        heard = t[b + _F_UP_RECORDS] | t[b + _F_DOWN_FRAMES] | t[b + _F_ACKED_UP] | t[b + _F_ACKED_DOWN]
        heard |= t[b + _F_ASKED] | t[b + _F_RELAYED] | t[b + _F_RETRIES]
        b += _STRIDE
    return 0 if heard else 1


@micropython.viper
def scan(table, start: int, out) -> int:
    """
    Return the number of the next station of this channel, from `start` on, that is worth judging; 255 if there is none.

    Worth judging are stations that send as much as the weakest camera and not much less than they
    receive, stations whose undecodable or missed frames are acknowledged, and stations with a rank.
    `out` is filled with the sums of its rows since it last began to send, O_* of layout.py.
    """
    t = ptr16(table)
    o = ptr32(out)
    used = t[_S_USED]
    channel = t[_S_CHANNEL]
    i = start
    while i < used:
        b = _FIRST + i * _STRIDE
        rows = t[b + _F_ROWS]
        if rows and t[b + _F_HOME] == channel:
            time = 0
            up = 0
            down = 0
            row = b + _F_ROW
            end = row + rows * _ROW_HALVES
            while row < end:
                up += t[row]
                down += t[row + 2]
                time += t[row + 4] & 255
                row += _ROW_HALVES
            # 128 bytes * 8 bits in 16 ms are 64 kbit/s
            unread = t[b + _F_SUM_ACKED_UP] >= _MIN_ACKED and t[b + _F_SUM_ACKED_UP] > t[b + _F_SUM_UP] << 3
            # Nothing from it in the newest row, but short frames to it: acknowledgements of missed frames.
            row = b + _F_ROW + t[b + _F_HEAD] * _ROW_HALVES
            answered = 0
            if t[row + 1] == 0 and t[row + 3] >= _MIN_ANSWERS and t[row + 2] * 128 <= t[row + 3] * _ANSWER_BYTES:
                answered = t[row + 3]
            if t[b + _F_RANK] or unread or answered or (up * 64 >= _MIN_KBPS * time and up * 2 >= down):
                up_frames = 0
                down_frames = 0
                fine = 0
                full_rows = 0
                active = 0
                length = 0
                k = 0
                # From the newest row back to the start of sending, which follows three rows of silence.
                time = 0
                up = 0
                down = 0
                idle = 0  # half rows of silence since the last active row
                k = 0
                while k < rows and idle < _PAUSE_HALVES:
                    row = t[b + _F_HEAD] - k
                    if row < 0:
                        row += _ROWS
                    row = b + _F_ROW + row * _ROW_HALVES
                    spent = t[row + 4] & 255
                    sent = t[row]
                    # 1500 bytes a second: steps * 128 * 1000 >= 1500 * 16 * steps of time
                    if sent * 16 >= spent * 3 and sent:
                        if spent >= _SHORT:
                            active += 1
                        length = k + 1
                        idle = 0
                    elif spent >= _SHORT:
                        idle += 2
                    elif spent >= _QUIET:
                        idle += 1
                    k += 1
                if length == 0:
                    length = 1
                k = 0
                while k < length:
                    row = t[b + _F_HEAD] - k
                    if row < 0:
                        row += _ROWS
                    row = b + _F_ROW + row * _ROW_HALVES
                    spent = t[row + 4] & 255
                    time += spent
                    up += t[row]
                    up_frames += t[row + 1]
                    down += t[row + 2]
                    down_frames += t[row + 3]
                    fine += t[row + 4] >> 8
                    if spent >= _SHORT:
                        full_rows += 1
                    k += 1
                    if time - spent < _LATE:
                        o[_O_LATE_TIME] = time
                        o[_O_LATE_UP] = up
                        o[_O_LATE_UP_FRAMES] = up_frames
                        o[_O_LATE_DOWN] = down
                o[_O_TIME] = time
                o[_O_UP] = up
                o[_O_UP_FRAMES] = up_frames
                o[_O_DOWN] = down
                o[_O_DOWN_FRAMES] = down_frames
                o[_O_ROWS] = full_rows
                o[_O_ACTIVE] = active
                o[_O_FINE] = fine
                o[_O_ANSWERED] = answered
                return i
        i += 1
    return 255
