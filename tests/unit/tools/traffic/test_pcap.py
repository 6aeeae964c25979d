"""Captures of every form become header records, and damaged ones end in one line."""

import io
import struct
import tracemalloc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim import frame_header as header
from tests.support import made_captures as made
from tools.lib.errors import ToolError
from tools.traffic import pcap


def read(data):
    return list(pcap.read(io.BytesIO(data), "a.pcap"))


def fields(record):
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


def one(frame):
    """The only record of a capture with this frame; None if it was left out."""
    beacon = made.radiotap() + b"\x80\0" + bytes(22) + b"x" * 40
    found = read(made.pcap([(5, beacon), (10, frame)]))
    return fields(found[1][1]) if len(found) == 2 else None


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("nanoseconds", [False, True])
def test_a_pcap_of_any_byte_order_and_resolution_is_read(order, nanoseconds):
    frames = [
        (1_700_000_000_000_000, made.radiotap() + made.data()),
        (1_700_000_000_250_000, made.radiotap() + made.data()),
    ]

    found = read(made.pcap(frames, order, nanoseconds))

    assert [time_us for time_us, _ in found] == [0, 250_000]


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_pcapng_with_two_interfaces_keeps_each_one_s_clock(order):
    frame = made.radiotap() + made.data()
    data = made.section(order) + made.interface(order) + made.interface(order, resolution=9)
    data += made.enhanced(2_000_000, frame, order, 0) + made.enhanced(2_500_000_000, frame, order, 1)
    data += made.block(5, b"statistics, of no use here", order)

    found = read(data)

    assert [time_us for time_us, _ in found] == [0, 500_000]


def test_sections_of_different_byte_order_may_follow_each_other():
    frame = made.radiotap() + made.data()
    data = b"".join(made.section(order) + made.interface(order) + made.enhanced(7, frame, order) for order in "<><")

    assert len(read(data)) == 3


def test_simple_and_old_packet_blocks_are_read():
    frame = made.radiotap() + made.data()
    simple = made.block(3, struct.pack("<I", len(frame)) + frame)
    old = made.block(2, struct.pack("<HHIIII", 0, 0, 0, 9, len(frame), len(frame)) + frame)

    assert len(read(made.section() + made.interface() + simple + old)) == 2


def test_a_data_frame_keeps_its_header_and_counts_the_fcs():
    found = one(made.radiotap(flags=made.NO_FCS) + made.data(qos=0x0080, body=b"x" * 100))

    assert found["length"] == 26 + 100 + 4
    assert (found["addr1"], found["addr2"], found["addr3"]) == (made.ACCESS_POINT, made.STATION, made.ROUTER)
    assert found["kind"] == header.KIND_DATA
    assert found["sequence"] == 100 << 4
    assert found["extra"] & header.EXTRA_AMSDU
    assert (found["rssi"], found["channel"], found["duration"]) == (-52, 6, 44)


def test_an_fcs_that_was_captured_is_not_counted_twice():
    assert one(made.radiotap(flags=made.FCS) + made.data() + b"FCS!")["length"] == 24 + 60 + 4


def test_a_frame_with_a_bad_fcs_is_left_out():
    assert one(made.radiotap(flags=made.BAD_FCS) + made.data() + b"FCS!") is None


def test_a_four_address_frame_has_its_qos_control_behind_the_fourth():
    found = one(made.radiotap() + made.data(flags=0x03, qos=0x1234, addr4=made.ROUTER))

    assert found["extra"] == 0x1234
    assert found["addr2"] == made.STATION


def test_a_block_ack_counts_the_frames_it_acknowledges():
    found = one(made.radiotap() + made.block_ack(0b1011))

    assert (found["kind"], found["addr1"], found["addr2"], found["extra"]) == (
        header.KIND_CONTROL,
        made.STATION,
        made.ACCESS_POINT,
        3,
    )


def test_the_fcs_behind_a_block_ack_is_not_part_of_its_bitmap():
    assert one(made.radiotap(flags=made.FCS) + made.block_ack(1) + b"\xff\xff\xff\xff")["extra"] == 1


@pytest.mark.parametrize(("subtype", "kept"), [(0xD4, True), (0xC4, True), (0xB4, False), (0xA4, False), (0x84, False)])
def test_of_the_control_frames_only_answers_are_kept(subtype, kept):
    frame = bytes([subtype, 0, 0, 0]) + made.STATION + made.ACCESS_POINT

    assert (one(made.radiotap() + frame) is not None) == kept


