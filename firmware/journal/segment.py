"""
One file of the journal: records with a CRC that are appended and never changed in place.

    byte  0  2  magic 0xA51E
          2  1  kind: LOW, MIDDLE, HIGH, STUB (reports, by value), START, CONFIRMED
          3  2  length of the body
          5  4  boot
          9  4  first seq that the record accounts for; differs from seq in a STUB only
         13  4  seq
         17  4  CRC-32 of bytes 0..16 and the body
         21  n  the body: the exact JSON of a report, or the digest in a START

Little endian. A power cut leaves at most a torn record at the end; bad flash leaves a damaged stretch anywhere. Readers
step over both and report them as None.
"""

import struct
from binascii import crc32
from collections import namedtuple

# The value of a report when room is short, lowest first. A STUB is a DROPPED report.
LOW, MIDDLE, HIGH, STUB = 0, 1, 2, 3
START = 8  # the sensor started as `boot`; the body is `prev`: the digest of the newest report then
CONFIRMED = 9  # the server holds `boot` up to `seq`

HEADER_BYTES = 21
MAX_BODY_BYTES = 4096
_HEADER = "<HBHIII"
_CRC = "<I"
_MAGIC = 0xA51E
_MAGIC_BYTES = b"\x1e\xa5"
_SEARCH_BYTES = 256
_piece = bytearray(_SEARCH_BYTES)

# kind, boot, first, seq, body as above; end is the file offset behind the record
Record = namedtuple("Record", ("kind", "boot", "first", "seq", "body", "end"))

# Summary of a file that the journal keeps in RAM. first_* and last_* are (boot, seq) of its
# reports, 0 if it has none; low, middle and high are the bytes of the reports of that value.
Segment = namedtuple(
    "Segment",
    ("number", "size", "reports", "first_boot", "first_seq", "last_boot", "last_seq", "low", "middle", "high"),
)


def empty(number: int) -> Segment:
    """Return the summary of an empty file."""
    return Segment(number, 0, 0, 0, 0, 0, 0, 0, 0, 0)


def full(number: int, size: int) -> Segment:
    """Return the summary of a file that cannot be read: no reports, and no room."""
    return Segment(number, size, 0, 0, 0, 0, 0, 0, 0, 0)


def grown(segment: Segment, record: Record) -> Segment:
    """Return the summary of the file with `record` added."""
    size = HEADER_BYTES + len(record.body)
    if record.kind > STUB:
        return Segment(segment[0], segment.size + size, *segment[2:])
    by_value = [segment.low, segment.middle, segment.high]
    if record.kind < STUB:
        by_value[record.kind] += size
    first = segment[3:5] if segment.reports else (record.boot, record.first)
    return Segment(
        segment.number,
        segment.size + size,
        segment.reports + 1,
        first[0],
        first[1],
        record.boot,
        record.seq,
        by_value[0],
        by_value[1],
        by_value[2],
    )


def write(file, kind: int, boot: int, first: int, seq: int, body: bytes) -> Record:
    """Write one record; the caller flushes. Raises OSError; MemoryError only before anything is written."""
    record = Record(kind, boot, first, seq, body, 0)
    header = struct.pack(_HEADER, _MAGIC, kind, len(body), boot, first, seq)
    crc = struct.pack(_CRC, crc32(body, crc32(header)))
    file.write(header)
    file.write(crc)
    file.write(body)
    return record


def records(file, start: int = 0, bodies: bool = True):
    """
    Yield the records of a file opened for reading, from the record at offset `start` on.

    bodies   False: `body` is only the body's length. The body is still checked, but in small pieces: counting records
             would otherwise fill the heap with pieces of a kB each.

    Yields None for each damaged or torn stretch, then continues behind it. Never raises.
    """
    while True:
        try:
            file.seek(start)
            header = file.read(HEADER_BYTES)
            if not header:
                return
            record = _record(file, header, start, bodies)
            if record is None:
                start = _next_magic(file, start + 1)  # pyright: ignore[reportAssignmentType]
        except OSError:  # this block of the flash is unreadable
            yield None
            return
        yield record
        if record is not None:
            start = record.end
        elif start is None:
            return


def _record(file, header, start, bodies):
    """Return the record that begins with this header, None if it is not complete."""
    if len(header) < HEADER_BYTES:
        return None
    magic, kind, length, boot, first, seq = struct.unpack_from(_HEADER, header)
    if magic != _MAGIC or length > MAX_BODY_BYTES:
        return None
    crc, body = crc32(header[:17]), length
    if bodies:
        body = file.read(length)
        if len(body) < length:
            return None
        crc = crc32(body, crc)
    else:
        crc = _crc_of_rest(file, length, crc)
    if struct.unpack_from(_CRC, header, 17)[0] != crc:
        return None
    return Record(kind, boot, first, seq, body, start + HEADER_BYTES + length)


def _crc_of_rest(file, length, crc):
    """Continue a CRC over `length` bytes of the file; -1 if it has fewer."""
    while length:
        count = file.readinto(memoryview(_piece)[: min(length, _SEARCH_BYTES)])
        if not count:
            return -1
        crc = crc32(memoryview(_piece)[:count], crc)
        length -= count
    return crc


def _next_magic(file, start):
    """Return the offset of the next magic, None at the file's end."""
    while True:
        file.seek(start)
        chunk = file.read(_SEARCH_BYTES)
        position = chunk.find(_MAGIC_BYTES)
        if position >= 0:
            return start + position
        if len(chunk) < _SEARCH_BYTES:
            return None
        start += _SEARCH_BYTES - 1  # the magic may lie across two chunks
