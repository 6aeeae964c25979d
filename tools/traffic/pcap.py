"""
Read radiotap captures, pcap and pcapng, as header records.

    for time_us, record in pcap.records("night.pcapng"): ...

Both byte orders, microsecond and nanosecond files, and several interfaces in one pcapng are
read. The file streams: one block is in memory at a time, whatever lengths it claims.

Source: libpcap's pcap-savefile(5); draft-ietf-opsawg-pcapng.
"""

import struct
from pathlib import Path

from tools.lib.errors import ToolError
from tools.traffic import radiotap

LINKTYPE_RADIOTAP = 127
LINKTYPES = {1: "Ethernet", 105: "802.11 without radiotap", 113: "Linux cooked", 119: "Prism", 163: "AVS", 192: "PPI"}

# magic number as read in little-endian order -> (byte order, ticks of a second)
PCAP_MAGIC = {
    0xA1B2C3D4: ("<", 1_000_000),
    0xD4C3B2A1: (">", 1_000_000),
    0xA1B23C4D: ("<", 1_000_000_000),
    0x4D3CB2A1: (">", 1_000_000_000),
}
SECTION = 0x0A0D0D0A
INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET = 1, 2, 3, 6
OPTION_END, OPTION_TIME_RESOLUTION = 0, 9

MOST_FRAME_BYTES = 262_144  # tcpdump's own limit; a longer claim is damage
MOST_BLOCK_BYTES = MOST_FRAME_BYTES + 65_536  # with its options
MOST_INTERFACES = 1024
SKIP_BYTES = 65_536
CLOCK_SET_BACK_US = 1_000_000  # a bigger step back is a clock being set, a smaller one frames out of order
ADVANCE_BYTES = 262_144


def is_capture(head: bytes) -> bool:
    """True if a file that starts with these bytes (at least 4) is pcap or pcapng, of whatever link type."""
    return len(head) >= 4 and (head[:4] == b"\n\r\r\n" or int.from_bytes(head[:4], "little") in PCAP_MAGIC)


def records(path, advance=None):
    """
    Yield (time_us, record) for every frame that a detector can read, in file order.

    time_us  int, microseconds since the first frame of the file; it never goes back and does not
             wrap (the record's own time does, see ansim/frame_header.py)
    record   bytes of ansim.frame_header.RECORD_BYTES
    advance  called with the number of bytes read now and then, for a progress bar

    Raises ToolError, also after frames were yielded, if the file is cut off or damaged; and at
    its end if it had no 2.4 GHz frame at all.
    """
    try:
        with Path(path).open("rb") as file:
            yield from read(file, path, advance)
    except OSError as error:
        raise ToolError(f"cannot read {path}: {error.strerror}; copy it again") from None


def read(file, name, advance=None):
    """The same as records(), from an open binary file; `name` is what an error calls it."""
    source = _Source(file, name, advance)
    magic = source.take(4, "its magic number")
    number = int.from_bytes(magic, "little")
    if number == SECTION:
        frames = _pcapng_frames(source)
    elif number in PCAP_MAGIC:
        frames = _pcap_frames(source, *PCAP_MAGIC[number])
    else:
        raise ToolError(f"{name} is not a capture (it starts with {magic.hex()}); pcap and pcapng files are understood")
    offset_us = None  # added to the file's time
    now_us = 0
    usable = seen = 0
    header_record = radiotap.header_record
    for at_us, frame, whole_bytes in frames:
        seen += 1
        if offset_us is None or at_us + offset_us < now_us - CLOCK_SET_BACK_US:
            offset_us = now_us - at_us
        at_us += offset_us
        if at_us > now_us:
            now_us = at_us
        record = header_record(frame, whole_bytes, now_us & 0xFFFFFFFF)
        if record:
            usable += 1
            yield now_us, record
    source.done()
    if not usable:
        raise ToolError(
            f"{name} has no 2.4 GHz 802.11 frame with headers to read ({seen} frames in all); "
            "capture in monitor mode on channels 1 to 13"
        )


class _Source:
    """A binary file that says where it ended, and reports how far it was read."""

    def __init__(self, file, name, advance):
        self.at = 0
        self.name = name
        self._file = file
        self._advance = advance
        self._told = 0

    def take(self, size, what, may_end=False):
        """Return exactly `size` bytes; b"" at a clean end if `may_end`. `what` is named if they are not there."""
        data = self._file.read(size)
        if len(data) != size:
            if may_end and not data:
                return b""
            raise self.bad(
                f"ends inside {what}; it was cut off: copy it again or drop its last part with `editcap`", len(data)
            )
        self.at += size
        if self._advance and self.at - self._told >= ADVANCE_BYTES:
            self.done()
        return data

    def skip(self, size, what):
        """Pass over `size` bytes, never holding more than SKIP_BYTES of them."""
        while size > 0:
            size -= len(self.take(min(size, SKIP_BYTES), what))

    def done(self):
        if self._advance:
            self._advance(self.at - self._told)
            self._told = self.at

    def bad(self, what, further=0):
        return ToolError(f"{self.name} at byte {self.at + further} {what}")


