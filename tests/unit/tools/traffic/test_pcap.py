"""Captures of every form become header records, and damaged ones raise errors of one line."""

import io
import struct
import tracemalloc
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim import frame_header as header
from tests.support import made_captures as captures
from tools.lib.errors import ToolError
from tools.traffic import pcap


def read(data):
    return list(pcap.read(io.BytesIO(data), "a.pcap"))


def fields(record) -> dict[str, Any]:
    names = (
        "time_us",
        "length",
        "control",
        "duration",
        "rssi",
        "channel",
        "rate",
        "kind",
        "addr1",
        "addr2",
        "addr3",
        "sequence",
        "extra",
    )
    return dict(zip(names, struct.unpack(header.RECORD_FORMAT, record), strict=True))


def decode_or_none(frame) -> dict[str, Any] | None:
    """The fields of the record of a frame; None if it was left out."""
    beacon = captures.radiotap() + b"\x80\0" + bytes(22) + b"x" * 40
    records = read(captures.pcap([(5, beacon), (10, frame)]))
    return fields(records[1][1]) if len(records) == 2 else None


def decode(frame) -> dict[str, Any]:
    """The fields of the record of a frame."""
    decoded = decode_or_none(frame)
    assert decoded is not None
    return decoded


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_a_pcap_of_any_byte_order_and_resolution_is_read(order, nanoseconds):
    frames = [
        (1_700_000_000_000_000, captures.radiotap() + captures.data()),
        (1_700_000_000_250_000, captures.radiotap() + captures.data()),
    ]

    records = read(captures.pcap(frames, order, nanoseconds))

    assert [time_us for time_us, _ in records] == [0, 250_000]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_with_two_interfaces_keeps_each_one_s_clock(order):
    frame = captures.radiotap() + captures.data()
    data = captures.section(order) + captures.interface(order) + captures.interface(order, resolution=9)
    data += captures.enhanced(2_000_000, frame, order, 0) + captures.enhanced(2_500_000_000, frame, order, 1)
    data += captures.block(5, b"statistics, of no use here", order)

    records = read(data)

    assert [time_us for time_us, _ in records] == [0, 500_000]


def test_sections_of_different_byte_order_may_follow_each_other():
    frame = captures.radiotap() + captures.data()
    data = b"".join(
        captures.section(order) + captures.interface(order) + captures.enhanced(7, frame, order) for order in "<><"
    )

    assert len(read(data)) == 3


def test_simple_and_old_packet_blocks_are_read():
    frame = captures.radiotap() + captures.data()
    simple = captures.block(3, struct.pack("<I", len(frame)) + frame)
    old = captures.block(2, struct.pack("<HHIIII", 0, 0, 0, 9, len(frame), len(frame)) + frame)

    assert len(read(captures.section() + captures.interface() + simple + old)) == 2


def test_a_data_frame_keeps_its_header_and_counts_the_fcs():
    records = decode(captures.radiotap(flags=captures.NO_FCS) + captures.data(qos=0x0080, body=b"x" * 100))

    assert records["length"] == 26 + 100 + 4
    assert (records["addr1"], records["addr2"], records["addr3"]) == (
        captures.ACCESS_POINT,
        captures.STATION,
        captures.ROUTER,
    )
    assert records["kind"] == header.KIND_DATA
    assert records["sequence"] == 100 << 4
    assert records["extra"] & header.EXTRA_AMSDU
    assert (records["rssi"], records["channel"], records["duration"]) == (-52, 6, 44)


def test_an_fcs_that_was_captured_is_not_counted_twice():
    assert decode(captures.radiotap(flags=captures.FCS) + captures.data() + b"FCS!")["length"] == 24 + 60 + 4


def test_a_frame_with_a_bad_fcs_is_left_out():
    assert decode_or_none(captures.radiotap(flags=captures.BAD_FCS) + captures.data() + b"FCS!") is None


def test_a_four_address_frame_has_its_qos_control_behind_the_fourth():
    records = decode(captures.radiotap() + captures.data(flags=0x03, qos=0x1234, addr4=captures.ROUTER))

    assert records["extra"] == 0x1234
    assert records["addr2"] == captures.STATION


