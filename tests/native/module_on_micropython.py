"""Runs on the MicroPython with rfsniff in it: one function a promise; the last line says that all hold."""

import gc
import struct

import rfsniff

from ansim import frame_header as fh

ALL = rfsniff.MANAGEMENT | rfsniff.CONTROL | rfsniff.DATA | rfsniff.UNDECODABLE
RING = 512  # RFSNIFF_RING_RECORDS
BODY = b"\xee" * 300  # what stands after a header
FIELDS = "time_us length frame_control duration_us rssi channel rate kind addr1 addr2 addr3 sequence extra"
A, B, C = b"AAAAAA", b"BBBBBB", b"CCCCCC"
DATA = b"\x88\x01\x34\x12" + A + B + C + b"\x10\x02"
BLOCK_ACK = b"\x94\x00\x00\x00" + A + B


def heard(frame, **more):
    """Return the one record that a frame becomes as (fields by name), or None if it is not handed over."""
    buffer = bytearray(fh.RECORD_BYTES)
    assert rfsniff.inject(frame, **more)
    if not rfsniff.readinto(buffer):
        return None
    assert bytes(buffer).find(b"\xee") < 0, "a byte from behind the header"
    fields = struct.unpack(fh.RECORD_FORMAT, buffer)
    return {name: fields[index] for index, name in enumerate(FIELDS.split())}


def fails(error, call, *arguments):
    try:
        call(*arguments)
    except error:
        return True
    return False


def the_record_is_the_one_of_frame_header():
    assert rfsniff.RECORD_BYTES == fh.RECORD_BYTES
    rfsniff.start(6, ALL)
    got = heard(DATA + b"\x85\x00" + BODY, rssi=-47, time_us=0x12345678, rate=131, phy=fh.PHY_HT)
    assert got == {
        "time_us": 0x12345678,
        "length": 26 + 300 + 4,
        "frame_control": 0x0188,
        "duration_us": 0x1234,
        "rssi": -47,
        "channel": 6,
        "rate": 131,
        "kind": fh.KIND_DATA | fh.PHY_HT,
        "addr1": A,
        "addr2": B,
        "addr3": C,
        "sequence": 0x0210,
        "extra": 0x85,
    }, got
    assert (rfsniff.MANAGEMENT, rfsniff.CONTROL, rfsniff.DATA, rfsniff.UNDECODABLE) == (1, 2, 4, 8)


def qos_control_is_found_behind_three_and_four_addresses():
    three = heard(DATA + b"\x07\x05" + BODY)
    four = heard(b"\x88\x03" + DATA[2:] + b"DDDDDD" + b"\x07\x05" + BODY)
    none = heard(b"\x08\x01" + DATA[2:] + BODY)
    assert (three["extra"], four["extra"], none["extra"]) == (0x0507, 0x0507, 0)
    assert heard(DATA)["extra"] == 0  # ends before the field


def management_frames_end_at_the_sequence_number():
    got = heard(b"\x80\x00\x00\x00" + A + B + C + b"\x30\x00" + BODY)
    assert (got["kind"], got["addr3"], got["sequence"], got["extra"]) == (fh.KIND_MANAGEMENT, C, 0x30, 0)


def acknowledgements_have_a_receiver_only():
    for first in (b"\xc4", b"\xd4"):
        got = heard(first + b"\x00\x2c\x01" + A + BODY)
        assert (got["kind"], got["addr1"], got["addr2"], got["addr3"]) == (fh.KIND_CONTROL, A, bytes(6), bytes(6))
        assert (got["duration_us"], got["sequence"], got["extra"]) == (300, 0, 0)


def block_acks_are_counted_and_their_bitmap_is_not_kept():
    def acknowledged(control, starting, bitmap):
        got = heard(BLOCK_ACK + bytes([control, 0, starting, 0]) + bitmap)
        assert (got["addr1"], got["addr2"], got["addr3"], got["sequence"]) == (A, B, bytes(6), 0)
        return got["extra"]

    assert acknowledged(0x05, 0x10, b"\xff\x01" + bytes(6)) == 9  # compressed
    assert acknowledged(0x05, 0x10, b"\xff" * 8 + BODY) == 64
    assert acknowledged(0x05, 0x14, b"\xff" * 32) == 256  # compressed, 802.11ax
    assert acknowledged(0x01, 0x10, b"\x01\x00" * 64) == 64  # basic
    assert acknowledged(0x07, 0x10, b"\xff" * 8) == 0  # multi-TID is not read
    assert acknowledged(0x05, 0x10, b"\xff" * 7) == 0  # cut short
    assert heard(BLOCK_ACK)["extra"] == 0


