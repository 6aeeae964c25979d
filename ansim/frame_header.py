"""
Header records: one 802.11 frame each, of fixed size and without any payload.

A record is RECORD_BYTES long and little-endian. Sniffers write records into buffers, and
detectors read them in place:

    offset  size  field            unit, range
    0       4     time_us          radio clock, wraps at 2**32 (every 71.6 min)
    4       2     length           MPDU length in bytes, FCS included
    6       2     frame_control    as on the air; byte 6 is type and subtype, byte 7 the flags
    8       2     duration_us      as on the air (bit 15 set: not a duration)
    10      1     rssi_dbm         signed; UNKNOWN_DBM where a recording has none
    11      1     channel          1..177, the channel the radio was tuned to; from 36 on it is a channel of 5 GHz
    12      1     rate             0..127 legacy rate code of the radio, 128 + MCS for 11n and later
    13      1     kind             low nibble KIND_*, high nibble PHY_* bits
    14      6     addr1            receiver
    20      6     addr2            transmitter; zero in CTS and ACK, which have none
    26      6     addr3            zero in control frames
    32      2     sequence         sequence number << 4 | fragment number
    34      2     extra            QoS data: the QoS control field (bit 7: A-MSDU inside)
                                   Block Ack: how many MPDUs its bitmap acknowledges
                                   else 0

KIND_UNDECODABLE is a frame that the radio noticed but could not decode (several spatial streams,
40 MHz, LDPC, 802.11ax): length, time, RSSI and channel are valid, the rest is zero.

Source: IEEE 802.11-2020 clause 9.2 and 9.3; ESP-IDF wifi_promiscuous_pkt_t.
"""

import struct

RECORD_FORMAT = "<IHHHbBBB6s6s6sHH"
RECORD_BYTES = 36

TIME_US = 0
LENGTH = 4
FRAME_CONTROL = 6
FLAGS = 7
DURATION_US = 8
RSSI_DBM = 10
CHANNEL = 11
RATE = 12
KIND = 13
ADDR1 = 14
ADDR2 = 20
ADDR3 = 26
SEQUENCE = 32
EXTRA = 34

KIND_MANAGEMENT = 0
KIND_CONTROL = 1
KIND_DATA = 2
KIND_UNDECODABLE = 3

PHY_HT = 0x10  # 802.11n or later
PHY_AGGREGATE = 0x20  # part of an A-MPDU
PHY_40MHZ = 0x40

FLAG_TO_DS = 0x01
FLAG_FROM_DS = 0x02
FLAG_RETRY = 0x08
FLAG_PROTECTED = 0x40

SUBTYPE_BEACON = 0x80  # first byte of frame control, like the four below
SUBTYPE_BLOCK_ACK = 0x94
SUBTYPE_CTS = 0xC4
SUBTYPE_ACK = 0xD4
SUBTYPE_QOS_DATA = 0x88

EXTRA_AMSDU = 0x80
FIRST_5GHZ, LAST_5GHZ = 36, 177  # channels; up to 14 they are in the 2.4 GHz band
UNKNOWN_DBM = -128
TIME_WRAPS_AT = 1 << 32


def pack_into(
    buffer: bytearray,
    offset: int,
    time_us: int,
    length: int,
    frame_control: int,
    rssi_dbm: int,
    channel: int,
    addr1: bytes,
    addr2: bytes,
    addr3: bytes,
    sequence: int = 0,
    kind: int = KIND_DATA,
    rate: int = 0,
    duration_us: int = 0,
    extra: int = 0,
) -> None:
    """Write one record at `offset` of a bytearray. Addresses are bytes of length 6; the time is wrapped here."""
    struct.pack_into(
        RECORD_FORMAT,
        buffer,
        offset,
        time_us % TIME_WRAPS_AT,
        length,
        frame_control,
        duration_us,
        rssi_dbm,
        channel,
        rate,
        kind,
        addr1,
        addr2,
        addr3,
        sequence,
        extra,
    )


def address_text(address: bytes | bytearray | memoryview) -> str:
    """Return six bytes as "c0:ff:ee:00:00:01", the only text form of addresses in this project."""
    return ":".join("%02x" % byte for byte in address)


def address_bytes(text: str) -> bytes:
    """Return the six bytes of "c0:ff:ee:00:00:01". Raises ValueError."""
    parts = text.split(":")
    if len(parts) != 6 or any(len(part) != 2 for part in parts):
        raise ValueError("%s is not an address such as c0:ff:ee:00:00:01" % text)
    return bytes([int(part, 16) for part in parts])


def is_local(address: bytes | bytearray | memoryview) -> bool:
    """Return True for a locally administered address of six bytes; phones randomise theirs."""
    return bool(address[0] & 2)
