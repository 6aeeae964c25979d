"""
Random header records, many of them malformed, and the station table after counting them.

    results = count_batches(seed=3, addresses=90)     # the same list on every interpreter

The random numbers come from a generator of this module, because those of the interpreters differ.
"""

import binascii
import hashlib
import struct

from ansim.detect.stations import layout
from ansim.detect.stations.table import StationTable
from ansim.frame_header import RECORD_BYTES, RECORD_FORMAT

# Data in all DS combinations, with and without retry, no-data, Block Ack, CTS, ACK, beacon.
CONTROLS = (0x0188, 0x0288, 0x0988, 0x0A88, 0x0094, 0x00C4, 0x00D4, 0x0088, 0x0388, 0x01C8, 0x0080)


class RandomNumbers:
    """A linear congruential generator."""

    def __init__(self, seed):
        self._state = seed * 2654435761 % 4294967296 or 1

    def below(self, limit) -> int:
        self._state = (self._state * 1103515245 + 12345) % 2147483648
        return (self._state >> 8) % limit


def make_batch(numbers, count, addresses, time_us) -> bytearray:
    """
    Return `count` records.

    numbers    RandomNumbers
    addresses  how many different addresses are used
    time_us    list with the current time, which is advanced, sometimes backwards
    """
    batch = bytearray(RECORD_BYTES * count)
    for index in range(count):
        time_us[0] += numbers.below(3000)
        if numbers.below(200) == 0:
            time_us[0] -= numbers.below(50_000_000)
        kind = numbers.below(4) | numbers.below(8) << 4 if numbers.below(3) else 2
        control = CONTROLS[numbers.below(len(CONTROLS))] if numbers.below(4) else numbers.below(65536)
        if control in (0x94, 0xC4, 0xD4):
            kind = 1
        first, second, third = (_address(numbers, addresses) for _ in range(3))
        if numbers.below(3) == 0:
            third = second
        elif numbers.below(3) == 0:
            third = first
        struct.pack_into(
            RECORD_FORMAT,
            batch,
            RECORD_BYTES * index,
            time_us[0] & 0xFFFFFFFF,
            numbers.below(1600) if numbers.below(20) else numbers.below(65536),
            control,
            numbers.below(65536),
            numbers.below(256) - 128,
            1 + numbers.below(13),
            numbers.below(256),
            kind,
            first,
            second,
            third,
            (index * numbers.below(3) & 0xFFF) << 4 if numbers.below(9) else numbers.below(65536),
            numbers.below(65536) if numbers.below(3) == 0 else numbers.below(16),
        )
    return batch


def count_batches(seed, addresses, table=None) -> list:
    """Count random batches on several channels; return the stations to be judged and digests of the whole table."""
    numbers = RandomNumbers(seed)
    table = table or StationTable()
    time_us = [numbers.below(1 << 30) * 4]
    now_ms = 0
    results = []
    for _ in range(12):
        table.tune(1 + numbers.below(3), now_ms)
        for _ in range(1 + numbers.below(3)):
            records = make_batch(numbers, numbers.below(120), addresses, time_us)
            table.take(records, len(records) // RECORD_BYTES)
            results.append(table.is_quiet())
            now_ms += numbers.below(1500)
            table.settle(now_ms)
            table.set_field(numbers.below(12), layout.F_SERIES, numbers.below(layout.SERIES_COUNT + 1))
            table.set_field(numbers.below(layout.STATIONS), layout.F_RANK, numbers.below(200))
            station = table.next(0)
            while station != layout.NONE:
                results.append([station, list(table.out)])
                station = table.next(station + 1)
        results.append(digest(table))
    results.append(list(table.heard()))
    results.append(digest(table))
    return results


def digest(table) -> str:
    """Return a short hash of the table's bytes."""
    return binascii.hexlify(hashlib.sha256(bytes(table.table)).digest()[:8]).decode()


def _address(numbers, addresses):
    if numbers.below(50) == 0:
        return bytes(6)
    number = numbers.below(addresses)
    return bytes([2 | (numbers.below(60) == 0), 0, 0, number >> 8, number & 255, number * 37 & 255])