def other_control_frames_are_not_handed_over():
    for first in (b"\xb4", b"\x84", b"\xa4", b"\xe4"):  # RTS, Block Ack request, PS-Poll, CF-End
        assert heard(first + b"\x00\x00\x00" + A + B) is None


def of_an_undecodable_frame_only_what_the_radio_measured_is_known():
    got = heard(DATA + BODY, undecodable=True, length=1400, rssi=-80)
    assert (got["kind"], got["length"], got["rssi"], got["channel"]) == (fh.KIND_UNDECODABLE, 1400, -80, 6)
    assert got["addr1"] == got["addr2"] == got["addr3"] == bytes(6) and got["frame_control"] == 0
    # cut short, of another protocol version, an extension frame: not to be trusted either
    for frame in (DATA[:23], b"\xd4\x00\x00\x00" + A[:5], BLOCK_ACK[:15], b"\x89" + DATA[1:], b"\x8c" + DATA[1:], b""):
        assert heard(frame)["kind"] == fh.KIND_UNDECODABLE, frame


def the_filter_lets_only_the_wanted_kinds_pass():
    frames = (b"\x80\x00" + DATA[2:], b"\xd4\x00\x00\x00" + A, DATA, b"")
    for wanted in range(4):
        rfsniff.start(6, 1 << wanted)
        assert [heard(frame) is not None for frame in frames] == [kind == wanted for kind in range(4)]
    rfsniff.start(6, ALL)


def frames_with_wrong_bytes_are_counted_and_never_seen():
    assert heard(DATA + BODY, error=True) is None
    assert rfsniff.errors() == 1
    rfsniff.start(6, ALL)
    assert rfsniff.errors() == 0


def a_full_ring_drops_the_newest_and_counts():
    rfsniff.start(1, ALL)
    for number in range(RING + 88):
        rfsniff.inject(DATA, time_us=number)
    assert rfsniff.stats() == (RING, RING, 88)
    buffer = bytearray(100 * fh.RECORD_BYTES + 7)  # not a whole number of records
    assert rfsniff.readinto(buffer) == 100
    assert buffer[0] == 0 and buffer[99 * fh.RECORD_BYTES] == 99
    assert rfsniff.stats() == (RING - 100, RING, 88)
    assert rfsniff.readinto(bytearray(35)) == 0


def draining_allocates_nothing():
    rfsniff.start(1, ALL)
    for _ in range(RING):
        rfsniff.inject(DATA)
    buffer = bytearray(64 * fh.RECORD_BYTES)
    readinto = rfsniff.readinto
    gc.collect()
    before = gc.mem_alloc()
    while readinto(buffer):
        pass
    assert gc.mem_alloc() == before


def the_channel_can_be_changed_while_running_only():
    rfsniff.start(3, ALL)
    rfsniff.channel(11)
    assert heard(DATA)["channel"] == 11
    rfsniff.stop()
    assert fails(OSError, rfsniff.channel, 6)


def wrong_arguments_are_refused():
    for channel in (0, 15, -1):
        assert fails(ValueError, rfsniff.start, channel, ALL)
        assert fails(ValueError, rfsniff.channel, channel)
    for wanted in (0, 16, -1):
        assert fails(ValueError, rfsniff.start, 6, wanted)
    assert fails(TypeError, rfsniff.readinto, b"read only")


def stopping_twice_is_harmless_and_what_waits_stays_readable():
    rfsniff.start(6, ALL)
    rfsniff.inject(DATA)
    rfsniff.stop()
    rfsniff.stop()
    assert rfsniff.inject(DATA) is False
    assert rfsniff.readinto(bytearray(72)) == 1


def starting_again_without_a_stop_begins_anew():
    # As after a soft reset: the module's state is that of the run before, and Python knows nothing of it.
    rfsniff.start(6, rfsniff.MANAGEMENT)
    rfsniff.inject(b"\x80\x00" + DATA[2:])
    rfsniff.start(9, ALL)
    assert rfsniff.stats() == (0, 0, 0)
    assert heard(DATA)["channel"] == 9


the_record_is_the_one_of_frame_header()
qos_control_is_found_behind_three_and_four_addresses()
management_frames_end_at_the_sequence_number()
acknowledgements_have_a_receiver_only()
block_acks_are_counted_and_their_bitmap_is_not_kept()
other_control_frames_are_not_handed_over()
of_an_undecodable_frame_only_what_the_radio_measured_is_known()
the_filter_lets_only_the_wanted_kinds_pass()
frames_with_wrong_bytes_are_counted_and_never_seen()
a_full_ring_drops_the_newest_and_counts()
draining_allocates_nothing()
the_channel_can_be_changed_while_running_only()
wrong_arguments_are_refused()
stopping_twice_is_harmless_and_what_waits_stays_readable()
starting_again_without_a_stop_begins_anew()
print("all hold")
