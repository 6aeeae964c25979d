"""
What the counts of one transmitter say: numbers in named units, and the points they are worth.

    measure(stations.table, number, stations.out, values)    # values[UPLINK_KBPS] ...
    score = add_up(packed, values)                           # packed = pack(weights.FIRST_STAGE)

The numbers are what the server shows a person as the reasons of a finding, so each is whole
and in the unit its rule's name ends with; UNKNOWN means that nothing was heard of it.

A rule is (place in values, unit steps): for each step the value it begins at and its points,
rising. UNKNOWN is worth nothing.
"""

from array import array

from ansim.detect.viper import const, micropython, ptr16, ptr32
from ansim.finding import Evidence

UNKNOWN = 0x3FFFFFFF

# Rule ids by their place in `values`.
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
)
(UPLINK_KBPS, UPLINK_SHARE, MEAN_UP, MEAN_DOWN, DUTY, FINE_DUTY, MAX_LENGTH, MAX_LENGTH_SHARE, SMALL_UP) = range(9)
(HEARD_MS, ACTIVE_ROWS, OWN_SOURCE, SINGLE_CLIENT, LOSS, RETRY, DECODED, ACKED_FRAMES, LOCAL_ADDRESS) = range(9, 18)
MEASURED = 18  # so many are filled in by measure(), the rest by camera_stream.py
(GOP, GOP_PERIOD, VARIATION, PERSISTENCE_S, OPEN_NETWORK, RSSI_PEAK, RSSI_SPAN) = range(18, 25)
# A made-up address and full-size frames, known only once they count: late, and without a key-frame rhythm.
LATE_LOCAL, LATE_FULL = 25, 26
INFORMATION = (
    LOSS,
    GOP,
    PERSISTENCE_S,
    GOP_PERIOD,
    MAX_LENGTH,
    RSSI_SPAN,
    LOCAL_ADDRESS,
    RETRY,
)  # told when there is room
RSSI_ZERO = 128  # signal strengths are kept with this added

# See station_layout.py.
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
_MAX_LOSS = const(800)  # permille; more than that is not believed
_MIN_PAIRS = const(16)  # frames in sequence before a loss is estimated
_POINTS_ZERO = const(1000)  # points are kept with this added


@micropython.viper
def measure(table, number: int, out, values):
    """Fill values[:MEASURED] from what scan() put into `out` and from the sums of station `number`."""
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
    # 64 bytes in 16 ms are 32 kbit/s; what was missed is added
    v[0] = up * 32 // time * 1000 // (1000 - loss)
    v[1] = up * 1000 // (up + down) if up + down else 0
    v[2] = up * 64 // o[2] if o[2] else 0
    v[3] = down * 64 // o[4] if o[4] else _UNKNOWN
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
    # Lengths are counted of frames that are no A-MSDU; those are long.
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


@micropython.viper
def add_up(packed, values) -> int:
    """Return the points of `values` by packed rules, plus 100,000 so that it is never negative."""
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


ADDED = 100000


def pack(rules):
    """Return rules as add_up() reads them."""
    packed = array("I", [len(rules)])
    for place, steps in rules:
        packed.append(place)
        packed.append(len(steps))
        for begins, points in steps:
            packed.append(begins)
            packed.append(points + 1000)
    return packed


def points(rule, values) -> int:
    """Return what one rule is worth for these values."""
    place, steps = rule
    if values[place] == UNKNOWN:
        return 0
    worth = steps[0][1]
    for begins, step_points in steps:
        if values[place] >= begins:
            worth = step_points
    return worth


def shown(place, values) -> int:
    """Return a value as people see it."""
    return values[place] - RSSI_ZERO if place == RSSI_PEAK else values[place]


def told(rule, values):
    """Return the Evidence of one rule whose value is known."""
    limit = threshold(rule)
    if rule[0] == RSSI_PEAK:
        limit -= RSSI_ZERO
    return Evidence(RULES[rule[0]], shown(rule[0], values), limit, points(rule, values))


def keep(rows: list):
    """Return a list of Evidence of RULES packed, in a sixth of its room; kept() gives it back."""
    packed = array("i")
    for one in rows:
        packed.append(RULES.index(one.rule))
        for number in one[1:]:
            packed.append(number)
    return packed


def kept(packed) -> list:
    """Return what keep() has packed."""
    return [
        Evidence(RULES[packed[at]], packed[at + 1], packed[at + 2], packed[at + 3]) for at in range(0, len(packed), 4)
    ]


def threshold(rule) -> int:
    """Return the value where a rule turns from speaking against to speaking for a camera, or the other way round."""
    steps = rule[1]
    for place in range(1, len(steps)):
        if (steps[place - 1][1] < 0) != (steps[place][1] < 0):
            return steps[place][0]
    return steps[-1][0]
