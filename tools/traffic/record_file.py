"""
Record files: header records of many stations in a compact form, with a header that says where they come from.

    record_file.write("flat.records.xz", {"scenario": "flat", ...}, [(time_us, record), ...])
    record_file.header("flat.records.xz")["scenario"]
    for time_us, record in record_file.records("flat.records.xz"): ...

The file is compressed with xz. It holds MAGIC, then blocks, each with its length in four bytes: the header (JSON), the
contexts, and a column for each of COLUMNS. A context is what a station's frames to one receiver have in common: frame
control, channel, rate, kind and the three addresses. Columns hold one unsigned number a record, seven bits a byte, the
lowest first. Numbers are differences where that makes them small. Little-endian throughout.

Times are kept in steps of TIME_STEP_US, signal strengths in steps of RSSI_STEP_DB; everything else is exact.
"""

import json
import lzma
import struct
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from ansim.frame_header import RECORD_FORMAT, TIME_WRAPS_AT
from tools.lib.errors import ToolError
from tools.traffic.opened import Recording, open_recording

SUFFIX = ".records.xz"
XZ_MAGIC = b"\xfd7zXZ\x00"
MAGIC = b"ANSIMREC"
TIME_STEP_US = 32
RSSI_STEP_DB = 2
COLUMNS = ("time", "context", "length", "duration", "rssi", "sequence", "extra")
MOST_BYTES = 256 << 20  # of a file, decompressed
FILTERS = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "pb": 0}]

_record = struct.Struct(RECORD_FORMAT)
_context = struct.Struct("<HBBB6s6s6s")
_length = struct.Struct("<I")
NO_ADDRESS = bytes(6)


def is_record_file(head: bytes) -> bool:
    """Return True if a file that starts with these bytes (64, or all it has) is a record file."""
    if not head.startswith(XZ_MAGIC):
        return False
    try:
        return lzma.LZMADecompressor(format=lzma.FORMAT_XZ).decompress(head, len(MAGIC)) == MAGIC
    except lzma.LZMAError:
        return False