def _check_linktype(source, linktype):
    if linktype != LINKTYPE_RADIOTAP:
        named = LINKTYPES.get(linktype, "unknown")
        raise source.bad(
            f"says link type {linktype} ({named}); only radiotap (127) tells channel and signal: capture in monitor mode"
        )


def _pcap_frames(source, order, ticks):
    _check_linktype(source, struct.unpack(order + "I", source.take(20, "the file header")[16:])[0] & 0xFFFF)
    unpack = struct.Struct(order + "IIII").unpack
    take = source.take
    per_us = ticks // 1_000_000
    while head := take(16, "a frame header", True):
        seconds, fraction, captured, whole = unpack(head)
        if captured > MOST_FRAME_BYTES:
            raise source.bad(f"claims a frame of {captured} bytes; the file is damaged: copy it again")
        yield seconds * 1_000_000 + fraction // per_us, take(captured, "a frame"), whole


def _pcapng_frames(source):
    order, interfaces = _section(source)
    at_us = 0
    while head := source.take(8, "a block header", True):
        kind, length = struct.unpack(order + "II", head)
        if kind == SECTION:
            # its length is in the new section's byte order
            order, interfaces = _section(source, head[4:])
            continue
        if length < 12 or length & 3:
            raise source.bad(f"has a block of length {length}; the file is damaged: copy it again")
        if kind not in (INTERFACE, OLD_PACKET, SIMPLE_PACKET, ENHANCED_PACKET):
            source.skip(length - 8, "a block")
            continue
        if length > MOST_BLOCK_BYTES:
            raise source.bad(f"claims a block of {length} bytes; the file is damaged: copy it again")
        body = source.take(length - 8, "a block")[:-4]
        if kind == INTERFACE:
            if len(interfaces) >= MOST_INTERFACES:
                raise source.bad(f"has more than {MOST_INTERFACES} interfaces; the file is damaged")
            interfaces.append(_interface(source, order, body))
            continue
        frame = _packet(source, order, interfaces, kind, body, at_us)
        at_us = frame[0]
        yield frame


def _section(source, length=b""):
    """Read a section header block after its type; return its byte order and an empty list of interfaces."""
    length = length or source.take(4, "the section header")
    magic = source.take(4, "the section header")
    if magic == b"\x4d\x3c\x2b\x1a":
        order = "<"
    elif magic == b"\x1a\x2b\x3c\x4d":
        order = ">"
    else:
        raise source.bad(f"has the byte-order magic {magic.hex()}; the file is damaged: copy it again")
    size = struct.unpack(order + "I", length)[0]
    if size < 28 or size & 3:
        raise source.bad(f"has a section header of length {size}; the file is damaged: copy it again")
    source.skip(size - 12, "the section header")
    return order, []


def _interface(source, order, body):
    """Ticks of a second of an interface; raises ToolError if it is not radiotap."""
    if len(body) < 8:
        raise source.bad("has an interface block that is too short; the file is damaged")
    _check_linktype(source, struct.unpack_from(order + "H", body)[0])
    ticks = 1_000_000
    at = 8
    while at + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, at)
        if code == OPTION_END:
            break
        if code == OPTION_TIME_RESOLUTION and size >= 1 and at + 4 < len(body):
            exponent = body[at + 4]
            ticks = 2 ** (exponent & 0x7F) if exponent & 0x80 else 10 ** min(exponent, 30)
        at += 4 + size + -size % 4
    return ticks


def _packet(source, order, interfaces, kind, body, last_us):
    if kind == SIMPLE_PACKET:
        # it has neither a time nor a captured length; the padding is part of what is left
        if len(body) < 4 or not interfaces:
            raise source.bad("has a frame without an interface; the file is damaged")
        whole = struct.unpack_from(order + "I", body)[0]
        return last_us, body[4 : 4 + whole], whole
    if len(body) < 20:
        raise source.bad("has a frame block that is too short; the file is damaged")
    index, high, low, captured, whole = struct.unpack_from(order + "IIIII", body)
    if kind == OLD_PACKET:
        index = struct.unpack_from(order + "H", body)[0]
    if index >= len(interfaces):
        raise source.bad(f"has a frame of interface {index}, which it does not describe; the file is damaged")
    if captured > len(body) - 20:
        raise source.bad(f"claims a frame of {captured} bytes in a block of {len(body) + 12}; the file is damaged")
    return (high << 32 | low) * 1_000_000 // interfaces[index], body[20 : 20 + captured], whole
