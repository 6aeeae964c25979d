"""Runs on the MicroPython with rfsniff (see test_module.py): checks the module, then prints "ok"."""

import gc
import struct

import rfsniff  # pyright: ignore[reportMissingImports] # only in this interpreter

from ansim import frame_header as fh
from ansim.detect.stations import layout

ALL = rfsniff.MANAGEMENT | rfsniff.CONTROL | rfsniff.DATA | rfsniff.UNDECODABLE
RING = 512  # RFSNIFF_RING_RECORDS
BODY = b"\xee" * 300  # after the header
FIELDS = "time_us length frame_control duration_us rssi channel rate kind addr1 addr2 addr3 sequence extra"
A, B, C = b"AAAAAA", b"BBBBBB", b"CCCCCC"
DATA = b"\x88\x01\x34\x12" + A + B + C + b"\x10\x02"
BLOCK_ACK = b"\x94\x00\x00\x00" + A + B


def receive(frame, **options) -> dict:
    """Inject a frame; return its record as {field: value}, {} if there is none."""
    buffer = bytearray(fh.RECORD_BYTES)
    assert rfsniff.inject(frame, **options)
    if not rfsniff.readinto(buffer):
        return {}
    assert bytes(buffer).find(b"\xee") < 0, "a byte of the body"
    fields = struct.unpack(fh.RECORD_FORMAT, buffer)
    return {name: fields[index] for index, name in enumerate(FIELDS.split())}


def fails(error, call, *arguments):
    try:
        call(*arguments)
    except error:
        return True
    return False


def check_that_records_have_the_format_of_frame_header():
    assert rfsniff.RECORD_BYTES == fh.RECORD_BYTES
    rfsniff.start(6, ALL)
    record = receive(DATA + b"\x85\x00" + BODY, rssi=-47, time_us=0x12345678, rate=131, phy=fh.PHY_HT)
    assert record == {
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
    }, record
    assert (rfsniff.MANAGEMENT, rfsniff.CONTROL, rfsniff.DATA, rfsniff.UNDECODABLE) == (1, 2, 4, 8)


def check_qos_control_after_three_and_four_addresses():
    three = receive(DATA + b"\x07\x05" + BODY)
    four = receive(b"\x88\x03" + DATA[2:] + b"DDDDDD" + b"\x07\x05" + BODY)
    none = receive(b"\x08\x01" + DATA[2:] + BODY)
    assert (three["extra"], four["extra"], none["extra"]) == (0x0507, 0x0507, 0)
    assert receive(DATA)["extra"] == 0  # ends before the field


def check_that_management_frames_end_at_the_sequence_number():
    record = receive(b"\x80\x00\x00\x00" + A + B + C + b"\x30\x00" + BODY)
    assert (record["kind"], record["addr3"], record["sequence"], record["extra"]) == (fh.KIND_MANAGEMENT, C, 0x30, 0)


def check_that_acknowledgements_have_a_receiver_only():
    for first in (b"\xc4", b"\xd4"):
        record = receive(first + b"\x00\x2c\x01" + A + BODY)
        assert (record["kind"], record["addr1"], record["addr2"], record["addr3"]) == (
            fh.KIND_CONTROL,
            A,
            bytes(6),
            bytes(6),
        )
        assert (record["duration_us"], record["sequence"], record["extra"]) == (300, 0, 0)


def check_that_block_acks_have_a_count_and_no_bitmap():
    def count_acknowledged(control, starting, bitmap):
        record = receive(BLOCK_ACK + bytes([control, 0, starting, 0]) + bitmap)
        assert (record["addr1"], record["addr2"], record["addr3"], record["sequence"]) == (A, B, bytes(6), 0)
        return record["extra"]

    assert count_acknowledged(0x05, 0x10, b"\xff\x01" + bytes(6)) == 9  # compressed
    assert count_acknowledged(0x05, 0x10, b"\xff" * 8 + BODY) == 64
    assert count_acknowledged(0x05, 0x14, b"\xff" * 32) == 256  # compressed, 802.11ax
    assert count_acknowledged(0x01, 0x10, b"\x01\x00" * 64) == 64  # basic
    assert count_acknowledged(0x07, 0x10, b"\xff" * 8) == 0  # multi-TID is not read
    assert count_acknowledged(0x05, 0x10, b"\xff" * 7) == 0  # truncated
    assert receive(BLOCK_ACK)["extra"] == 0


def check_that_other_control_frames_are_dropped():
    for first in (b"\xb4", b"\x84", b"\xa4", b"\xe4"):  # RTS, Block Ack request, PS-Poll, CF-End
        assert receive(first + b"\x00\x00\x00" + A + B) == {}