@pytest.mark.parametrize(("mhz", "channel"), [(2412, 1), (2472, 13), (2484, 14), (5180, None), (2417, 2), (2420, None)])
def test_the_channel_comes_from_the_frequency_and_other_bands_are_left_out(mhz, channel):
    found = one(made.radiotap(frequency_mhz=mhz) + made.data())

    assert (found["channel"] if found else None) == channel


def test_fields_are_found_behind_a_time_stamp_and_several_present_words():
    found = one(made.radiotap(tsft=1 << 40, rate=108, chained=3, signal_dbm=-71) + made.data())

    assert (found["rssi"], found["channel"], found["rate"]) == (-71, 6, 108)


def test_mcs_aggregation_and_width_are_kept():
    found = one(made.radiotap(mcs=(0x07, 0x01, 5), ampdu=True) + made.data())

    assert found["rate"] == 128 + 5
    assert found["kind"] == header.KIND_DATA | header.PHY_HT | header.PHY_40MHZ | header.PHY_AGGREGATE


def test_a_frame_cut_by_the_snap_length_has_the_length_it_had_on_the_air():
    frame = made.radiotap() + made.data(body=b"")
    head = made.pcap([])
    data = head + struct.pack("<IIII", 0, 0, len(frame), len(frame) + 1000) + frame

    assert fields(read(data)[0][1])["length"] == 24 + 1000 + 4


def test_time_never_goes_back():
    frame = made.radiotap() + made.data()
    times = [5_000_000, 5_100_000, 5_090_000, 1_000_000, 1_200_000]

    found = [time_us for time_us, _ in read(made.pcap([(time_us, frame) for time_us in times]))]

    assert found == [0, 100_000, 100_000, 100_000, 300_000]


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (b"", "ends inside its magic number"),
        (b"PK\x03\x04" + bytes(40), "is not a capture"),
        (made.pcap([], linktype=1), "Ethernet"),
        (made.pcap([(1, made.radiotap() + made.data())])[:-1], "cut off"),
        (made.pcap([])[:11], "cut off"),
        (made.pcap([]), "no 2.4 GHz"),
        (made.pcap([]) + struct.pack("<IIII", 0, 0, 0xFFFFFFFF, 0xFFFFFFFF), "claims a frame of 4294967295 bytes"),
        (made.section() + struct.pack("<II", 6, 0xFFFFFFFC) + bytes(64), "claims a block"),
        (made.section() + struct.pack("<II", 99, 0xFFFFFFFC) + bytes(64), "cut off"),
        (made.section() + struct.pack("<II", 6, 13) + bytes(64), "block of length 13"),
        (made.section() + made.enhanced(1, made.radiotap() + made.data()), "does not define"),
        (made.section() + made.interface(linktype=1), "Ethernet"),
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
def test_no_bytes_whatever_raise_anything_but_a_tool_error(magic, rest):
    try:
        read(magic + rest)
    except ToolError:
        pass


FRAMES = [
    made.radiotap(tsft=5, mcs=(7, 1, 5), ampdu=True, chained=2) + made.data(qos=0x80),
    made.radiotap(flags=made.FCS) + made.block_ack(7) + b"FCS!",
    made.radiotap(rate=2) + made.data(flags=3, qos=1, addr4=made.ROUTER),
]
GOOD = (
    made.pcap(list(enumerate(FRAMES))),
    made.section() + made.interface(resolution=9) + b"".join(made.enhanced(9, frame) for frame in FRAMES),
)


@settings(max_examples=400, deadline=None)
@given(
    st.sampled_from(GOOD),
    st.lists(st.tuples(st.integers(0, 600), st.integers(0, 255)), max_size=12),
    st.integers(0, 700),
)
def test_no_damage_to_a_good_file_raises_anything_but_a_tool_error(good, changes, end):
    data = bytearray(good)
    for at, value in changes:
        data[at % len(data)] = value

    try:
        found = read(bytes(data[:end]))
    except ToolError:
        return
    assert all(len(record) == header.RECORD_BYTES for _, record in found)


def test_a_long_capture_is_read_in_little_memory():
    frame = made.radiotap() + made.data(body=b"x" * 1400)
    file = _Repeated(made.pcap([]), made.pcap([(0, frame)])[24:], 20_000)

    tracemalloc.start()
    count = sum(1 for _ in pcap.read(file, "long.pcap"))
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()

    assert count == 20_000
    assert peak < 500_000


class _Repeated:
    """A file whose second part comes again and again; it would be 30 MB long."""

    def __init__(self, head, part, times):
        self._left = head
        self._part, self._times = part, times

    def read(self, size):
        while len(self._left) < size and self._times:
            self._left += self._part
            self._times -= 1
        given, self._left = self._left[:size], self._left[size:]
        return given
