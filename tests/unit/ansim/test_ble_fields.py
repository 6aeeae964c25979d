"""Advertisements are read as the specification says, and nothing on the air can break the reader."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ansim.ble_fields import BadPayload, advertised, ble_fields


def test_fields_are_read_in_order_until_the_padding():
    assert ble_fields(b"\x02\x01\x06\x03\x09Hi\x00\xff\xff") == [(0x01, b"\x06"), (0x09, b"Hi")]


def test_a_field_that_is_cut_off_is_refused():
    with pytest.raises(BadPayload):
        ble_fields(b"\x02\x01\x06\x09\x09abc")


def test_what_came_before_a_cut_off_field_still_counts():
    fields = advertised(b"\x05\x09V380\x09\xff\xd0")

    assert (fields.name, fields.maker, fields.damaged) == ("V380", None, True)


@pytest.mark.parametrize(
    ("payload", "services"),
    [
        (b"\x05\x03\x50\xfd\x5f\xfd", [0xFD50, 0xFD5F]),
        (b"\x04\x16\x50\xfd\x01", [0xFD50]),
        (b"\x11\x07\xfb\x34\x9b\x5f\x80\x00\x00\x80\x00\x10\x00\x00\x50\xfd\x00\x00", [0xFD50]),
        (b"\x11\x07" + bytes(16), []),
        (b"\x04\x03\x50\xfd\x5f", [0xFD50]),
    ],
    ids=["list", "service data", "written out in full", "another 128-bit one", "odd length"],
)
def test_services_are_found_in_every_form(payload, services):
    assert advertised(payload).services == services


def test_the_complete_name_wins_over_the_short_one():
    assert advertised(b"\x03\x09Hi\x02\x08H").name == "Hi"
    assert advertised(b"\x02\x08H\x03\x09Hi").name == "Hi"


def test_a_name_that_is_not_utf_8_is_still_text():
    assert advertised(b"\x04\x09\xffa\x00").name == "?a?"


@given(st.binary(max_size=255))
def test_no_payload_breaks_the_reader(payload):
    sender = advertised(payload)

    assert all(0 <= service <= 0xFFFF for service in sender.services)
    assert sender.maker is None or 0 <= sender.maker <= 0xFFFF
    try:
        fields = ble_fields(payload)
    except BadPayload:
        assert sender.damaged
    else:
        assert not sender.damaged
        assert sum(len(data) + 2 for _, data in fields) <= len(payload)


@given(st.lists(st.tuples(st.integers(1, 255), st.binary(max_size=20)), max_size=6))
def test_what_was_written_is_what_is_read(fields):
    payload = b"".join(bytes([len(data) + 1, kind]) + data for kind, data in fields)

    assert ble_fields(payload) == fields
