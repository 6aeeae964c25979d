"""
Evidence from the counts of one transmitter: measured values in named units, and their points.

    measure(stations.table, number, stations.out, values)    # values[UPLINK_KBPS] ...
    points = sum_points(packed, values)                      # packed = pack(weights.SHAPE)

The server shows these values as the reasons of a finding, so each is a whole number in the
unit that its rule id ends with; UNKNOWN means that it could not be measured.

A rule is (index in values, steps); a step is (first value, points), in rising order. UNKNOWN is
worth no points.
"""

from array import array

from ansim.detect.viper import const, micropython, ptr16, ptr32
from ansim.finding import Evidence

UNKNOWN = 0x3FFFFFFF

# Rule ids by their index in `values`.
RULES = (
    "uplink_kbps",
    "uplink_share_permille",
    "mean_up_bytes",
    "mean_down_bytes",
    "duty_permille",
    "fine_duty_permille",
    "max_length_bytes",
    "max_length_share_permille",
    "small_up_permille",
    "heard_ms",
    "active_rows",
    "own_source_permille",
    "single_client_permille",
    "loss_permille",
    "retry_permille",
    "decoded_permille",
    "acked_frames",
    "local_address",
    "gop_permille",
    "gop_period_ms",
    "variation_permille",
    "persistence_s",
    "open_network",
    "rssi_peak_dbm",
    "rssi_span_db",
    "local_address",
    "full_frames_permille",
    "late_kbps",
    "late_share_permille",
    "late_up_bytes",
    "common_length_permille",
)
(UPLINK_KBPS, UPLINK_SHARE, MEAN_UP, MEAN_DOWN, DUTY, FINE_DUTY, MAX_LENGTH, MAX_LENGTH_SHARE, SMALL_UP) = range(9)
(HEARD_MS, ACTIVE_ROWS, OWN_SOURCE, SINGLE_CLIENT, LOSS, RETRY, DECODED, ACKED_FRAMES, LOCAL_ADDRESS) = range(9, 18)
MEASURED = 18  # values that measure() fills in; camera_stream.py adds the others
(GOP, GOP_PERIOD, VARIATION, PERSISTENCE_S, OPEN_NETWORK, RSSI_PEAK, RSSI_SPAN) = range(18, 25)
# A randomised address and full-size frames; set only late, when they count.
LATE_LOCAL, LATE_FULL = 25, 26
# Rate, share and mean length of its newest rows alone (stations.layout.LATE_MS); measure() fills them in, too.
LATE_KBPS, LATE_SHARE, LATE_MEAN_UP = 27, 28, 29
COMMON_LENGTH = 30  # see packet_lengths.py
INFORMATION = (
    LOSS,
    GOP,
    COMMON_LENGTH,
    PERSISTENCE_S,
    GOP_PERIOD,
    MAX_LENGTH,
    RSSI_SPAN,
    LOCAL_ADDRESS,
    RETRY,
)  # listed if there is room
RSSI_ZERO = 128  # signal strengths are kept with this added

# See stations/layout.py.
_STRIDE = const(112)
_FIRST = const(80)
_F_FLAGS = const(4)
_F_MAX_LENGTH = const(29)
_F_MAX_COUNT = const(30)
_F_LENGTHS = const(31)
_F_SUM_PAIRS = const(49)
_F_SUM_LOST = const(50)
_F_SUM_ACKED_UP = const(51)
_F_SUM_UP = const(53)
_F_SUM_RETRIES = const(55)
_F_SUM_OTHERS = const(56)
_F_SUM_RELAYED = const(57)
_FLAG_OWN = const(1)

_UNKNOWN = const(0x3FFFFFFF)
_MAX_LOSS = const(800)  # permille; higher estimates are not credible
_MIN_PAIRS = const(16)  # frames in sequence before a loss is estimated
_POINTS_ZERO = const(1000)  # points are kept with this added