def test_a_block_ack_counts_the_frames_it_acknowledges():
    records = decode(captures.radiotap() + captures.block_ack(0b1011))

    assert (records["kind"], records["addr1"], records["addr2"], records["extra"]) == (
        header.KIND_CONTROL,
        captures.STATION,
        captures.ACCESS_POINT,
        3,
    )


def test_the_fcs_behind_a_block_ack_is_not_part_of_its_bitmap():
    assert decode(captures.radiotap(flags=captures.FCS) + captures.block_ack(1) + b"\xff\xff\xff\xff")["extra"] == 1


@pytest.mark.parametrize(("subtype", "kept"), [(0xD4, True), (0xC4, True), (0xB4, False), (0xA4, False), (0x84, False)])
def test_of_the_control_frames_only_answers_are_kept(subtype, kept):
    frame = bytes([subtype, 0, 0, 0]) + captures.STATION + captures.ACCESS_POINT

    assert (decode_or_none(captures.radiotap() + frame) is not None) == kept


@pytest.mark.parametrize(("mhz", "channel"), [(2412, 1), (2472, 13), (2484, 14), (5180, None), (2417, 2), (2420, None)])
def test_the_channel_comes_from_the_frequency_and_other_bands_are_left_out(mhz, channel):
    records = decode_or_none(captures.radiotap(frequency_mhz=mhz) + captures.data())

    assert (records["channel"] if records else None) == channel


def test_fields_are_found_behind_a_time_stamp_and_several_present_words():
    records = decode(captures.radiotap(tsft=1 << 40, rate=108, chained=3, signal_dbm=-71) + captures.data())

    assert (records["rssi"], records["channel"], records["rate"]) == (-71, 6, 108)


def test_mcs_aggregation_and_width_are_kept():
    records = decode(captures.radiotap(mcs=(0x07, 0x01, 5), ampdu=True) + captures.data())

    assert records["rate"] == 128 + 5
    assert records["kind"] == header.KIND_DATA | header.PHY_HT | header.PHY_40MHZ | header.PHY_AGGREGATE


def test_a_frame_cut_by_the_snap_length_has_the_length_it_had_on_the_air():
    frame = captures.radiotap() + captures.data(body=b"")
    head = captures.pcap([])
    data = head + struct.pack("<IIII", 0, 0, len(frame), len(frame) + 1000) + frame

    assert fields(read(data)[0][1])["length"] == 24 + 1000 + 4


def test_time_never_goes_back():
    frame = captures.radiotap() + captures.data()
    times = [5_000_000, 5_100_000, 5_090_000, 1_000_000, 1_200_000]

    records = [time_us for time_us, _ in read(captures.pcap([(time_us, frame) for time_us in times]))]

    assert records == [0, 100_000, 100_000, 100_000, 300_000]


def test_interfaces_of_other_link_types_are_left_out_and_counted():
    frame = captures.radiotap() + captures.data()
    data = captures.section() + captures.interface(linktype=1) + captures.interface() + captures.interface(linktype=228)
    for number in range(5):
        data += captures.enhanced(number * 1000, b"ethernet", index=0)
        data += captures.enhanced(number * 1000, frame, index=1)
    tally = pcap.Tally()

    records = list(pcap.read(io.BytesIO(data), "a.pcapng", tally=tally))

    assert (len(records), tally.other_links, tally.total) == (5, 5, 10)
    assert any("5 frames of other interfaces" in sentence for sentence in tally.sentences())


def test_the_time_offset_of_an_interface_is_added():
    frame = captures.radiotap() + captures.data()
    data = captures.section() + captures.interface(offset_s=1_700_000_000) + captures.interface()
    data += captures.enhanced(0, frame) + captures.enhanced(1_700_000_000_500_000, frame, index=1)
    data += captures.enhanced(700_000, frame)

    assert [time_us for time_us, _ in read(data)] == [0, 500_000, 700_000]


@pytest.mark.parametrize(("resolution", "ticks"), [(0x80 | 20, 1 << 20), (0x80 | 10, 1 << 10), (0, 1), (3, 1000)])
def test_the_time_resolution_may_be_a_power_of_two_or_of_ten(resolution, ticks):
    frame = captures.radiotap() + captures.data()
    data = captures.section() + captures.interface(resolution=resolution)
    data += captures.enhanced(ticks * 5, frame) + captures.enhanced(ticks * 7, frame)

    assert [time_us for time_us, _ in read(data)] == [0, 2_000_000]