def check_that_undecodable_frames_have_the_radio_s_values_only():
    record = receive(DATA + BODY, undecodable=True, length=1400, rssi=-80)
    assert (record["kind"], record["length"], record["rssi"], record["channel"]) == (fh.KIND_UNDECODABLE, 1400, -80, 6)
    assert record["addr1"] == record["addr2"] == record["addr3"] == bytes(6) and record["frame_control"] == 0
    # Truncated, of another protocol version, an extension frame: not trusted either.
    for frame in (DATA[:23], b"\xd4\x00\x00\x00" + A[:5], BLOCK_ACK[:15], b"\x89" + DATA[1:], b"\x8c" + DATA[1:], b""):
        assert receive(frame)["kind"] == fh.KIND_UNDECODABLE, frame


def check_filter():
    frames = (b"\x80\x00" + DATA[2:], b"\xd4\x00\x00\x00" + A, DATA, b"")
    for kind in range(4):
        rfsniff.start(6, 1 << kind)
        assert [receive(frame) != {} for frame in frames] == [other == kind for other in range(4)]
    rfsniff.start(6, ALL)


def check_that_a_full_ring_drops_and_counts_new_records():
    rfsniff.start(1, ALL)
    for number in range(RING + 88):
        rfsniff.inject(DATA, time_us=number)
    assert rfsniff.stats() == (RING, RING, 88)
    buffer = bytearray(100 * fh.RECORD_BYTES + 7)  # not a whole number of records
    assert rfsniff.readinto(buffer) == 100
    assert buffer[0] == 0 and buffer[99 * fh.RECORD_BYTES] == 99
    assert rfsniff.stats() == (RING - 100, RING, 88)
    assert rfsniff.readinto(bytearray(35)) == 0


def check_that_draining_allocates_nothing():
    rfsniff.start(1, ALL)
    for _ in range(RING):
        rfsniff.inject(DATA)
    buffer = bytearray(64 * fh.RECORD_BYTES)
    readinto = rfsniff.readinto
    gc.collect()
    before = gc.mem_alloc()  # pyright: ignore[reportAttributeAccessIssue] # MicroPython only
    while readinto(buffer):
        pass
    assert gc.mem_alloc() == before  # pyright: ignore[reportAttributeAccessIssue] # MicroPython only


def check_that_the_channel_changes_only_while_running():
    rfsniff.start(3, ALL)
    rfsniff.channel(11)
    assert receive(DATA)["channel"] == 11
    rfsniff.channel(149)
    assert receive(DATA)["channel"] == 149
    rfsniff.stop()
    assert fails(OSError, rfsniff.channel, 6)


def check_that_bad_arguments_are_refused():
    for channel in (0, 178, -1):
        assert fails(ValueError, rfsniff.start, channel, ALL)
        assert fails(ValueError, rfsniff.channel, channel)
    for filter_bits in (0, 16, -1):
        assert fails(ValueError, rfsniff.start, 6, filter_bits)
    assert fails(TypeError, rfsniff.readinto, b"read only")
    rfsniff.country("KR", 13)
    for country in (("KOR", 13), ("KR", 10), ("KR", 15)):
        assert fails(ValueError, rfsniff.country, *country)


def check_that_stopping_twice_is_harmless_and_waiting_records_stay_readable():
    rfsniff.start(6, ALL)
    rfsniff.inject(DATA)
    rfsniff.stop()
    rfsniff.stop()
    assert rfsniff.inject(DATA) is False
    assert rfsniff.readinto(bytearray(72)) == 1


def check_that_starting_without_a_stop_restarts():
    # As after a soft reset, when the module still has its state of the previous run.
    rfsniff.start(6, rfsniff.MANAGEMENT)
    rfsniff.inject(b"\x80\x00" + DATA[2:])
    rfsniff.start(9, ALL)
    assert rfsniff.stats() == (0, 0, 0)
    assert receive(DATA)["channel"] == 9


def check_that_the_table_s_memory_lies_outside_the_heap_and_stays_the_same():
    gc.collect()
    before = gc.mem_alloc()
    table = rfsniff.memory(layout.TABLE_BYTES)
    assert len(table) == layout.TABLE_BYTES and gc.mem_alloc() - before < 200
    table[0], table[layout.TABLE_BYTES - 1] = 1, 2
    again = rfsniff.memory(layout.TABLE_BYTES)
    assert (again[0], again[layout.TABLE_BYTES - 1]) == (1, 2)
    assert fails(ValueError, rfsniff.memory, layout.TABLE_BYTES + 1) and fails(ValueError, rfsniff.memory, -1)


check_that_records_have_the_format_of_frame_header()
check_qos_control_after_three_and_four_addresses()
check_that_management_frames_end_at_the_sequence_number()
check_that_acknowledgements_have_a_receiver_only()
check_that_block_acks_have_a_count_and_no_bitmap()
check_that_other_control_frames_are_dropped()
check_that_undecodable_frames_have_the_radio_s_values_only()
check_filter()
check_that_a_full_ring_drops_and_counts_new_records()
check_that_draining_allocates_nothing()
check_that_the_channel_changes_only_while_running()
check_that_bad_arguments_are_refused()
check_that_stopping_twice_is_harmless_and_waiting_records_stay_readable()
check_that_starting_without_a_stop_restarts()
check_that_the_table_s_memory_lies_outside_the_heap_and_stays_the_same()
print("ok")