@micropython.viper
def measure(table, number: int, out, values):
    """Fill values[:MEASURED] from the output of scan() and the sums of station `number`."""
    t = ptr16(table)
    o = ptr32(out)
    v = ptr32(values)
    b = _FIRST + number * _STRIDE
    time = o[0] if o[0] else 1
    up = o[1]
    down = o[3]
    pairs = t[b + _F_SUM_PAIRS]
    lost = t[b + _F_SUM_LOST]
    loss = 0
    if pairs >= _MIN_PAIRS:
        loss = lost * 1000 // (pairs + lost)
        if loss > _MAX_LOSS:
            loss = _MAX_LOSS
    v[13] = loss
    # 128 bytes in 16 ms are 64 kbit/s; the loss is compensated
    v[0] = up * 64 // time * 1000 // (1000 - loss)
    v[1] = up * 1000 // (up + down) if up + down else 0
    v[2] = up * 128 // o[2] if o[2] else 0
    v[3] = down * 128 // o[4] if o[4] else _UNKNOWN
    v[4] = o[6] * 1000 // o[5] if o[5] else 0
    fine = o[7] * 6250 // time  # bins of 100 ms, steps of 16 ms
    v[5] = fine if fine < 1000 else 1000
    v[6] = t[b + _F_MAX_LENGTH] if t[b + _F_MAX_LENGTH] else _UNKNOWN
    lengths = 0
    k = b + _F_LENGTHS
    while k < b + _F_LENGTHS + 8:
        lengths += t[k]
        k += 1
    v[7] = t[b + _F_MAX_COUNT] * 1000 // lengths if lengths else _UNKNOWN
    # Lengths are not counted of A-MSDUs, which are long.
    if t[b + _F_SUM_UP] > lengths:
        lengths = t[b + _F_SUM_UP]
    v[8] = t[b + _F_LENGTHS] * 1000 // lengths if lengths else _UNKNOWN
    v[9] = time * 16
    v[10] = o[6]
    sent = t[b + _F_SUM_UP]
    v[11] = _UNKNOWN
    v[12] = _UNKNOWN
    if t[b + _F_FLAGS] & _FLAG_OWN and sent:
        v[11] = sent * 1000 // (sent + t[b + _F_SUM_RELAYED])
        others = t[b + _F_SUM_OTHERS]
        v[12] = (sent - others) * 1000 // sent if others < sent else 0
    v[14] = t[b + _F_SUM_RETRIES] * 1000 // sent if sent else 0
    acked = t[b + _F_SUM_ACKED_UP]
    v[15] = _UNKNOWN
    if acked:
        sent += t[b + _F_SUM_RELAYED]
        v[15] = sent * 1000 // acked if sent < acked else 1000
    v[16] = acked
    v[17] = 1 if t[b] & 2 else 0
    time = o[9] if o[9] else 1
    up = o[10]
    v[27] = up * 64 // time * 1000 // (1000 - loss)
    v[28] = up * 1000 // (up + o[12]) if up else 0
    v[29] = up * 128 // o[11] if o[11] else 0


# What every known camera does, also in the worst 10 s of its video. A transmitter that does not is no camera, whatever
# else speaks for one. (place in values, least value, highest value); behind each the worst of 72 recorded sessions.
NECESSARY = (
    # 156 kbit/s, 78 with half of the frames lost and not scaled: the least that shows a picture. And 2.9 Mbit/s: an
    # encoder in a device that fits into a hole makes no more than that, a transfer fills the channel.
    (UPLINK_KBPS, 60, 10_000),
    (UPLINK_SHARE, 690, 1000),  # 740 permille during two-way talk, else 810: video goes one way
    (MEAN_UP, 380, 9999),  # 476 bytes: a picture fills several packets
    (MAX_LENGTH, 1000, 9999),  # 1,114 bytes (PPPP), else 1,500: a picture's packets are as long as the protocol allows
    # In the newest 3 s alone: video goes on, while what remains of an upload or a page is small talk.
    (LATE_KBPS, 45, 30_000),  # 82 kbit/s
    (LATE_SHARE, 600, 1000),  # 650 permille
    (LATE_MEAN_UP, 320, 9999),  # 420 bytes
)
LATE_MAX_LOSS = 250  # permille; with more of it three seconds are too few frames, and the limits an eighth lower
# Short frames sent and long frames received are requests and answers, as of an application. With as many, two-way talk
# of a camera still has the share.
TALK_SMALL_UP, TALK_MEAN_DOWN, TALK_SHARE = 400, 190, 790
# What comes in bursts with pauses is whole pictures, of packets that are full but for the last one of each. A burst of
# unequal packets is messages, as a hub sends them. Cameras that send in bursts: 880 permille or more.
BURST_DUTY, BURST_FULL = 400, 400


