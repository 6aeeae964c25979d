"""
Convert one radiotap frame of a capture into a header record.

    record = header_record(frame, whole_bytes, time_us)      # bytes, or None if no detector needs it

Source: radiotap.org (fields, alignment, chained present words); IEEE 802.11-2020 clause 9.2, 9.3.
"""

import struct

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
)

# (alignment, size) of the fields with bits 0..27 of a present word. Bit 28 is a list of
# type-length-values whose size the word does not give, so the fields behind it are not read.
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
    (2, 2),
    (2, 2),  # 15 transmit flags
    (1, 1),
    (1, 1),
    (4, 8),
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
BIT_FLAGS, BIT_RATE, BIT_CHANNEL, BIT_SIGNAL, BIT_MCS, BIT_AMPDU, BIT_VHT, BIT_HE, BIT_NO_PSDU = (
    1,
    2,
    3,
    5,
    19,
    20,
    21,
    23,
    26,
)

FLAG_FCS_AT_END = 0x10
FLAG_PADDED = 0x20  # 2 bytes of padding between header and body
FLAG_BAD_FCS = 0x40

DEFAULT_CHANNEL = 6  # of frames without a channel field
DEFAULT_RSSI_DBM = -60  # of frames without a signal field
MOST_LAYOUTS = 256  # cached
FCS_BYTES = 4
NO_ADDRESS = bytes(6)

TYPE_CONTROL, TYPE_DATA, TYPE_EXTENSION = 1, 2, 3  # of a frame; management is 0
BOTH_DS = FLAG_TO_DS | FLAG_FROM_DS

_pack = struct.Struct(RECORD_FORMAT).pack
_u16 = struct.Struct("<H").unpack_from
_layouts = {}


def header_record(frame: bytes, whole_bytes: int, time_us: int) -> bytes | None:
    """
    Return the header record of a radiotap frame as bytes.

    frame        bytes as captured, radiotap header first
    whole_bytes  length of the frame on the air, radiotap header included
    time_us      0..2**32 - 1

    Returns None for frames that no detector uses or that cannot be read: bad FCS, 5 GHz, control frames
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
    flags_offset, rate_offset, channel_offset, signal_offset, mcs_offset, phy, has_no_psdu = layout

    flags = frame[flags_offset] if flags_offset else 0
    if flags & FLAG_BAD_FCS:
        return None
    channel = _channel(frame[channel_offset] | frame[channel_offset + 1] << 8) if channel_offset else DEFAULT_CHANNEL
    if not channel:
        return None
    rssi_dbm = DEFAULT_RSSI_DBM
    if signal_offset:
        rssi_dbm = frame[signal_offset] - (frame[signal_offset] & 0x80) * 2
    rate = frame[rate_offset] & 0x7F if rate_offset else 0
    if mcs_offset:
        rate = 0x80 | frame[mcs_offset + 2] & 0x7F
        if frame[mcs_offset] & 1 and frame[mcs_offset + 1] & 3 == 1:
            phy |= PHY_40MHZ

    size = len(frame) - start
    length = whole_bytes - start + (0 if flags & FLAG_FCS_AT_END else FCS_BYTES)
    control = duration_us = sequence = extra = 0
    addr1 = addr2 = addr3 = NO_ADDRESS
    if has_no_psdu:
        kind = KIND_UNDECODABLE
        length = max(0, min(length - FCS_BYTES, 65535))
    else:
        if size < 10 or not 10 <= length <= 65535:
            return None
        subtype = frame[start]
        if subtype & 3:
            return None
        control, duration_us = _u16(frame, start)[0], _u16(frame, start + 2)[0]
        addr1 = frame[start + 4 : start + 10]
        frame_type = subtype >> 2 & 3
        if frame_type == TYPE_CONTROL:
            kind = KIND_CONTROL
            if subtype == SUBTYPE_BLOCK_ACK and size >= 16:
                addr2 = frame[start + 10 : start + 16]
                end = len(frame) - (FCS_BYTES if flags & FLAG_FCS_AT_END and len(frame) == whole_bytes else 0)
                extra = int.from_bytes(frame[start + 20 : min(end, start + 52)], "little").bit_count()
            elif subtype not in (SUBTYPE_ACK, SUBTYPE_CTS):
                return None
        elif frame_type == TYPE_EXTENSION or size < 24:
            return None
        else:
            addr2, addr3 = frame[start + 10 : start + 16], frame[start + 16 : start + 22]
            sequence = _u16(frame, start + 22)[0]
            kind = KIND_MANAGEMENT
            if frame_type == TYPE_DATA:
                kind = KIND_DATA
                header_bytes = 30 if control >> 8 & BOTH_DS == BOTH_DS else 24
                if subtype & 0x80:
                    if size >= header_bytes + 2:
                        extra = _u16(frame, start + header_bytes)[0]  # QoS control
                    header_bytes += 2
                if flags & FLAG_PADDED and header_bytes & 3:
                    length -= 2
    return _pack(
        *(time_us, length, control, duration_us, rssi_dbm, channel, rate, kind | phy),
        *(addr1, addr2, addr3, sequence, extra),
    )


def _layout(frame, header_bytes):
    """
    Return the offsets of the used fields (0: absent), the PHY flags, and whether the frame has no PSDU.

    They follow from the present words, which are the same in most frames of a capture, so they are cached.
    """
    end = 8
    while frame[end - 1] & 0x80:
        end += 4
        if end > header_bytes:
            return None
    key = (frame[4:end], header_bytes)
    if key not in _layouts:
        if len(_layouts) >= MOST_LAYOUTS:
            _layouts.clear()
        _layouts[key] = _read_layout(frame, end, header_bytes)
    return _layouts[key]


def _read_layout(frame, start, header_bytes):
    present = int.from_bytes(frame[4:8], "little")
    offsets = {}
    offset = start
    for bit, (alignment, size) in enumerate(FIELDS):
        if not present >> bit & 1:
            continue
        offset += -offset % alignment
        if offset + size > header_bytes:
            return None
        offsets[bit] = offset
        offset += size
    phy = 0
    if BIT_MCS in offsets or BIT_VHT in offsets or BIT_HE in offsets:
        phy |= PHY_HT
    if BIT_AMPDU in offsets:
        phy |= PHY_AGGREGATE
    used = [offsets.get(bit, 0) for bit in (BIT_FLAGS, BIT_RATE, BIT_CHANNEL, BIT_SIGNAL, BIT_MCS)]
    return (*used, phy, BIT_NO_PSDU in offsets)


def _channel(frequency_mhz):
    """Return the channel 1..14, 0 for another band."""
    if frequency_mhz == 2484:
        return 14
    number, rest = divmod(frequency_mhz - 2407, 5)
    return number if rest == 0 and 1 <= number <= 13 else 0
