"""
Random header records, many of them malformed, and what the station table makes of them.

    told = history(seed=3, addresses=90)     # the same list on every interpreter

The random numbers are made here, because the interpreters' own generators differ.
"""

import binascii
import hashlib
import struct

from ansim.detect.stations import layout
from ansim.detect.stations.table import StationTable
from ansim.frame_header import RECORD_BYTES, RECORD_FORMAT

# Data in all DS combinations, with and without retry, no-data, Block Ack, CTS, ACK, beacon.
CONTROLS = (0x0188, 0x0288, 0x0988, 0x0A88, 0x0094, 0x00C4, 0x00D4, 0x0088, 0x0388, 0x01C8, 0x0080)


class Chance:
    """A linear congruential generator."""

    def __init__(self, seed):
        self._state = seed * 2654435761 % 4294967296 or 1

    def below(self, limit) -> int:
        self._state = (self._state * 1103515245 + 12345) % 2147483648
        return (self._state >> 8) % limit


def batch(chance, count, addresses, time_us) -> bytearray:
    """Return `count` records; `time_us` is a list of one number that goes on, with jumps back."""
    out = bytearray(RECORD_BYTES * count)
    for at in range(count):
        time_us[0] += chance.below(3000)
        if chance.below(200) == 0:
            time_us[0] -= chance.below(50_000_000)
        kind = chance.below(4) | chance.below(8) << 4 if chance.below(3) else 2
        control = CONTROLS[chance.below(len(CONTROLS))] if chance.below(4) else chance.below(65536)
        if control in (0x94, 0xC4, 0xD4):
            kind = 1
        first, second, third = (_address(chance, addresses) for _ in range(3))
        if chance.below(3) == 0:
            third = second
        elif chance.below(3) == 0:
            third = first
        struct.pack_into(
            RECORD_FORMAT,
            out,
            RECORD_BYTES * at,
            time_us[0] & 0xFFFFFFFF,
            chance.below(1600) if chance.below(20) else chance.below(65536),
            control,
            chance.below(65536),
            chance.below(256) - 128,
            1 + chance.below(13),
            chance.below(256),
            kind,
            first,
            second,
            third,
            (at * chance.below(3) & 0xFFF) << 4 if chance.below(9) else chance.below(65536),
            chance.below(65536) if chance.below(3) == 0 else chance.below(16),
        )
    return out


def history(seed, addresses, table=None) -> list:
    """Count random batches on some channels; return what was found worth judging, and digests of the whole table."""
    chance = Chance(seed)
    table = table or StationTable()
    time_us = [chance.below(1 << 30) * 4]
    now_ms = 0
    told = []
    for _ in range(12):
        table.tune(1 + chance.below(3), now_ms)
        for _ in range(1 + chance.below(3)):
            records = batch(chance, chance.below(120), addresses, time_us)
            table.take(records, len(records) // RECORD_BYTES)
            told.append(table.is_quiet())
            now_ms += chance.below(1500)
            table.settle(now_ms)
            table.set_field(chance.below(12), layout.F_SERIES, chance.below(layout.SERIES_COUNT + 1))
            table.set_field(chance.below(layout.STATIONS), layout.F_RANK, chance.below(200))
            number = table.next(0)
            while number != layout.NONE:
                told.append([number, list(table.out)])
                number = table.next(number + 1)
        told.append(digest(table))
    told.append(list(table.heard()))
    told.append(digest(table))
    return told


def digest(table) -> str:
    return binascii.hexlify(hashlib.sha256(bytes(table.table)).digest()[:8]).decode()


def _address(chance, addresses):
    if chance.below(50) == 0:
        return bytes(6)
    number = chance.below(addresses)
    return bytes([2 | (chance.below(60) == 0), 0, 0, number >> 8, number & 255, number * 37 & 255])
