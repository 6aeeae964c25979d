"""
A thread pushes as fast as it can, this reads as fast as it can, and every record must be whole.

    micropython race_on_micropython.py READ_AT_LEAST PUSH

Floods of PUSH frames until READ_AT_LEAST were read; prints read, torn, heard, dropped.
"""

import sys

import micropython
import rfsniff

buffer = bytearray(512 * rfsniff.RECORD_BYTES)


@micropython.viper  # compiled to machine code, or the reader would see one record in a hundred
def torn(records: ptr8, count: int, last: int) -> int:  # noqa: F821
    """How many records are out of order or have fields of two frames (the flood writes a frame's number into all)."""
    bad = 0
    at = 0
    while count:
        one, two, three = int(records[at]), int(records[at + 1]), int(records[at + 2])
        number = one | two << 8 | three << 16
        if number <= last:
            bad += 1
        last = number
        field = at + 14
        while field < at + 32:  # the three addresses
            if int(records[field]) != one or int(records[field + 1]) != two or int(records[field + 2]) != three:
                bad += 1
            field += 3
        if int(records[at + 8]) != one or int(records[at + 9]) != two:  # duration
            bad += 1
        if int(records[at + 32]) != one or int(records[at + 33]) != two:  # sequence
            bad += 1
        if int(records[at + 34]) != one or int(records[at + 35]) != two:  # extra
            bad += 1
        at += 36
        count -= 1
    return bad


def number_of(record):
    start = record * rfsniff.RECORD_BYTES
    return buffer[start] | buffer[start + 1] << 8 | buffer[start + 2] << 16


def race(frames):
    """Let one flood race with the reader; return read, torn, pushed or dropped, dropped."""
    rfsniff.start(11, 15)
    rfsniff.flood(frames, 0)
    read = bad = 0
    last = -1
    while rfsniff.flooding() or rfsniff.stats()[0]:
        count = rfsniff.readinto(buffer)
        if count:
            bad += torn(buffer, count, last)
            last = number_of(count - 1)
            read += count
    waiting, pushed, dropped = rfsniff.stats()
    assert waiting == 0 and pushed == read and pushed + dropped == frames, (waiting, pushed, dropped, read)
    return read, bad, frames, dropped


total = [0, 0, 0, 0]
while total[0] < int(sys.argv[1]):
    for index, count in enumerate(race(int(sys.argv[2]))):
        total[index] += count
print(*total)
