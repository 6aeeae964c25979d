"""
Convert one radiotap frame of a capture into a header record.

    record = header_record(frame, whole_bytes, time_us)      # bytes, or None if no detector needs it

Where the present words say nothing of the channel or the signal, the record has UNKNOWN_CHANNEL or
ansim.frame_header.UNKNOWN_DBM.

Source: radiotap.org (fields, alignment, chained present words, vendor namespaces, TLVs); IEEE 802.11-2020
clause 9.2, 9.3.
"""

import struct
from typing import NamedTuple

from ansim.frame_header import (
    FLAG_FROM_DS,
    FLAG_TO_DS,
    KIND_CONTROL,
    KIND_DATA,
    KIND_MANAGEMENT,
    KIND_UNDECODABLE,
    PHY_40MHZ,
    PHY_AGGREGATE,
    PHY_HT,
    RECORD_FORMAT,
    SUBTYPE_ACK,
    SUBTYPE_BLOCK_ACK,
    SUBTYPE_CTS,
    UNKNOWN_DBM,
)

# (alignment, size) of the fields with bits 0..27 of a present word.
FIELDS = (
    (8, 8),  # 0 TSFT
    (1, 1),  # 1 flags
    (1, 1),  # 2 rate, 500 kbit/s
    (2, 4),  # 3 channel: frequency, flags
    (2, 2),  # 4 FHSS
    (1, 1),  # 5 antenna signal, dBm
    (1, 1),
    (2, 2),
    (2, 2),
    (2, 2),
    (1, 1),  # 10 transmit power, dBm
    (1, 1),
    (1, 1),
    (1, 1),
    (2, 2),  # 14 receive flags
    (2, 2),  # 15 transmit flags
    (1, 1),
    (1, 1),
    (4, 8),  # 18 XChannel: flags, frequency, channel, power
    (1, 3),  # 19 MCS: known, flags, index
    (4, 8),  # 20 A-MPDU status
    (2, 12),  # 21 VHT
    (8, 12),
    (2, 12),  # 23 HE
    (2, 12),
    (2, 6),  # 25
    (1, 1),  # 26 zero-length PSDU: a frame that the radio could not decode
    (2, 4),
)
BIT_FLAGS, BIT_RATE, BIT_CHANNEL, BIT_SIGNAL, BIT_RX_FLAGS, BIT_XCHANNEL, BIT_MCS, BIT_AMPDU, BIT_VHT, BIT_HE = (
    1,
    2,
    3,
    5,
    14,
    18,
    19,
    20,
    21,
    23,
)
BIT_NO_PSDU, BIT_TLVS, BIT_RADIOTAP_NEXT, BIT_VENDOR_NEXT, BIT_MORE = 26, 28, 29, 30, 31
TLV_EHT = 34
VENDOR_FIELD = 2, 6  # alignment and size: organisation, its namespace, number of bytes to skip

FLAG_FCS_AT_END = 0x10
FLAG_PADDED = 0x20  # 2 bytes of padding between header and body
FLAG_BAD_FCS = 0x40
RX_FLAG_BAD_PLCP = 0x0002

UNKNOWN_CHANNEL = 0
OTHER_BAND = -1
MOST_DBM = 20  # a driver writes 127, or other large values, for a signal that it did not measure
MOST_LAYOUTS = 256  # cached
FCS_BYTES = 4
NO_ADDRESS = bytes(6)

TYPE_CONTROL, TYPE_DATA, TYPE_EXTENSION = 1, 2, 3  # of a frame; management is 0
BOTH_DS = FLAG_TO_DS | FLAG_FROM_DS

_pack = struct.Struct(RECORD_FORMAT).pack
_u16 = struct.Struct("<H").unpack_from


class Layout(NamedTuple):
    """Where the used fields of a radiotap header are; an offset of 0 means that there is no such field."""

    flags: int
    rate: int
    channel: int  # of the frequency, in the channel or the XChannel field
    mcs: int
    rx_flags: int
    signal: int
    antenna_signals: tuple[int, ...]
    phy: int  # PHY_* bits
    has_no_psdu: bool


_layouts: dict[tuple[bytes, int], Layout | None] = {}


