"""
Read radiotap captures (pcap and pcapng) as header records.

    for time_us, record in pcap.records("night.pcapng"): ...

Both byte orders, microsecond and nanosecond files, gzip, pipes, and several interfaces in one pcapng are
supported. Interfaces of other link types are left out, and a frame that two adapters received is read once.
Only one block is in memory at a time, whatever length the file claims for it.

Source: libpcap's pcap-savefile(5); draft-ietf-opsawg-pcapng.
"""

import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple, Protocol

from ansim.frame_header import ADDR2, CHANNEL, RSSI_DBM, UNKNOWN_DBM
from tools.lib.errors import ToolError
from tools.traffic import opened, radiotap
from tools.traffic.duplicates import Copies
from tools.traffic.opened import Recording

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
OPTION_END, OPTION_TIME_RESOLUTION, OPTION_TIME_OFFSET = 0, 9, 14

MOST_FRAME_BYTES = 262_144  # tcpdump's limit; a longer frame means a damaged file
MOST_BLOCK_BYTES = MOST_FRAME_BYTES + 65_536  # with its options
MOST_INTERFACES = 1024
SKIP_BYTES = 65_536
CLOCK_SET_BACK_US = 1_000_000  # a larger step back means that the clock was set, a smaller one frames out of order
ADVANCE_BYTES = 262_144
SIGNAL_STAYS_US = 1_000_000  # a transmitter's signal is taken over by its frames without one for so long
MOST_TRANSMITTERS = 4096  # whose last signal is remembered


class _Interface(NamedTuple):
    is_radiotap: bool
    ticks: int  # a second
    offset_us: int
    snap_bytes: int


class _Frame(NamedTuple):
    section: int
    interface: int
    at_us: int
    content: bytes | None  # radiotap header first; None if the interface is not radiotap
    whole_bytes: int


class Readable(Protocol):
    """An open binary file."""

    def read(self, size: int, /) -> bytes: ...


def is_capture(head: bytes) -> bool:
    """Return True if a file that starts with these bytes (at least 4) is pcap or pcapng, of any link type."""
    return len(head) >= 4 and (head[:4] == b"\n\r\r\n" or int.from_bytes(head[:4], "little") in PCAP_MAGIC)


@dataclass
class Tally:
    """
    What a recording held, in frames.

    total            all of them
    other_links      of interfaces that are not radiotap
    unusable         damaged, of another band, or of a kind that no detector uses
    copies           received by a second adapter as well
    without_channel  used, but the file does not say on which channel
    without_signal   used, but the file does not say how strong
    """

    total: int = 0
    other_links: int = 0
    unusable: int = 0
    copies: int = 0
    without_channel: int = 0
    without_signal: int = 0

    def sentences(self) -> list[str]:
        """Return what a user should know before relying on the result."""
        sentences = []
        if self.without_channel:
            sentences.append(f"{self.without_channel} frames have no channel; they are judged as one unknown channel")
        if self.without_signal:
            sentences.append(f"{self.without_signal} frames have no signal strength; it is not used for them")
        if self.copies:
            sentences.append(f"{self.copies} frames were received by a second adapter as well and are counted once")
        if self.other_links:
            sentences.append(f"{self.other_links} frames of other interfaces (not radiotap) are left out")
        return sentences


def records(
    path: Path | str | Recording, advance: Callable[[int], object] | None = None, tally: Tally | None = None
) -> Iterator[tuple[int, bytes]]:
    """
    Yield (time_us, record) for every frame that a detector can use, in file order.

    time_us  int, microseconds since the first frame of the file; never decreases and never
             wraps (the record's own time does, see ansim/frame_header.py)
    record   bytes of ansim.frame_header.RECORD_BYTES; channel 0 and UNKNOWN_DBM if the file does not tell them
    advance  called occasionally with the number of bytes read, for a progress bar
    tally    filled in

    The path may be a pipe, and the file may be compressed by gzip. Raises ToolError, also after frames were
    yielded, if the file is cut off or damaged; and at its end if it has no 2.4 GHz frame.
    """
    with opened.open_recording(path) as recording:
        yield from read(recording, recording.name, advance, tally)


