"""
Packet lengths: whether a transmitter cuts its pictures into packets of one length.

A camera fills packets of a fixed length and sends the rest of each picture in a shorter one, so among its long frames
one length is common. Programs for video calls divide each picture into equal packets instead: their length differs
from picture to picture, and no length is common.

stations/count.py counts the frames of 512 bytes and more of those transmitters that have a byte series.
"""

from ansim.detect.viper import const, micropython, ptr16

_FEWEST = const(40)  # long frames; of fewer the commonest length is chance
# See stations/layout.py.
_SERIES_LENGTHS = const(56)
_SERIES_LENGTHS_AT = const(8016)


@micropython.viper
def common_share(table, series: int) -> int:
    """
    Return the share of the commonest length among the long frames of a series, in permille; -1 if they are too few.

    series  1..SERIES_COUNT

    Halves the counts, so that lengths of long ago fade.
    """
    t = ptr16(table)
    start = _SERIES_LENGTHS_AT + (series - 1) * _SERIES_LENGTHS
    end = start + _SERIES_LENGTHS
    total = 0
    most = 0
    k = start
    while k < end:
        total += t[k]
        if t[k] > most:
            most = t[k]
        k += 1
    if total < _FEWEST:
        return -1
    k = start
    while k < end:
        t[k] = t[k] >> 1
        k += 1
    return most * 1000 // total