def write(path: Path | str, header: dict[str, Any], records: Iterable[tuple[int, bytes]]) -> None:
    """
    Write a record file.

    header   any JSON object
    records  (time_us, record) in time order, times from 0
    """
    columns = {name: bytearray() for name in COLUMNS}
    contexts: dict[tuple, int] = {}
    last = _Last()
    for time_us, record in records:
        _, length, control, duration_us, rssi_dbm, channel, rate, kind, addr1, addr2, addr3, sequence, extra = (
            _record.unpack(record)
        )
        context = contexts.setdefault((control, channel, rate, kind, addr1, addr2, addr3), len(contexts))
        numbers = (
            last.time(time_us // TIME_STEP_US),
            context,
            length,
            duration_us,
            last.rssi(addr2 if addr2 != NO_ADDRESS else b"to" + addr1, rssi_dbm // RSSI_STEP_DB),
            last.sequence((addr2, addr1, extra & 15), sequence),
            extra,
        )
        for name, number in zip(COLUMNS, numbers, strict=True):
            _append(columns[name], number)
    blocks = [json.dumps(header, sort_keys=True).encode(), b"".join(_context.pack(*context) for context in contexts)]
    blocks += map(bytes, columns.values())
    body = MAGIC + b"".join(_length.pack(len(block)) + block for block in blocks)
    Path(path).write_bytes(lzma.compress(body, filters=FILTERS))


def header(path: Path | str) -> dict[str, Any]:
    """Return the header of a record file. Raises ToolError if it is none."""
    with open_recording(path) as recording:
        try:
            return json.loads(_blocks(recording)[0])
        except ValueError:
            raise ToolError(f"{recording.name} is damaged; copy it again") from None


def records(
    path: Path | str | Recording, advance: Callable[[int], object] | None = None
) -> Iterator[tuple[int, bytes]]:
    """
    Yield (time_us, record) of a record file, as tools.traffic.pcap.records() does of a capture.

    advance  called with the size of the file when it has been read

    Raises ToolError if the file cannot be read, is damaged or is no record file.
    """
    with open_recording(path) as recording:
        name = recording.name
        _, context_block, *columns = _blocks(recording)
        if advance:
            advance(recording.position())
    contexts = list(_context.iter_unpack(context_block))
    last = _Last()
    try:
        for numbers in zip(*(_numbers(column) for column in columns), strict=True):
            time_step, context, length, duration_us, rssi_step, sequence_step, extra = numbers
            control, channel, rate, kind, addr1, addr2, addr3 = contexts[context]
            time_us = last.time_of(time_step) * TIME_STEP_US
            rssi_dbm = last.rssi_of(addr2 if addr2 != NO_ADDRESS else b"to" + addr1, rssi_step) * RSSI_STEP_DB
            sequence = last.sequence_of((addr2, addr1, extra & 15), sequence_step)
            yield (
                time_us,
                _record.pack(
                    *(time_us % TIME_WRAPS_AT, length, control, duration_us, rssi_dbm, channel, rate, kind),
                    *(addr1, addr2, addr3, sequence, extra),
                ),
            )
    except (IndexError, ValueError, struct.error):
        raise ToolError(f"{name} is damaged; copy it again") from None


class _Last:
    """The last values, from which differences are made and undone. Differences may be negative: zigzag coding."""

    def __init__(self):
        self._time = 0
        self._rssi: dict[bytes, int] = {}  # by transmitter, or by the receiver of a frame without one
        self._sequence: dict[tuple, int] = {}  # by transmitter, receiver and traffic class: the next number

    def time(self, value: int) -> int:
        step, self._time = value - self._time, value
        return step

    def time_of(self, step: int) -> int:
        self._time += step
        return self._time

    def rssi(self, station: bytes, value: int) -> int:
        step = value - self._rssi.get(station, 0)
        self._rssi[station] = value
        return step * 2 if step >= 0 else -step * 2 - 1

    def rssi_of(self, station: bytes, step: int) -> int:
        value = self._rssi.get(station, 0) + (-(step + 1) // 2 if step & 1 else step // 2)
        self._rssi[station] = value
        return value

    def sequence(self, stream: tuple, value: int) -> int:
        step = (value - self._sequence.get(stream, 0)) & 0xFFFF
        self._sequence[stream] = (value + 16) & 0xFFFF
        return step >> 4 | (step & 15) << 12  # the fragment number last: it is almost always 0

    def sequence_of(self, stream: tuple, step: int) -> int:
        value = (self._sequence.get(stream, 0) + ((step & 0xFFF) << 4 | step >> 12)) & 0xFFFF
        self._sequence[stream] = (value + 16) & 0xFFFF
        return value


def _append(column, number):
    while number > 127:
        column.append(number & 127 | 128)
        number >>= 7
    column.append(number)


def _numbers(column):
    number = shift = 0
    for byte in column:
        number |= (byte & 127) << shift
        if byte & 128:
            shift += 7
        else:
            yield number
            number = shift = 0


def _blocks(recording):
    """Return the blocks of an open record file."""
    decompressor = lzma.LZMADecompressor(format=lzma.FORMAT_XZ)
    data = recording.read(MOST_BYTES)
    try:
        body = decompressor.decompress(data, MOST_BYTES)
    except (lzma.LZMAError, EOFError):
        raise ToolError(f"{recording.name} is cut off, damaged or no record file; copy it again") from None
    if not body.startswith(MAGIC):
        raise ToolError(f"{recording.name} is compressed, but not a record file; decompress it first")
    if not decompressor.eof:
        raise ToolError(f"{recording.name} is cut off, damaged or too long; copy it again")
    blocks, start = [], len(MAGIC)
    while start + _length.size <= len(body):
        end = start + _length.size + _length.unpack_from(body, start)[0]
        blocks.append(body[start + _length.size : end])
        start = end
    if len(blocks) != 2 + len(COLUMNS) or start != len(body):
        raise ToolError(f"{recording.name} is damaged; copy it again")
    return blocks
