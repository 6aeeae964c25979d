"""Beacons: bounded, fuzzed, and a crowd of phones takes no place. What fires is in the vectors."""

from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.detect.camera_beacon import MAX_ORDINARY, MAX_ROWS, CameraBeacon
from ansim.finding import RAISED
from ansim.messages import FINDING, finding_body
from ansim.observation import Advertisement
from ansim.schema import check
from ansim.signatures import Tables
from ansim.uplink_schemas import BODIES

TABLES = Tables()
V380 = b"\x0d\x09V380_1234567"


def ad(address=b"\xc4\x00\x00\x00\x00\x01", payload=V380, at_ms=0, address_type=1, rssi_dbm=-60):
    return Advertisement(at_ms, address, address_type, rssi_dbm, payload)


def told_about(*ads):
    detector = CameraBeacon(TABLES)
    for advertisement in ads:
        detector.advertisement(advertisement)
    return detector.judge(ads[-1].at_ms)


def test_a_finding_carries_the_name_and_fits_the_report():
    (finding,) = told_about(ad())

    assert (finding.event, finding.label, finding.channel) == (RAISED, "V380_1234567", 0)
    assert check(BODIES[FINDING], finding_body(finding)) == []


def test_control_characters_in_a_name_do_not_hide_a_camera():
    [finding] = told_about(ad(payload=b"\x0a\x09V380_\0abc"))

    assert finding.label == "V380_?abc"


def test_a_name_in_a_scan_response_is_joined_with_the_services_before_it():
    services = b"\x05\x03\x50\xfd\x00\x00"

    (finding,) = told_about(ad(payload=services), ad(payload=V380))

    assert [row.rule for row in finding.evidence] == ["beacon_name_camera", "beacon_service_weak"]


def test_the_makers_address_counts_only_if_it_is_public():
    reolink = b"\x08\x09Reolink"

    assert told_about(ad(b"\xec\x71\xdb\x00\x00\x01", reolink, address_type=0))
    assert not told_about(ad(b"\xec\x71\xdb\x00\x00\x01", reolink, address_type=1))


def test_a_crowd_of_phones_takes_no_place_and_does_not_hide_a_camera():
    phones = [ad(bytes([0x40, 0, 0, 0, at // 256, at % 256]), b"\x05\xff\x4c\x00\x10\x05") for at in range(1000)]

    (finding,) = told_about(*phones, ad(), *phones)

    assert finding.label == "V380_1234567"


def test_many_weak_suspects_never_push_out_a_strong_one():
    plugs = [ad(bytes([0xD4, 0, 0, 0, 0, at]), b"\x03\x03\x50\xfd") for at in range(100)]
    detector = CameraBeacon(TABLES)

    for advertisement in (*plugs, ad(), *plugs):
        detector.advertisement(advertisement)

    assert [finding.label for finding in detector.judge(0)] == ["V380_1234567"]
    assert len(detector._rows) == MAX_ROWS
    assert detector.stations() == (0, False)


def test_a_known_beacon_is_not_reported_and_a_new_inspection_starts_empty():
    detector = CameraBeacon(TABLES)
    detector.ignore([ad().address])
    detector.advertisement(ad())
    assert detector.judge(0) == []

    detector.ignore([])
    detector.forget()
    assert detector.judge(0) == []
    detector.advertisement(ad())
    assert len(detector.judge(0)) == 1


@settings(max_examples=60, deadline=None)
@given(
    st.lists(
        st.builds(
            ad,
            st.binary(min_size=6, max_size=6),
            st.one_of(
                st.binary(max_size=31), st.sampled_from([V380, b"\x03\x03\x50\xfd", b"\x05\xff\xab\x01\x00\x00"])
            ),
            st.integers(0, 1 << 40),
            st.integers(0, 3),
            st.integers(-128, 20),
        ),
        max_size=40,
    )
)
def test_no_advertisement_breaks_it_or_makes_it_grow(ads):
    detector = CameraBeacon(TABLES)
    for advertisement in ads:
        detector.advertisement(advertisement)
        for finding in detector.judge(advertisement.at_ms):
            assert check(BODIES[FINDING], finding_body(finding)) == []

    assert len(detector._rows) <= MAX_ROWS
    assert len(detector._ordinary) <= MAX_ORDINARY
