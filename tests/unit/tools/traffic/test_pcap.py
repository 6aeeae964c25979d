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
