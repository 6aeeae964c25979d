"""
Runs on the MicroPython with rfsniff (see test_module.py): a thread writes records while this script reads them.

    micropython race_on_micropython.py MIN_READ FLOOD

Repeats floods of FLOOD frames until MIN_READ records were read; prints the numbers of records read, torn, sent and
dropped.
"""

import sys

import micropython
import rfsniff  # pyright: ignore[reportMissingImports] # only in this interpreter

buffer = bytearray(512 * rfsniff.RECORD_BYTES)


@micropython.viper  # machine code, otherwise the reader would see one record in a hundred
def count_torn(records: ptr8, count: int, last: int) -> int:  # noqa: F821
    """Return how many records are out of order or mixed from two frames (each field has its frame's number)."""
    torn = 0
    start = 0
    while count:
        low, middle, high = int(records[start]), int(records[start + 1]), int(records[start + 2])
        number = low | middle << 8 | high << 16
        if number <= last:
            torn += 1
        last = number
        field = start + 14
        while field < start + 32:  # the three addresses
            if int(records[field]) != low or int(records[field + 1]) != middle or int(records[field + 2]) != high:
                torn += 1
            field += 3
        if int(records[start + 8]) != low or int(records[start + 9]) != middle:  # duration
            torn += 1
        if int(records[start + 32]) != low or int(records[start + 33]) != middle:  # sequence
            torn += 1
        if int(records[start + 34]) != low or int(records[start + 35]) != middle:  # extra
            torn += 1
        start += 36
        count -= 1
    return torn


def frame_number(record):
    """Return the number of the frame of a record in the buffer."""
    start = record * rfsniff.RECORD_BYTES
    return buffer[start] | buffer[start + 1] << 8 | buffer[start + 2] << 16


def race(frames):
    """Read during one flood; return the numbers of records read, torn, sent and dropped."""
    rfsniff.start(11, 15)
    rfsniff.flood(frames, 0)
    read = torn = 0
    last = -1
    while rfsniff.flooding() or rfsniff.stats()[0]:
        count = rfsniff.readinto(buffer)
        if count:
            torn += count_torn(buffer, count, last)  # pyright: ignore[reportArgumentType] # viper takes a buffer as ptr8
            last = frame_number(count - 1)
            read += count
    waiting, pushed, dropped = rfsniff.stats()
    assert waiting == 0 and pushed == read and pushed + dropped == frames, (waiting, pushed, dropped, read)
    return read, torn, frames, dropped


total = [0, 0, 0, 0]
while total[0] < int(sys.argv[1]):
    for index, count in enumerate(race(int(sys.argv[2]))):
        total[index] += count
print(*total)