def test_interfaces_whose_clocks_differ_by_years_do_not_add_their_difference_with_each_frame():
    frame = captures.radiotap() + captures.data()
    data = captures.section() + captures.interface() + captures.interface()
    year_us = 365 * 86_400_000_000
    for number in range(10):
        data += captures.enhanced(number * 100_000, frame, index=0)
        data += captures.enhanced(number * 100_000 + year_us + 50_000, frame, index=1)

    assert read(data)[-1][0] < year_us + 2_000_000


@pytest.mark.parametrize("whole", [0, 1, 50])
def test_a_frame_is_at_least_as_long_as_what_was_captured_of_it(whole):
    frame = captures.radiotap() + captures.data()
    data = captures.pcap([]) + struct.pack("<IIII", 0, 0, len(frame), whole) + frame

    assert fields(read(data)[0][1])["length"] == 24 + 60 + 4


def test_empty_frames_and_unknown_blocks_are_skipped():
    frame = captures.radiotap() + captures.data()
    data = captures.section() + captures.interface() + captures.block(0x0BAD, b"custom") + captures.block(10, b"keys")
    data += captures.enhanced(1, b"") + captures.block(4, b"names") + captures.enhanced(2, frame)

    assert len(read(data)) == 1


def test_a_simple_packet_is_cut_at_the_snap_length_of_its_interface():
    frame = captures.radiotap() + captures.data(body=b"")
    simple = captures.block(3, struct.pack("<I", len(frame) + 900) + frame + b"pad")

    (record,) = read(captures.section() + captures.interface(snap_bytes=len(frame)) + simple)

    assert fields(record[1])["length"] == 24 + 900 + 4


def test_a_frame_that_two_adapters_received_is_read_once():
    data = captures.section() + captures.interface() + captures.interface()
    for number in range(10):
        frame = captures.data(sequence=number)
        data += captures.enhanced(number * 1000, captures.radiotap(signal_dbm=-50) + frame, index=0)
        data += captures.enhanced(number * 1000 + 300, captures.radiotap(signal_dbm=-57) + frame, index=1)
    tally = pcap.Tally()

    records = list(pcap.read(io.BytesIO(data), "a.pcapng", tally=tally))

    assert (len(records), tally.copies) == (10, 10)
    assert {fields(record)["rssi"] for _, record in records} == {-50}


def test_a_frame_that_only_the_second_adapter_received_is_kept():
    data = captures.section() + captures.interface() + captures.interface()
    for number in range(10):
        frame = captures.radiotap() + captures.data(sequence=number)
        if number % 2:
            data += captures.enhanced(number * 1000, frame, index=0)
        data += captures.enhanced(number * 1000 + 300, frame, index=1)

    assert len(read(data)) == 10


def test_acknowledgements_are_paired_one_by_one():
    ack = captures.radiotap() + bytes([0xD4, 0, 0, 0]) + captures.STATION
    data = captures.section() + captures.interface() + captures.interface()
    for number in range(10):
        data += captures.enhanced(number * 400, ack, index=0) + captures.enhanced(number * 400 + 100, ack, index=1)

    assert len(read(data)) == 10


def test_repetitions_are_no_copies():
    data = captures.section() + captures.interface() + captures.interface()
    for number in range(6):
        frame = captures.radiotap() + captures.data(flags=0x01 if number == 0 else 0x09)
        data += captures.enhanced(number * 1000, frame, index=0) + captures.enhanced(number * 1000 + 90, frame, index=1)

    assert len(read(data)) == 6


def test_the_same_frame_on_two_channels_is_kept_for_both():
    data = captures.section() + captures.interface() + captures.interface()
    data += captures.enhanced(0, captures.radiotap(frequency_mhz=2437) + captures.data(), index=0)
    data += captures.enhanced(9, captures.radiotap(frequency_mhz=2442) + captures.data(), index=1)

    assert len(read(data)) == 2


