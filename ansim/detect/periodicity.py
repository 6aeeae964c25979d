"""
Key-frame periodicity: does a transmitter's byte rate come back after a fixed time?

A video encoder sends a key frame every 0.8 to 4.1 s, several times as long as the frames
between. The autocorrelation of the bytes in each 100 ms then has a peak at that lag and a
valley before it. A rate that drifts slowly, as a call's or a download's does, has high
correlation at short lags and no valley, so a peak counts only by as much as it stands above
the valley.

Two neighbouring bins are added up first: frame rates that do not divide 100 ms evenly
(24 or 18 a second) would otherwise look like a period of half a second.
"""

import sys
from array import array

from ansim.detect.stations.layout import BIN_MS, SERIES_AT, SERIES_BINS
from ansim.detect.viper import const, micropython, ptr16

MIN_BINS = 90  # a dwell of 10 s: with less, three key frames need not be in it
EVEN = 100  # permille of variation; in a flow so even a rhythm means nothing

_BINS = const(254)  # pairs of neighbours in a series without the bin that is being filled
_UNHEARD = const(0xFFFF)
_ZERO = const(4096)  # what is kept is the difference from the mean, plus this
_TOP = const(1000)  # values are scaled to this
_CLIP = const(6)  # times the mean; one huge burst must not decide alone
_SHORTEST_LAG = const(8)
_LONGEST_LAG = const(41)

_work = array("H", [0] * SERIES_BINS)  # shared; nothing is kept in it between calls


def periodicity(table, series: int, newest_bin: int) -> tuple:
    """
    Return (strength permille, period ms, variation permille, bins) of a series of the station table.

    series      1..SERIES_COUNT
    newest_bin  the bin that is being filled (F_LAST_BIN); it is left out

    strength   0..1000, how far the best peak stands above the valley before it
    variation  standard deviation over mean of the bytes in 200 ms: near 0 is an even flow
    bins       how many were heard; the rest is 0 if they are fewer than MIN_BINS
    """
    bins = _collect(table, SERIES_AT + (series - 1) * SERIES_BINS, newest_bin + 1, _work)
    if bins < MIN_BINS:
        return 0, 0, 0, bins
    mean = _centre(_work)
    power = _power(_work, bins)
    if not mean or not power:
        return 0, 0, 0, bins
    found = _peak(_work, power, bins)
    variation = _root(power) * 1000 // mean
    if variation < EVEN:
        return 0, 0, variation, bins
    return min(found >> 8, 1000), (found & 255) * BIN_MS, variation, bins


@micropython.viper
def _collect(table, start: int, oldest: int, work) -> int:
    """Copy the sums of neighbouring bins in the order of time; return how many were heard."""
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
    """Clip and scale the values and take off their mean, which is returned."""
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
        # A bin that was not heard is as good as the mean: it adds nothing to any sum.
        out[k] = out[k] - mean + _ZERO if out[k] != _UNHEARD else _ZERO
        k += 1
    return mean


@micropython.viper
def _power(work, bins: int) -> int:
    """Mean square of the differences from the mean."""
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
    Strength of the best peak in permille << 8, and its lag in bins.

    The bins that were heard are taken as one stretch, as in a dwell; where they are not, the
    strength comes out too low rather than too high.
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
    """The same as _peak_viper, ten times as fast on CPython."""
    from operator import mul

    values = [one - 4096 for one in work[:254]]
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
    """Whole part of the square root."""
    root = 0
    for bit in range(15, -1, -1):
        if (root | 1 << bit) * (root | 1 << bit) <= number:
            root |= 1 << bit
    return root


_peak = _peak_viper if sys.implementation.name == "micropython" else _peak_plain
