"""
One radiotap frame of a capture, turned into a header record.

    record = header_record(frame, whole_bytes, time_us)      # bytes, or None if nobody needs it

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
# type-length-values whose size the word does not tell, so nothing behind it is looked at.
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
    (1, 1),  # 26 zero-length PSDU: something was there that the radio could not read
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
FLAG_PADDED = 0x20  # the radio put 2 bytes between header and body
FLAG_BAD_FCS = 0x40

NO_CHANNEL = 6  # the channel of frames that do not tell theirs
NO_SIGNAL_DBM = -60
LAYOUTS_KEPT = 256
FCS_BYTES = 4
NO_ADDRESS = bytes(6)

_pack = struct.Struct(RECORD_FORMAT).pack
_u16 = struct.Struct("<H").unpack_from
_layouts = {}


def header_record(frame, whole_bytes, time_us):
    """
    Return the header record of a radiotap frame as bytes.

    frame        bytes, as far as captured, radiotap header first
    whole_bytes  how long the frame was on the air, radiotap header included
    time_us      0..2**32 - 1

    None for what no detector reads or nobody can: bad FCS, 5 GHz, other control frames than
    Block Ack, CTS and ACK, and frames too short for what they claim to be.
    """
    if len(frame) < 8 or frame[0] != 0:
        return None
    start = frame[2] | frame[3] << 8
    if start < 8 or start > len(frame):
        return None
    layout = _layout(frame, start)
    if layout is None:
        return None
    at_flags, at_rate, at_channel, at_signal, at_mcs, more, has_no_psdu = layout

    flags = frame[at_flags] if at_flags else 0
    if flags & FLAG_BAD_FCS:
        return None
    channel = _channel(frame[at_channel] | frame[at_channel + 1] << 8) if at_channel else NO_CHANNEL
    if not channel:
        return None
    rssi_dbm = NO_SIGNAL_DBM
    if at_signal:
        rssi_dbm = frame[at_signal] - (frame[at_signal] & 0x80) * 2
    rate = frame[at_rate] & 0x7F if at_rate else 0
    phy = more
    if at_mcs:
        rate = 0x80 | frame[at_mcs + 2] & 0x7F
        if frame[at_mcs] & 1 and frame[at_mcs + 1] & 3 == 1:
            phy |= PHY_40MHZ

    size = len(frame) - start
    length = whole_bytes - start + (0 if flags & FLAG_FCS_AT_END else FCS_BYTES)
    if has_no_psdu:
        kind = KIND_UNDECODABLE | phy
        return _pack(
            time_us,
            max(0, min(length - FCS_BYTES, 65535)),
            0,
            0,
            rssi_dbm,
            channel,
            rate,
            kind,
            NO_ADDRESS,
            NO_ADDRESS,
            NO_ADDRESS,
            0,
            0,
        )
    if size < 10 or not 10 <= length <= 65535:
        return None
    subtype = frame[start]
    if subtype & 3:
        return None
    control, duration_us = _u16(frame, start)[0], _u16(frame, start + 2)[0]
    addr1 = frame[start + 4 : start + 10]
    of_type = subtype >> 2 & 3

    if of_type == 1:
        if subtype in (SUBTYPE_ACK, SUBTYPE_CTS):
            return _pack(
                time_us,
                length,
                control,
                duration_us,
                rssi_dbm,
                channel,
                rate,
                KIND_CONTROL | phy,
                addr1,
                NO_ADDRESS,
                NO_ADDRESS,
                0,
                0,
            )
        if subtype == SUBTYPE_BLOCK_ACK and size >= 16:
            end = len(frame) - (FCS_BYTES if flags & FLAG_FCS_AT_END and len(frame) == whole_bytes else 0)
            acked = int.from_bytes(frame[start + 20 : min(end, start + 52)], "little").bit_count()
            return _pack(
                time_us,
                length,
                control,
                duration_us,
                rssi_dbm,
                channel,
                rate,
                KIND_CONTROL | phy,
                addr1,
                frame[start + 10 : start + 16],
                NO_ADDRESS,
                0,
                acked,
            )
        return None
    if of_type == 3 or size < 24:
        return None

    extra = 0
    if of_type == 2:
        header_bytes = 24
        if control >> 8 & (FLAG_TO_DS | FLAG_FROM_DS) == FLAG_TO_DS | FLAG_FROM_DS:
            header_bytes = 30
        if subtype & 0x80:
            if size >= header_bytes + 2:
                extra = _u16(frame, start + header_bytes)[0]
            header_bytes += 2
        if flags & FLAG_PADDED and header_bytes & 3:
            length -= 2
        kind = KIND_DATA | phy
    else:
        kind = KIND_MANAGEMENT | phy
    return _pack(
        time_us,
        length,
        control,
        duration_us,
        rssi_dbm,
        channel,
        rate,
        kind,
        addr1,
        frame[start + 10 : start + 16],
        frame[start + 16 : start + 22],
        _u16(frame, start + 22)[0],
        extra,
    )


def _layout(frame, header_bytes):
    """Offsets of the fields that matter, from the present words; they are the same in most frames of a capture."""
    end = 8
    while frame[end - 1] & 0x80:
        end += 4
        if end > header_bytes:
            return None
    key = (frame[4:end], header_bytes)
    if key not in _layouts:
        if len(_layouts) >= LAYOUTS_KEPT:
            _layouts.clear()
        _layouts[key] = _read_layout(frame, end, header_bytes)
    return _layouts[key]


def _read_layout(frame, start, header_bytes):
    present = int.from_bytes(frame[4:8], "little")
    offsets = {}
    at = start
    for bit, (alignment, size) in enumerate(FIELDS):
        if not present >> bit & 1:
            continue
        at += -at % alignment
        if at + size > header_bytes:
            return None
        offsets[bit] = at
        at += size
    phy = 0
    if BIT_MCS in offsets or BIT_VHT in offsets or BIT_HE in offsets:
        phy |= PHY_HT
    if BIT_AMPDU in offsets:
        phy |= PHY_AGGREGATE
    wanted = [offsets.get(bit, 0) for bit in (BIT_FLAGS, BIT_RATE, BIT_CHANNEL, BIT_SIGNAL, BIT_MCS)]
    return (*wanted, phy, BIT_NO_PSDU in offsets)


def _channel(frequency_mhz):
    """1..14, or 0 for another band."""
    if frequency_mhz == 2484:
        return 14
    number, rest = divmod(frequency_mhz - 2407, 5)
    return number if rest == 0 and 1 <= number <= 13 else 0