def read(
    file: Readable,
    name: Path | str,
    advance: Callable[[int], object] | None = None,
    tally: Tally | None = None,
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
    tally = tally or Tally()
    usable = 0
    for item in _usable(frames, tally):
        usable += 1
        yield item
    source.report_progress()
    if not usable:
        raise ToolError(_nothing_usable(name, source, tally))


def _usable(frames, tally):
    """Yield (time_us, record) of the frames that a detector can use, each once."""
    clock, copies, signals = _Clock(), Copies(), _Signals()
    section = 0
    for frame in frames:
        tally.total += 1
        if frame.content is None:
            tally.other_links += 1
            continue
        if frame.section != section:
            section = frame.section
            clock.forget()
            copies.forget()
        now_us = clock.since_start_us(frame.interface, frame.at_us)
        record = radiotap.header_record(frame.content, max(frame.whole_bytes, len(frame.content)), now_us & 0xFFFFFFFF)
        if record is None:
            tally.unusable += 1
            continue
        if copies.is_copy(frame.interface, now_us, record, _heading(frame.content)):
            tally.copies += 1
            continue
        record = signals.fill_in(now_us, record)
        tally.without_channel += record[CHANNEL] == radiotap.UNKNOWN_CHANNEL
        tally.without_signal += record[RSSI_DBM] == UNKNOWN_DBM & 0xFF
        yield now_us, record


def _heading(frame):
    """Return the radiotap header of a frame."""
    return frame[: frame[2] | frame[3] << 8]


def _nothing_usable(name, source, tally):
    links = sorted(source.other_links)
    if tally.other_links == tally.total and links:
        names = ", ".join(f"{link} ({LINKTYPES.get(link, 'unknown')})" for link in links)
        return f"{name} has link type {names}; only radiotap (127) has channel and signal: capture in monitor mode"
    return (
        f"{name} has no 2.4 GHz 802.11 frame with headers to read ({tally.total} frames in all); "
        "capture in monitor mode on channels 1 to 13"
    )


class _Clock:
    """The time of a recording from the time stamps of its interfaces; it never goes back."""

    def __init__(self):
        self._now_us = 0
        self._offset_us = None  # added to the file's times
        self._interface_offsets = {}  # of interfaces whose clock was set back, or runs behind the others'

    def forget(self):
        """Start a new section; it may be older than the one before."""
        self._interface_offsets = {}

    def since_start_us(self, interface, at_us):
        if self._offset_us is None:
            self._offset_us = -at_us
        offset_us = self._interface_offsets.get(interface, self._offset_us)
        if at_us + offset_us < self._now_us - CLOCK_SET_BACK_US:
            offset_us = self._interface_offsets[interface] = self._now_us - at_us
        self._now_us = max(self._now_us, at_us + offset_us)
        return self._now_us


class _Signals:
    """The last known signal of each transmitter, for the frames of an aggregate that carry none."""

    def __init__(self):
        self._known = {}  # address -> (time_us, byte of the signal)

    def fill_in(self, now_us, record):
        """Return the record, with the transmitter's signal of the last SIGNAL_STAYS_US if it has none."""
        address = record[ADDR2 : ADDR2 + 6]
        if record[RSSI_DBM] != UNKNOWN_DBM & 0xFF:
            if address not in self._known and len(self._known) >= MOST_TRANSMITTERS:
                self._known.clear()
            self._known[address] = now_us, record[RSSI_DBM : RSSI_DBM + 1]
            return record
        heard_us, signal = self._known.get(address, (-SIGNAL_STAYS_US, b""))
        if now_us - heard_us >= SIGNAL_STAYS_US or address == radiotap.NO_ADDRESS:
            return record
        return record[:RSSI_DBM] + signal + record[RSSI_DBM + 1 :]


class _Source:
    """A binary file whose errors name the position, and which reports its progress."""

    def __init__(self, file, name, advance):
        self.position = 0
        self.other_links = set()  # link types of the interfaces that are not radiotap
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


def _pcap_frames(source, order, ticks):
    linktype = struct.unpack(order + "I", source.take(20, "the file header")[16:])[0] & 0xFFFF
    if linktype != LINKTYPE_RADIOTAP:
        source.other_links.add(linktype)
        raise ToolError(_nothing_usable(source.name, source, Tally()))
    unpack = struct.Struct(order + "IIII").unpack
    take = source.take
    per_us = ticks // 1_000_000
    while head := take(16, "a frame header", True):
        seconds, fraction, captured, whole = unpack(head)
        if captured > MOST_FRAME_BYTES:
            raise source.error(f"claims a frame of {captured} bytes; the file is damaged: copy it again")
        yield _Frame(0, 0, seconds * 1_000_000 + fraction // per_us, take(captured, "a frame"), whole)


def _pcapng_frames(source):
    order, interfaces = _section(source)
    section = at_us = 0
    while head := source.take(8, "a block header", True):
        kind, length = struct.unpack(order + "II", head)
        if kind == SECTION:
            # Its length is in the byte order of the new section.
            order, interfaces = _section(source, head[4:])
            section += 1
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
        at_us = frame.at_us
        yield frame._replace(section=section)


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
    """Return the _Interface that an interface description block describes."""
    if len(body) < 8:
        raise source.error("has an interface block that is too short; the file is damaged")
    linktype = struct.unpack_from(order + "H", body)[0]
    if linktype != LINKTYPE_RADIOTAP:
        source.other_links.add(linktype)
    snap_bytes = struct.unpack_from(order + "I", body, 4)[0]
    ticks = 1_000_000
    offset_s = 0
    position = 8
    while position + 4 <= len(body):
        code, size = struct.unpack_from(order + "HH", body, position)
        value = body[position + 4 : position + 4 + size]
        if code == OPTION_END or len(value) < size:
            break
        if code == OPTION_TIME_RESOLUTION and size >= 1:
            ticks = 2 ** (value[0] & 0x7F) if value[0] & 0x80 else 10 ** min(value[0], 30)
        elif code == OPTION_TIME_OFFSET and size == 8:
            offset_s = struct.unpack(order + "q", value)[0]
        position += 4 + size + -size % 4
    return _Interface(linktype == LINKTYPE_RADIOTAP, ticks, offset_s * 1_000_000, snap_bytes or MOST_FRAME_BYTES)


def _packet(source, order, interfaces, kind, body, last_us):
    if kind == SIMPLE_PACKET:
        # It has neither a time nor a captured length; its padding is part of the remaining bytes.
        if len(body) < 4 or not interfaces:
            raise source.error("has a frame without an interface; the file is damaged")
        whole = struct.unpack_from(order + "I", body)[0]
        captured = body[4 : 4 + min(whole, interfaces[0].snap_bytes)]
        return _Frame(0, 0, last_us, captured if interfaces[0].is_radiotap else None, whole)
    if len(body) < 20:
        raise source.error("has a frame block that is too short; the file is damaged")
    index, high, low, captured, whole = struct.unpack_from(order + "IIIII", body)
    if kind == OLD_PACKET:
        index = struct.unpack_from(order + "H", body)[0]
    if index >= len(interfaces):
        raise source.error(f"has a frame of interface {index}, which it does not define; the file is damaged")
    if captured > len(body) - 20:
        raise source.error(f"claims a frame of {captured} bytes in a block of {len(body) + 12}; the file is damaged")
    interface = interfaces[index]
    if not interface.is_radiotap:
        return _Frame(0, index, last_us, None, whole)
    at_us = (high << 32 | low) * 1_000_000 // interface.ticks + interface.offset_us
    return _Frame(0, index, at_us, body[20 : 20 + captured], whole)
