"""Radiotap frames and capture files, built byte by byte for tests."""

import struct
from collections.abc import Iterable

STATION = bytes.fromhex("acde48000001")
ACCESS_POINT = bytes.fromhex("acde48010006")
ROUTER = bytes.fromhex("acde48010007")

NO_FCS, FCS, BAD_FCS = 0x00, 0x10, 0x50


def radiotap(
    flags: int = NO_FCS,
    frequency_mhz: int = 2437,
    signal_dbm: int = -52,
    tsft: int | None = None,
    rate: int | None = None,
    mcs: tuple[int, int, int] | None = None,
    ampdu: bool = False,
    chained: int = 0,
) -> bytes:
    """Return a radiotap header with the usual fields; `chained` adds present words of further antennas."""
    present = 1 << 1 | 1 << 3 | 1 << 5
    body = b""
    words = 1 + chained
    start = 4 + 4 * words

    def add(data, alignment):
        nonlocal body
        body += b"\0" * (-(start + len(body)) % alignment) + data

    if tsft is not None:
        present |= 1
        add(struct.pack("<Q", tsft), 8)
    add(bytes([flags]), 1)
    if rate is not None:
        present |= 1 << 2
        add(bytes([rate]), 1)
    add(struct.pack("<HH", frequency_mhz, 0x0480), 2)
    add(struct.pack("b", signal_dbm), 1)
    if mcs is not None:
        present |= 1 << 19
        add(bytes(mcs), 1)
    if ampdu:
        present |= 1 << 20
        add(struct.pack("<IHBB", 7, 0, 0, 0), 4)
    next_word = 1 << 29 | 1 << 31  # of the radiotap namespace again
    chain = [present | (next_word if chained else 0)]
    for number in range(chained):
        chain.append(1 << 5 | 1 << 11 | (next_word if number + 1 < chained else 0))
        body += struct.pack("bB", -90, number)
    head = struct.pack(f"<BBH{words}I", 0, 0, start + len(body), *chain)
    return head + body


def raw_radiotap(words: Iterable[int], fields: bytes) -> bytes:
    """Return a radiotap header of the given present words and fields, which are aligned by the caller."""
    present = b"".join(struct.pack("<I", word) for word in words)
    return struct.pack("<BBH", 0, 0, 4 + len(present) + len(fields)) + present + fields


def data(
    flags: int = 0x01,
    subtype: int = 0x08,
    sequence: int = 100,
    qos: int | None = None,
    body: bytes = b"x" * 60,
    addr4: bytes | None = None,
) -> bytes:
    """Return a data frame from STATION to ACCESS_POINT without FCS."""
    if qos is not None:
        subtype |= 0x80
    frame = bytes([subtype, flags]) + struct.pack("<H", 44) + ACCESS_POINT + STATION + ROUTER
    frame += struct.pack("<H", sequence << 4)
    if addr4:
        frame += addr4
    if qos is not None:
        frame += struct.pack("<H", qos)
    return frame + body


def block_ack(bitmap: int) -> bytes:
    """Return a compressed Block Ack to STATION."""
    head = b"\x94\x00" + struct.pack("<H", 0) + STATION + ACCESS_POINT
    return head + struct.pack("<HH", 0x0005, 100 << 4) + struct.pack("<Q", bitmap)


def pcap(
    frames: Iterable[tuple[int, bytes]], order: str = "<", nanoseconds: bool = False, linktype: int = 127
) -> bytes:
    """Return a pcap file of [(time_us, frame), ...]; `order` is the byte order of struct."""
    magic = 0xA1B23C4D if nanoseconds else 0xA1B2C3D4
    content = struct.pack(order + "IHHiIII", magic, 2, 4, 0, 0, 65535, linktype)
    for time_us, frame in frames:
        seconds, fraction = divmod(time_us, 1_000_000)
        content += (
            struct.pack(order + "IIII", seconds, fraction * (1000 if nanoseconds else 1), len(frame), len(frame))
            + frame
        )
    return content


def block(kind: int, body: bytes, order: str = "<") -> bytes:
    """Return a pcapng block."""
    body += b"\0" * (-len(body) % 4)
    return struct.pack(order + "II", kind, len(body) + 12) + body + struct.pack(order + "I", len(body) + 12)


def section(order: str = "<") -> bytes:
    """Return a section header block."""
    return block(0x0A0D0D0A, struct.pack(order + "IHHq", 0x1A2B3C4D, 1, 0, -1), order)


def interface(
    order: str = "<",
    linktype: int = 127,
    resolution: int | None = None,
    offset_s: int | None = None,
    snap_bytes: int = 0,
) -> bytes:
    """Return an interface description block."""
    options = b""
    if resolution is not None:
        options += struct.pack(order + "HHB3x", 9, 1, resolution)
    if offset_s is not None:
        options += struct.pack(order + "HHq", 14, 8, offset_s)
    if options:
        options += struct.pack(order + "HH", 0, 0)
    return block(1, struct.pack(order + "HHI", linktype, 0, snap_bytes) + options, order)


def enhanced(ticks: int, frame: bytes, order: str = "<", index: int = 0) -> bytes:
    """Return an enhanced packet block."""
    head = struct.pack(order + "IIIII", index, ticks >> 32, ticks & 0xFFFFFFFF, len(frame), len(frame))
    return block(6, head + frame, order)