# A picture every few seconds is slower than a video, but comes by a clock: bursts of full packets in a rhythm. The
# slowest recorded one (a VGA picture every 2 s): 35 kbit/s, 870 permille, 820 bytes.
PICTURES = ((UPLINK_KBPS, 24), (UPLINK_SHARE, 800), (MEAN_UP, 600), (MAX_LENGTH, 1000), (GOP, 700))


def may_send_pictures(values: array) -> bool:
    """Return True if it sends pictures in a rhythm, or may do so and the rhythm is unknown."""
    if values[FINE_DUTY] >= BURST_DUTY:
        return False
    for place, least in PICTURES:
        if values[place] < least:
            return False
    return True


def unmet_condition(values: array, necessary: tuple = NECESSARY) -> tuple | None:
    """Return (place, limit) of the first condition that `values` do not meet; None if they meet all, or PICTURES."""
    if values[GOP] != UNKNOWN and may_send_pictures(values):
        return None
    lossy = UNKNOWN > values[LOSS] >= LATE_MAX_LOSS
    for place, least, most in necessary:
        if lossy and place >= LATE_KBPS:
            break
        if values[place] < (least - least // 8 if lossy else least):
            return place, least
        if values[place] > most:
            return place, most
    talks = UNKNOWN > values[SMALL_UP] >= TALK_SMALL_UP and UNKNOWN > values[MEAN_DOWN] >= TALK_MEAN_DOWN
    if talks and values[UPLINK_SHARE] < TALK_SHARE:
        return UPLINK_SHARE, TALK_SHARE
    if values[FINE_DUTY] < BURST_DUTY and values[MAX_LENGTH_SHARE] < BURST_FULL:
        return MAX_LENGTH_SHARE, BURST_FULL
    return None


@micropython.viper
def sum_points(packed, values) -> int:
    """Return the points of `values` by packed rules, plus POINTS_OFFSET so that it is never negative."""
    p = ptr32(packed)
    v = ptr32(values)
    total = 100000
    at = 1
    rules = p[0]
    while rules:
        rules -= 1
        value = v[p[at]]
        steps = p[at + 1]
        at += 2
        if value != _UNKNOWN:
            k = at
            end = at + 2 * steps
            points = p[at + 1]
            while k < end and value >= p[k]:
                points = p[k + 1]
                k += 2
            total += points - _POINTS_ZERO
        at += 2 * steps
    return total


POINTS_OFFSET = 100000


def pack(rules: tuple) -> array:
    """Return rules in the form that sum_points() reads."""
    packed = array("I", [len(rules)])
    for place, steps in rules:
        packed.append(place)
        packed.append(len(steps))
        for begins, points in steps:
            packed.append(begins)
            packed.append(points + 1000)
    return packed


def points(rule: tuple, values: array) -> int:
    """Return the points of one rule for these values."""
    place, steps = rule
    if values[place] == UNKNOWN:
        return 0
    worth = steps[0][1]
    for begins, step_points in steps:
        if values[place] >= begins:
            worth = step_points
    return worth


def display_value(place: int, values: array) -> int:
    """Return a value in the unit of its rule id."""
    return values[place] - RSSI_ZERO if place == RSSI_PEAK else values[place]


def evidence_of(rule: tuple, values: array) -> Evidence:
    """Return the Evidence of a rule whose value is known."""
    limit = threshold(rule)
    if rule[0] == RSSI_PEAK:
        limit -= RSSI_ZERO
    return Evidence(RULES[rule[0]], display_value(rule[0], values), limit, points(rule, values))


def pack_evidence(rows: list) -> array:
    """Return a list of Evidence packed into an array, a sixth of the size; unpack_evidence() reverses it."""
    packed = array("i")
    for row in rows:
        packed.append(RULES.index(row.rule))
        for number in row[1:]:
            packed.append(number)
    return packed


def unpack_evidence(packed: array) -> list:
    """Return the list of Evidence that pack_evidence() has packed."""
    return [
        Evidence(RULES[packed[at]], packed[at + 1], packed[at + 2], packed[at + 3]) for at in range(0, len(packed), 4)
    ]


def threshold(rule: tuple) -> int:
    """Return the value at which the points of a rule change sign."""
    steps = rule[1]
    for place in range(1, len(steps)):
        if (steps[place - 1][1] < 0) != (steps[place][1] < 0):
            return steps[place][0]
    return steps[-1][0]