def test_copies_are_recognised_in_a_file_that_names_no_adapters():
    copies = [(5, captures.radiotap(signal_dbm=-50)), (40, captures.radiotap(signal_dbm=-61))]
    frames = [(at_us, heading + captures.data()) for at_us, heading in copies]

    assert len(read(captures.pcap(frames))) == 1


def test_a_signal_in_the_antennas_only_is_the_best_of_them():
    words = (1 << 1 | 1 << 3 | 1 << 29 | 1 << 31, 1 << 5 | 1 << 11 | 1 << 29 | 1 << 31, 1 << 5 | 1 << 11)
    header = captures.raw_radiotap(
        words, b"\0\0" + struct.pack("<HH", 2412, 0x0480) + struct.pack("bBbB", -83, 0, -71, 1)
    )

    assert (decode(header + captures.data())["rssi"], decode(header + captures.data())["channel"]) == (-71, 1)


def test_a_signal_of_127_is_unknown_and_the_antennas_are_asked():
    assert decode(captures.radiotap(signal_dbm=127) + captures.data())["rssi"] == header.UNKNOWN_DBM
    assert decode(captures.radiotap(signal_dbm=127, chained=1) + captures.data())["rssi"] == -90


def test_a_frame_without_a_signal_takes_the_last_one_of_its_transmitter():
    without = captures.raw_radiotap([1 << 3], struct.pack("<HH", 2437, 0))
    frames = [
        (0, without + captures.data(sequence=1)),
        (1000, captures.radiotap(signal_dbm=-44) + captures.data(sequence=2)),
        (2000, without + captures.data(sequence=3)),
        (5_000_000, without + captures.data(sequence=4)),
    ]
    tally = pcap.Tally()

    records = list(pcap.read(io.BytesIO(captures.pcap(frames)), "a.pcap", tally=tally))

    unknown = header.UNKNOWN_DBM
    assert [fields(record)["rssi"] for _, record in records] == [unknown, -44, -44, unknown]
    assert tally.without_signal == 2


def test_a_frame_without_a_channel_is_on_channel_0_and_counted():
    frames = [(0, captures.raw_radiotap([1 << 5], b"\xc4") + captures.data())]
    tally = pcap.Tally()

    ((_, record),) = pcap.read(io.BytesIO(captures.pcap(frames)), "a.pcap", tally=tally)

    assert (fields(record)["channel"], fields(record)["rssi"], tally.without_channel) == (0, -60, 1)


@pytest.mark.parametrize(("mhz", "channel"), [(2462, 11), (2484, 14), (5180, None), (0, 0)])
def test_the_channel_may_stand_in_the_xchannel_field(mhz, channel):
    xchannel = captures.raw_radiotap([1 << 5 | 1 << 18], b"\xc4\0\0\0" + struct.pack("<IHBB", 0x140, mhz, 11, 20))

    decoded = decode_or_none(xchannel + captures.data())

    assert (decoded["channel"] if decoded else None) == channel


@pytest.mark.parametrize(("rx_flags", "kept"), [(0, True), (2, False), (1, True)])
def test_a_frame_with_a_bad_plcp_is_left_out(rx_flags, kept):
    tap = captures.raw_radiotap(
        [1 << 1 | 1 << 3 | 1 << 5 | 1 << 14], b"\0\0" + struct.pack("<HHbxH", 2437, 0, -50, rx_flags)
    )

    assert (decode_or_none(tap + captures.data()) is not None) == kept


def test_fields_of_a_vendor_are_skipped_by_the_length_that_they_say():
    for skipped in (b"", b"abc", b"\x01" * 40):
        vendor = b"\x00\x11\x22\x01" + struct.pack("<H", len(skipped)) + skipped
        words = (1 << 1 | 1 << 3 | 1 << 30 | 1 << 31, 0xFFF | 1 << 29 | 1 << 31, 1 << 5)
        tap = captures.raw_radiotap(words, b"\0\0" + struct.pack("<HH", 2437, 0) + vendor + struct.pack("b", -63))

        assert decode(tap + captures.data())["rssi"] == -63


def test_type_length_values_are_read():
    tlvs = struct.pack("<HHb3x", 5, 1, -58) + struct.pack("<HH4x", 34, 4) + struct.pack("<HHHH", 3, 4, 2462, 0)
    tap = captures.raw_radiotap([1 << 1 | 1 << 28], b"\0\0\0\0" + tlvs)

    decoded = decode(tap + captures.data())

    assert (decoded["rssi"], decoded["channel"]) == (-58, 11)
    assert decoded["kind"] == header.KIND_DATA | header.PHY_HT