def header_record(frame: bytes, whole_bytes: int, time_us: int) -> bytes | None:
    """
    Return the header record of a radiotap frame as bytes.

    frame        bytes as captured, radiotap header first
    whole_bytes  length of the frame on the air, radiotap header included
    time_us      0..2**32 - 1

    Returns None for frames that no detector uses or that cannot be read: bad FCS or PLCP, 5 GHz, control frames
    other than Block Ack, CTS and ACK, and frames shorter than their own header says.
    """
    if len(frame) < 8 or frame[0] != 0:
        return None
    start = frame[2] | frame[3] << 8
    if start < 8 or start > len(frame):
        return None
    layout = _layout(frame, start)
    if layout is None:
        return None

    flags = frame[layout.flags] if layout.flags else 0
    if flags & FLAG_BAD_FCS or (layout.rx_flags and frame[layout.rx_flags] & RX_FLAG_BAD_PLCP):
        return None
    channel = _channel(_u16(frame, layout.channel)[0]) if layout.channel else UNKNOWN_CHANNEL
    if channel == OTHER_BAND:
        return None
    rate = frame[layout.rate] & 0x7F if layout.rate else 0
    phy = layout.phy
    if layout.mcs:
        rate = 0x80 | frame[layout.mcs + 2] & 0x7F
        if frame[layout.mcs] & 1 and frame[layout.mcs + 1] & 3 == 1:
            phy |= PHY_40MHZ
    length = whole_bytes - start + (0 if flags & FLAG_FCS_AT_END else FCS_BYTES)
    if layout.has_no_psdu:
        length = max(0, min(length - FCS_BYTES, 65535))
        header = 0, 0, NO_ADDRESS, NO_ADDRESS, NO_ADDRESS, 0, 0
        kind = KIND_UNDECODABLE
    else:
        if not 10 <= length <= 65535:
            return None
        fcs_bytes = FCS_BYTES if flags & FLAG_FCS_AT_END and len(frame) == whole_bytes else 0
        kind, *header = _frame_header(frame, start, len(frame) - fcs_bytes) or (None,)
        if kind is None:
            return None
        if kind == KIND_DATA and flags & FLAG_PADDED and _header_bytes(header[0]) & 3:
            length -= 2
    control, duration_us, addr1, addr2, addr3, sequence, extra = header
    return _pack(
        *(time_us, length, control, duration_us, _signal_dbm(frame, layout), channel, rate, kind | phy),
        *(addr1, addr2, addr3, sequence, extra),
    )


def _frame_header(frame, start, end):
    """
    Return (kind, frame control, duration, addr1, addr2, addr3, sequence, extra) of an 802.11 header, or None.

    The frame lies in frame[start:end], without an FCS that was captured whole.
    """
    size = len(frame) - start
    if size < 10 or frame[start] & 3:
        return None
    subtype = frame[start]
    control, duration_us = _u16(frame, start)[0], _u16(frame, start + 2)[0]
    addr1 = frame[start + 4 : start + 10]
    frame_type = subtype >> 2 & 3
    if frame_type == TYPE_CONTROL:
        if subtype == SUBTYPE_BLOCK_ACK and size >= 16:
            acknowledged = int.from_bytes(frame[start + 20 : min(end, start + 52)], "little").bit_count()
            return (
                *(KIND_CONTROL, control, duration_us, addr1, frame[start + 10 : start + 16]),
                *(NO_ADDRESS, 0, acknowledged),
            )
        if subtype not in (SUBTYPE_ACK, SUBTYPE_CTS):
            return None
        return KIND_CONTROL, control, duration_us, addr1, NO_ADDRESS, NO_ADDRESS, 0, 0
    if frame_type == TYPE_EXTENSION or size < 24:
        return None
    extra = 0
    kind = KIND_MANAGEMENT
    if frame_type == TYPE_DATA:
        kind = KIND_DATA
        header_bytes = _header_bytes(control)
        if subtype & 0x80 and size >= header_bytes:
            extra = _u16(frame, start + header_bytes - 2)[0]  # QoS control
    return (
        *(kind, control, duration_us, addr1, frame[start + 10 : start + 16], frame[start + 16 : start + 22]),
        *(_u16(frame, start + 22)[0], extra),
    )


def _header_bytes(control):
    """Return the length of a data frame's header."""
    return (30 if control >> 8 & BOTH_DS == BOTH_DS else 24) + (2 if control & 0x80 else 0)


def _signal_dbm(frame, layout):
    """Return the signal of the frame, otherwise of its best antenna, otherwise UNKNOWN_DBM."""
    if layout.signal:
        dbm = frame[layout.signal] - (frame[layout.signal] & 0x80) * 2
        if dbm <= MOST_DBM:
            return dbm
    best_dbm = UNKNOWN_DBM
    for offset in layout.antenna_signals:
        dbm = frame[offset] - (frame[offset] & 0x80) * 2
        if best_dbm < dbm <= MOST_DBM:
            best_dbm = dbm
    return best_dbm


