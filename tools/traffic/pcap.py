"""
Read radiotap captures (pcap and pcapng) as header records.

    for time_us, record in pcap.records("night.pcapng"): ...

Both byte orders, microsecond and nanosecond files, and several interfaces in one pcapng are
supported. Only one block is in memory at a time, whatever length the file claims for it.

Source: libpcap's pcap-savefile(5); draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from tools.lib.errors import ToolError
from tools.traffic import radiotap

LINKTYPE_RADIOTAP = 127
LINKTYPES = {1: "Ethernet", 105: "802.11 without radiotap", 113: "Linux cooked", 119: "Prism", 163: "AVS", 192: "PPI"}

# magic number, read as little-endian -> (byte order, ticks per second)
PCAP_MAGIC = {
    0xA1B2C3D4: ("<", 1_000_000),
    0xD4C3B2A1: (">", 1_000_000),
    0xA1B23C4D: ("<", 1_000_000_000),
    0x4D3CB2A1: (">", 1_000_000_000),
}
SECTION = 0x0A0D0D0A
INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
OPTION_END, OPTION_TIME_RESOLUTION = 0, 9

MOST_FRAME_BYTES = 262_144  # tcpdump's limit; a longer frame means a damaged file
MOST_BLOCK_BYTES = MOST_FRAME_BYTES + 65_536  # with its options
MOST_INTERFACES = 1024
SKIP_BYTES = 65_536
CLOCK_SET_BACK_US = 1_000_000  # a larger step back means that the clock was set, a smaller one frames out of order
ADVANCE_BYTES = 262_144


class Readable(Protocol):
    """An open binary file."""

    def read(self, size: int, /) -> bytes: ...


def is_capture(head: bytes) -> bool:
    """Return True if a file that starts with these bytes (at least 4) is pcap or pcapng, of any link type."""
    return len(head) >= 4 and (head[:4] == b"\n\r\r\n" or int.from_bytes(head[:4], "little") in PCAP_MAGIC)


def records(path: Path | str, advance: Callable[[int], object] | None = None) -> Iterator[tuple[int, bytes]]:
    """
    Yield (time_us, record) for every frame that a detector can use, in file order.

    time_us  int, microseconds since the first frame of the file; never decreases and never
             wraps (the record's own time does, see ansim/frame_header.py)
    record   bytes of ansim.frame_header.RECORD_BYTES
    advance  called occasionally with the number of bytes read, for a progress bar

    Raises ToolError, also after frames were yielded, if the file is cut off or damaged; and at
    its end if it has no 2.4 GHz frame.
    """
    try:
        with Path(path).open("rb") as file:
            yield from read(file, path, advance)
    except OSError as error:
        raise ToolError(f"cannot read {path}: {error.strerror}; copy it again") from None


def read(
    file: Readable, name: Path | str, advance: Callable[[int], object] | None = None
) -> Iterator[tuple[int, bytes]]:
    """As records(), from an open binary file; `name` is the file's name in errors."""
    source = _Source(file, name, advance)
    magic = source.take(4, "its magic number")
    number = int.from_bytes(magic, "little")
    if number == SECTION:
        frames = _pcapng_frames(source)
    elif number in PCAP_MAGIC:
        frames = _pcap_frames(source, *PCAP_MAGIC[number])
    else:
        raise ToolError(f"{name} is not a capture (it starts with {magic.hex()}); pcap and pcapng files are understood")
    offset_us = None  # added to the file's times
    now_us = 0
    usable = total = 0
    header_record = radiotap.header_record
    for at_us, frame, whole_bytes in frames:
        total += 1
        if offset_us is None or at_us + offset_us < now_us - CLOCK_SET_BACK_US:
            offset_us = now_us - at_us
        at_us += offset_us
        if at_us > now_us:
            now_us = at_us
        record = header_record(frame, whole_bytes, now_us & 0xFFFFFFFF)
        if record:
            usable += 1
            yield now_us, record
    source.report_progress()
    if not usable:
        raise ToolError(
            f"{name} has no 2.4 GHz 802.11 frame with headers to read ({total} frames in all); "
            "capture in monitor mode on channels 1 to 13"
        )


class _Source:
    """A binary file whose errors name the position, and which reports its progress."""

    def __init__(self, file, name, advance):
        self.position = 0
        self.name = name
        self._file = file
        self._advance = advance
        self._reported = 0

    def take(self, size, part, may_end=False):
        """Return exactly `size` bytes, or b"" at the end of the file if `may_end`. `part` names them in an error."""
        data = self._file.read(size)
        if len(data) != size:
            if may_end and not data:
                return b""
            raise self.error(
                f"ends inside {part}; the file was cut off: copy it again, or drop its last part with `editcap`",
                len(data),
            )
        self.position += size
        if self._advance and self.position - self._reported >= ADVANCE_BYTES:
            self.report_progress()
        return data

    def skip(self, size, part):
        """Skip `size` bytes, holding at most SKIP_BYTES of them in memory."""
        while size > 0:
            size -= len(self.take(min(size, SKIP_BYTES), part))

    def report_progress(self):
        if self._advance:
            self._advance(self.position - self._reported)
            self._reported = self.position

    def error(self, problem, offset=0):
        return ToolError(f"{self.name} at byte {self.position + offset} {problem}")


def _check_linktype(source, linktype):
    if linktype != LINKTYPE_RADIOTAP:
        name = LINKTYPES.get(linktype, "unknown")
        raise source.error(
            f"has link type {linktype} ({name}); only radiotap (127) has channel and signal: capture in monitor mode"
        )


def _pcap_frames(source, order, ticks):
    _check_linktype(source, struct.unpack(order + "I", source.take(20, "the file header")[16:])[0] & 0xFFFF)
    unpack = struct.Struct(order + "IIII").unpack
    take = source.take
    per_us = ticks // 1_000_000
    while head := take(16, "a frame header", True):
        seconds, fraction, captured, whole = unpack(head)
        if captured > MOST_FRAME_BYTES:
            raise source.error(f"claims a frame of {captured} bytes; the file is damaged: copy it again")
        yield seconds * 1_000_000 + fraction // per_us, take(captured, "a frame"), whole


def _pcapng_frames(source):
    order, interfaces = _section(source)
    at_us = 0
    while head := source.take(8, "a block header", True):
        kind, length = struct.unpack(order + "II", head)
        if kind == SECTION:
            # Its length is in the byte order of the new section.
            order, interfaces = _section(source, head[4:])
            continue
        if length < 12 or length & 3:
            raise source.error(f"has a block of length {length}; the file is damaged: copy it again")
        if kind not in (INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET):
            source.skip(length - 8, "a block")
            continue
        if length > MOST_BLOCK_BYTES:
            raise source.error(f"claims a block of {length} bytes; the file is damaged: copy it again")
        body = source.take(length - 8, "a block")[:-4]
        if kind == INTERFACE:
            if len(interfaces) >= MOST_INTERFACES:
                raise source.error(f"has more than {MOST_INTERFACES} interfaces; the file is damaged")
            interfaces.append(_interface(source, order, body))
            continue
        frame = _packet(source, order, interfaces, kind, body, at_us)
        at_us = frame[0]
        yield frame


def _section(source, length=b""):
    """Read a section header block behind its type; return its byte order and an empty list of interfaces."""
    length = length or source.take(4, "the section header")
    magic = source.take(4, "the section header")
    if magic == b"\x4d\x3c\x2b\x1a":
        order = "<"
    elif magic == b"\x1a\x2b\x3c\x4d":
        order = ">"
    else:
        raise source.error(f"has the byte-order magic {magic.hex()}; the file is damaged: copy it again")
    size = struct.unpack(order + "I", length)[0]
    if size < 28 or size & 3:
        raise source.error(f"has a section header of length {size}; the file is damaged: copy it again")
    source.skip(size - 12, "the section header")
    return order, []


def _interface(source, order, body):
    """Return the ticks per second of an interface. Raises ToolError if its link type is not radiotap."""
    if len(body) < 8:
        raise source.error("has an interface block that is too short; the file is damaged")
    _check_linktype(source, struct.unpack_from(order + "H", body)[0])
    ticks = 1_000_000
    position = 8
    while position + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, position)
        if code == OPTION_END:
            break
        if code == OPTION_TIME_RESOLUTION and size >= 1 and position + 4 < len(body):
            exponent = body[position + 4]
            ticks = 2 ** (exponent & 0x7F) if exponent & 0x80 else 10 ** min(exponent, 30)
        position += 4 + size + -size % 4
    return ticks


def _packet(source, order, interfaces, kind, body, last_us):
    if kind == SIMPLE_PACKET:
        # It has neither a time nor a captured length; its padding is part of the remaining bytes.
        if len(body) < 4 or not interfaces:
            raise source.error("has a frame without an interface; the file is damaged")
        whole = struct.unpack_from(order + "I", body)[0]
        return last_us, body[4 : 4 + whole], whole
    if len(body) < 20:
        raise source.error("has a frame block that is too short; the file is damaged")
    index, high, low, captured, whole = struct.unpack_from(order + "IIIII", body)
    if kind == OLD_PACKET:
        index = struct.unpack_from(order + "H", body)[0]
    if index >= len(interfaces):
        raise source.error(f"has a frame of interface {index}, which it does not define; the file is damaged")
    if captured > len(body) - 20:
        raise source.error(f"claims a frame of {captured} bytes in a block of {len(body) + 12}; the file is damaged")
    return (high << 32 | low) * 1_000_000 // interfaces[index], body[20 : 20 + captured], whole