@pytest.mark.parametrize("words", [[1 << 31], [1 << 30 | 1 << 31, 0], [1 << 28], [0xFFFFFFFF] * 3, [1 << 31, 7]])
@pytest.mark.parametrize("body", [b"", b"\xff" * 7, b"\0" * 60])
def test_odd_present_words_raise_nothing(words, body):
    decode_or_none(captures.raw_radiotap(words, body) + captures.data())


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends inside its magic number"),
        (b"PK\x03\x04" + bytes(40), "is not a capture"),
        (captures.pcap([], linktype=1), "Ethernet"),
        (captures.pcap([(1, captures.radiotap() + captures.data())])[:-1], "cut off"),
        (captures.pcap([])[:11], "cut off"),
        (captures.pcap([]), "no 2.4 GHz"),
        (captures.pcap([]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF), "claims a frame of 4294967295 bytes"),
        (captures.section() + struct.pack("<II", 6, 0xFFFFFFFC) + bytes(64), "claims a block"),
        (captures.section() + struct.pack("<II", 99, 0xFFFFFFFC) + bytes(64), "cut off"),
        (captures.section() + struct.pack("<II", 6, 13) + bytes(64), "block of length 13"),
        (captures.section() + captures.enhanced(1, captures.radiotap() + captures.data()), "does not define"),
        (captures.section() + captures.interface(linktype=1), "Ethernet"),
        (b"\n\r\r\n" + bytes(24), "byte-order magic"),
    ],
)
def test_a_damaged_or_foreign_file_is_refused_in_one_line_that_says_where(data, words):
    with pytest.raises(ToolError) as refused:
        read(data)

    assert words in str(refused.value)
    assert "\n" not in str(refused.value)
    assert "a.pcap" in str(refused.value)


@settings(max_examples=300, deadline=None)
@given(
    st.sampled_from(
        [b"\xd4\xc3\xb2\xa1", b"\xa1\xb2\xc3\xd4", b"\x4d\x3c\xb2\xa1", b"\n\r\r\n\x1c\0\0\0\x4d\x3c\x2b\x1a", b""]
    ),
    st.binary(max_size=400),
)
def test_any_bytes_raise_nothing_but_a_tool_error(magic, rest):
    try:
        read(magic + rest)
    except ToolError:
        pass


FRAMES = [
    captures.radiotap(tsft=5, mcs=(7, 1, 5), ampdu=True, chained=2) + captures.data(qos=0x80),
    captures.radiotap(flags=captures.FCS) + captures.block_ack(7) + b"FCS!",
    captures.radiotap(rate=2) + captures.data(flags=3, qos=1, addr4=captures.ROUTER),
]
GOOD = (
    captures.pcap(list(enumerate(FRAMES))),
    captures.section() + captures.interface(resolution=9) + b"".join(captures.enhanced(9, frame) for frame in FRAMES),
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=12),
    st.integers(0, 700),
)
def test_damage_to_a_good_file_raises_nothing_but_a_tool_error(good, changes, end):
    data = bytearray(good)
    for position, value in changes:
        data[position % len(data)] = value

    try:
        records = read(bytes(data[:end]))
    except ToolError:
        return
    assert all(len(record) == header.RECORD_BYTES for _, record in records)


def test_a_long_capture_is_read_in_little_memory():
    frame = captures.radiotap() + captures.data(body=b"x" * 1400)
    file = _Repeated(captures.pcap([]), captures.pcap([(0, frame)])[24:], 20_000)

    tracemalloc.start()
    count = sum(1 for _ in pcap.read(file, "long.pcap"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 20_000
    assert peak < 500_000


class _Repeated:
    """A file whose second part is repeated; it would be 30 MB long."""

    def __init__(self, head, part, times):
        self._left = head
        self._part, self._times = part, times

    def read(self, size):
        while len(self._left) < size and self._times:
            self._left += self._part
            self._times -= 1
        data, self._left = self._left[:size], self._left[size:]
        return data