def _channel(frequency_mhz):
    """Return the channel 1..14, OTHER_BAND, or UNKNOWN_CHANNEL for a frequency of 0."""
    if frequency_mhz == 0:
        return UNKNOWN_CHANNEL
    if frequency_mhz == 2484:
        return 14
    number, rest = divmod(frequency_mhz - 2407, 5)
    return number if rest == 0 and 1 <= number <= 13 else OTHER_BAND


def _layout(frame, header_bytes):
    """
    Return the Layout of a radiotap header, or None if it is damaged.

    It follows from the present words, which are the same in most frames of a capture, so it is cached;
    unless it depends on other bytes of the header.
    """
    end = 8
    while frame[end - 1] & 0x80:
        end += 4
        if end > header_bytes:
            return None
    words = frame[4:end]
    if _depends_on_data(words):
        return _read_layout(frame, words, header_bytes)
    key = (words, header_bytes)
    if key not in _layouts:
        if len(_layouts) >= MOST_LAYOUTS:
            _layouts.clear()
        _layouts[key] = _read_layout(frame, words, header_bytes)
    return _layouts[key]


def _depends_on_data(words):
    """Return True if the header has a vendor namespace or TLVs, whose sizes stand in the header itself."""
    return any(word & 0x50 for word in words[3::4])


def _read_layout(frame, words, header_bytes):
    """As _layout(); `words` are the bytes of the present words."""
    offsets: dict[int, int] = {}  # of the first field with each bit
    signals: list[int] = []
    offset = 4 + len(words)
    is_radiotap = True
    tlvs_from = 0
    for at in range(0, len(words), 4):
        present = int.from_bytes(words[at : at + 4], "little")
        if is_radiotap:
            for bit, (alignment, size) in enumerate(FIELDS):
                if not present >> bit & 1:
                    continue
                offset += -offset % alignment
                if offset + size > header_bytes:
                    return None
                offsets.setdefault(bit, offset)
                if bit == BIT_SIGNAL:
                    signals.append(offset)
                offset += size
            if present >> BIT_TLVS & 1:
                tlvs_from = offset
                break
        if present >> BIT_VENDOR_NEXT & 1:
            offset = _behind_vendor_fields(frame, offset, header_bytes)
            if offset is None:
                return None
            is_radiotap = False
        elif present >> BIT_RADIOTAP_NEXT & 1:
            is_radiotap = True
        elif present >> BIT_MORE & 1 and is_radiotap:
            break  # bits 32 and above: fields of unknown sizes
    has_eht = bool(tlvs_from) and _read_tlvs(frame, tlvs_from, header_bytes, offsets, signals)
    phy = PHY_HT if has_eht or any(bit in offsets for bit in (BIT_MCS, BIT_VHT, BIT_HE)) else 0
    if BIT_AMPDU in offsets:
        phy |= PHY_AGGREGATE
    channel = offsets.get(BIT_CHANNEL, 0)
    if not channel and BIT_XCHANNEL in offsets:
        channel = offsets[BIT_XCHANNEL] + 4
    return Layout(
        *(offsets.get(BIT_FLAGS, 0), offsets.get(BIT_RATE, 0), channel, offsets.get(BIT_MCS, 0)),
        offsets.get(BIT_RX_FLAGS, 0),
        signals[0] if words[0] & 1 << BIT_SIGNAL else 0,
        tuple(signals),
        phy,
        BIT_NO_PSDU in offsets,
    )


def _behind_vendor_fields(frame, offset, header_bytes):
    """Return the offset behind a vendor's field and the bytes that it says to skip, or None."""
    alignment, size = VENDOR_FIELD
    offset += -offset % alignment
    if offset + size > header_bytes:
        return None
    offset += size + _u16(frame, offset + 4)[0]
    return offset if offset <= header_bytes else None


def _read_tlvs(frame, offset, header_bytes, offsets, signals):
    """Add the type-length-values from `offset` on to offsets and signals; return True if one is of 802.11be."""
    offset += -offset % 4
    has_eht = False
    while offset + 4 <= header_bytes:
        kind, size = struct.unpack_from("<HH", frame, offset)
        value = offset + 4
        if value + size > header_bytes:
            break
        if kind < len(FIELDS) and size >= FIELDS[kind][1]:
            offsets.setdefault(kind, value)
            if kind == BIT_SIGNAL:
                signals.append(value)
        has_eht = has_eht or kind == TLV_EHT
        offset = value + size + -size % 4
    return has_eht
