"""
Key-frame periodicity: the strongest period in the byte rate of a transmitter.

A video encoder sends a key frame every 0.8 to 4.1 s, several times as long as the frames
between. The autocorrelation of the bytes per 100 ms then has a peak at that lag and a valley
before it. A slowly drifting rate, as of a call or a download, has a high correlation at short
lags and no valley, so the strength of a peak is its height above the valley.

Neighbouring bins are added in pairs first: frame rates that do not divide 100 ms evenly
(24 or 18 per second) would otherwise look like a period of half a second.
"""

import sys
from array import array

from ansim.detect.stations.layout import BIN_MS, SERIES_AT, SERIES_BINS
from ansim.detect.viper import const, micropython, ptr16

MIN_BINS = 90  # a dwell of 10 s: a shorter one may have less than three key frames
EVEN = 100  # permille of variation; in a flow this even a rhythm means nothing

_BINS = const(254)  # pairs of neighbours in a series, without the bin that is being filled
_UNHEARD = const(0xFFFF)
_ZERO = const(4096)  # added to the differences from the mean, which are stored unsigned
_TOP = const(1000)  # values are scaled to this
_CLIP = const(6)  # times the mean; a single huge burst must not decide
_SHORTEST_LAG = const(8)
_LONGEST_LAG = const(41)

_work = array("H", [0] * SERIES_BINS)  # shared; not used between calls


def periodicity(table: bytearray, series: int, newest_bin: int) -> tuple:
    """
    Return (strength permille, period ms, variation permille, bins) of a series of the station table.

    series      1..SERIES_COUNT
    newest_bin  the bin that is being filled (F_LAST_BIN); it is left out

    strength   0..1000, how far the best peak stands above the valley before it
    variation  standard deviation over mean of the bytes in 200 ms: near 0 is an even flow
    bins       number of bins that were heard; below MIN_BINS the other values are 0
    """
    bins = _collect(table, SERIES_AT + (series - 1) * SERIES_BINS, newest_bin + 1, _work)
    if bins < MIN_BINS:
        return 0, 0, 0, bins
    mean = _centre(_work)
    power = _power(_work, bins)
    if not mean or not power:
        return 0, 0, 0, bins
    peak = _peak(_work, power, bins)
    variation = _root(power) * 1000 // mean
    if variation < EVEN:
        return 0, 0, variation, bins
    return min(peak >> 8, 1000), (peak & 255) * BIN_MS, variation, bins


@micropython.viper
def _collect(table, start: int, oldest: int, work) -> int:
    """Copy the sums of neighbouring bins in order of time; return the number of bins that were heard."""
    t = ptr16(table)
    out = ptr16(work)
    heard = 0
    k = 0
    while k < _BINS:
        x = t[start + ((oldest + k) & 255)]
        y = t[start + ((oldest + k + 1) & 255)]
        out[k] = _UNHEARD
        if x != _UNHEARD and y != _UNHEARD:
            total = (x + y) >> 1
            out[k] = total if total < _UNHEARD else _UNHEARD - 1
            heard += 1
        k += 1
    return heard


@micropython.viper
def _centre(work) -> int:
    """Clip and scale the values and subtract their mean; return the mean."""
    out = ptr16(work)
    total = 0
    heard = 0
    k = 0
    while k < _BINS:
        if out[k] != _UNHEARD:
            total += out[k]
            heard += 1
        k += 1
    top = total * _CLIP // heard
    highest = 1
    k = 0
    while k < _BINS:
        if out[k] != _UNHEARD:
            if out[k] > top:
                out[k] = top
            if out[k] > highest:
                highest = out[k]
        k += 1
    total = 0
    k = 0
    while k < _BINS:
        if out[k] != _UNHEARD:
            out[k] = out[k] * _TOP // highest
            total += out[k]
        k += 1
    mean = total // heard
    k = 0
    while k < _BINS:
        # Unheard bins are set to the mean, so they add nothing to any sum.
        out[k] = out[k] - mean + _ZERO if out[k] != _UNHEARD else _ZERO
        k += 1
    return mean


@micropython.viper
def _power(work, bins: int) -> int:
    """Return the mean square of the differences from the mean."""
    out = ptr16(work)
    total = 0
    k = 0
    while k < _BINS:
        x = out[k] - _ZERO
        total += x * x
        k += 1
    return total // bins


@micropython.viper
def _peak_viper(work, power: int, bins: int) -> int:
    """
    Return the strength of the best peak in permille << 8, plus its lag in bins.

    The heard bins are taken as contiguous, as in a dwell; if they are not, the strength is too
    low rather than too high.
    """
    out = ptr16(work)
    best = 0
    best_lag = 0
    valley = _TOP
    lag = 2
    while lag <= _LONGEST_LAG:
        total = 0
        k = lag
        while k < _BINS:
            total += (out[k] - _ZERO) * (out[k - lag] - _ZERO)
            k += 1
        strength = total // (bins - lag) * 1000 // power
        above = strength - (valley if valley > 0 else 0)
        if lag >= _SHORTEST_LAG and above > best:
            best = above
            best_lag = lag
        if strength < valley:
            valley = strength
        lag += 1
    return best << 8 | best_lag


def _peak_plain(work, power, bins):
    """Return the same as _peak_viper, ten times as fast on CPython."""
    from operator import mul

    values = [value - 4096 for value in work[:254]]
    best = best_lag = 0
    valley = 1000
    for lag in range(2, 42):
        strength = sum(map(mul, values[lag:], values)) // (bins - lag) * 1000 // power
        above = strength - max(valley, 0)
        if lag >= 8 and above > best:
            best, best_lag = above, lag
        valley = min(valley, strength)
    return best << 8 | best_lag


def _root(number):
    """Return the integer square root."""
    root = 0
    for bit in range(15, -1, -1):
        if (root | 1 << bit) * (root | 1 << bit) <= number:
            root |= 1 << bit
    return root


_peak = _peak_viper if sys.implementation.name == "micropython" else _peak_plain
