"""Topics and header records: the two shapes everything else is made of."""

import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansim import frame_header, topics


def test_a_topic_and_its_parts_are_the_same_thing():
    for leaf in topics.FROM_SENSOR + topics.TO_SENSOR:
        assert topics.parse(topics.topic("hall-1", leaf)) == ("hall-1", leaf)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "ansim/1/hall",
        "ansim/2/hall/report",
        "ansim/1/Hall/report",
        "ansim/1/hall/gossip",
        "ansim/1/+/report",
        "x" * 5000,
    ],
)
def test_a_foreign_topic_is_refused(text):
    with pytest.raises(topics.BadTopic):
        topics.parse(text)


@given(st.text(max_size=60))
def test_no_topic_raises_another_exception(text):
    try:
        assert topics.topic(*topics.parse(text)) == text
    except topics.BadTopic:
        pass


def test_the_record_format_and_the_offsets_say_the_same():
    record = bytearray(frame_header.RECORD_BYTES)
    addresses = b"aaaaaa", b"bbbbbb", b"cccccc"

    frame_header.pack_into(
        record,
        0,
        (1 << 32) + 77,
        1538,
        0x4188,
        -61,
        6,
        *addresses,
        sequence=0x1230,
        rate=135,
        duration_us=44,
        extra=0x80,
    )

    assert struct.calcsize(frame_header.RECORD_FORMAT) == frame_header.RECORD_BYTES
    assert record[frame_header.TIME_US] == 77
    assert record[frame_header.FRAME_CONTROL] == frame_header.SUBTYPE_QOS_DATA
    assert record[frame_header.FLAGS] == 0x41
    assert record[frame_header.RSSI_DBM] == 256 - 61
    assert record[frame_header.CHANNEL] == 6
    assert record[frame_header.KIND] == frame_header.KIND_DATA
    assert bytes(record[frame_header.ADDR1 : frame_header.ADDR1 + 18]) == b"".join(addresses)
    assert record[frame_header.EXTRA] == frame_header.EXTRA_AMSDU
    assert record[frame_header.SEQUENCE + 1] == 0x12


def test_an_address_is_written_in_one_way():
    assert frame_header.address_text(b"\xc0\xff\xee\x00\x00\x01") == "c0:ff:ee:00:00:01"
    assert frame_header.address_bytes("c0:ff:ee:00:00:01") == b"\xc0\xff\xee\x00\x00\x01"
    assert frame_header.is_local(b"\xc2\xff\xee\x00\x00\x01")
    with pytest.raises(ValueError, match="is not an address"):
        frame_header.address_bytes("c0ffee")
