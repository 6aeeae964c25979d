"""Access points: tables stay bounded, causes are named, known ones are passed over. What fires is in the vectors."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ansim.detect.camera_access_point import (
    ALARM_STREAM_MS,
    GONE_MS,
    MAX_ORDINARY,
    MAX_ROWS,
    MOST_AN_HOUR,
    CameraAccessPoint,
)
from ansim.finding import ALARM, ALARM_SCORE, CLEARED, NOTICE, RAISED, UPDATED
from ansim.frame_header import address_bytes
from ansim.messages import FINDING, finding_body
from ansim.observation import AccessPoint
from ansim.schema import check
from ansim.signatures import Tables
from ansim.uplink_schemas import BODIES

TABLES = Tables()
CAMERA = "V380-1234"


def seen(ssid=CAMERA, bssid="c2:fd:00:00:00:01", rssi_dbm=-60, security=0):
    return AccessPoint(0, ssid, address_bytes(bssid), 6, rssi_dbm, security)


def judged(*scan, at_ms=0):
    detector = CameraAccessPoint(TABLES)
    detector.access_points(list(scan), at_ms)
    return detector, detector.judge(at_ms)


def test_a_finding_names_the_network_its_evidence_and_what_else_it_could_be():
    _, (finding,) = judged(seen("IPCAM-77", "00:bc:99:00:00:01", -80))

    assert finding.label == "IPCAM-77"
    assert [row.rule for row in finding.evidence] == ["name_camera", "oui_camera", "open_network"]
    assert sum(row.weight for row in finding.evidence) >= finding.score == 100
    assert dict(finding.considered) == {"neighbour_device": "for", "visible_camera": "open", "phone_hotspot": "against"}
    assert check(BODIES[FINDING], finding_body(finding)) == []
    assert finding_body(finding)["label"] == "IPCAM-77"


def test_one_missed_scan_clears_nothing_and_long_silence_does():
    detector, _ = judged(seen())

    events = []
    for at_ms in range(30000, 200000, 30000):
        detector.access_points([], at_ms)
        events += [(finding.event, at_ms) for finding in detector.judge(at_ms)]

    assert events == [(CLEARED, GONE_MS)]


def test_silence_without_scans_is_no_silence():
    detector, _ = judged(seen())

    assert detector.judge(10 * GONE_MS) == []


def test_control_characters_in_a_name_do_not_hide_a_camera():
    [finding] = judged(seen("V380_\0abc\n\x85"))[1]

    assert finding.label == "V380_?abc??"


def test_a_name_that_is_hidden_in_a_later_scan_is_remembered():
    detector, _ = judged(seen())

    detector.access_points([seen("")], 20000)

    assert detector.judge(20000) == []


def test_a_network_that_is_renamed_is_judged_by_its_new_name():
    detector, findings = judged(seen("IPC_1"))
    assert findings == []

    detector.access_points([seen("MIPC_1")], 20000)

    assert [finding.label for finding in detector.judge(20000)] == ["MIPC_1"]


def test_a_known_access_point_is_not_reported():
    detector = CameraAccessPoint(TABLES)
    detector.ignore([address_bytes("c2:fd:00:00:00:01")])

    detector.access_points([seen()], 0)

    assert detector.judge(0) == []


def test_a_new_inspection_starts_empty():
    detector, _ = judged(seen())

    detector.forget()
    detector.access_points([seen()], 1000)

    assert [finding.event for finding in detector.judge(1000)] == [RAISED]


def test_many_weak_suspects_never_push_out_a_strong_one():
    weak = [seen(f"ESP_{place:06X}", f"24:0a:c4:00:{place // 256:02x}:{place % 256:02x}") for place in range(200)]
    detector, _ = judged(*weak)

    detector.access_points([seen()], 1000)
    detector.access_points(weak, 2000)

    assert [finding.label for finding in detector.judge(2000)] == [CAMERA]
    assert detector.stations() == (0, False)


def many(count, first=0):
    return [seen(f"V380-{place}", f"c2:fd:00:00:00:{place:02x}") for place in range(first, first + count)]


def test_more_strong_suspects_than_places_are_reported_as_full():
    detector, _ = judged(*many(MAX_ROWS + 1))

    assert detector.stations() == (0, True)
    assert detector.stations() == (0, False)


def test_many_made_up_networks_are_reported_once_and_as_such():
    detector, findings = judged(*many(40))

    for at_ms in range(5000, 3_600_000, 15_000):
        detector.access_points(many(40, at_ms // 15_000 % 200), at_ms)
        findings += detector.judge(at_ms)

    (told,) = findings
    assert (told.event, told.level) == (RAISED, NOTICE)
    assert told.evidence[0][:3] == ("made_up_networks", 40, MAX_ROWS)
    for at_ms in range(3_600_000, 3_700_000, 15_000):
        detector.access_points([], at_ms)
        findings += detector.judge(at_ms)
    assert [finding.event for finding in findings[1:]] == [CLEARED]


def test_a_full_table_hides_no_camera_for_good():
    real = seen("IPCAM-0815", "c2:fd:00:00:01:00")
    detector, findings = judged(*many(MAX_ROWS))
    detector.access_points([*many(MAX_ROWS), real], 15_000)
    findings += detector.judge(15_000)
    assert "IPCAM-0815" not in [finding.label for finding in findings]

    for at_ms in range(30_000, 200_000, 15_000):
        detector.access_points([real], at_ms)
        findings += detector.judge(at_ms)

    assert ("IPCAM-0815", RAISED) in [(finding.label, finding.event) for finding in findings]


def test_networks_that_come_and_go_raise_a_bounded_number_of_findings_in_an_hour():
    detector, findings = judged()
    for at_ms in range(0, 3_600_000, 15_000):
        detector.access_points(many(3, at_ms // 100_000 * 3 % 240), at_ms)
        findings += detector.judge(at_ms)

    assert len([finding for finding in findings if finding.event == RAISED]) == MOST_AN_HOUR


def test_known_networks_take_no_row():
    detector = CameraAccessPoint(TABLES)
    known = many(MAX_ROWS + 20)
    detector.ignore([access_point.bssid for access_point in known])

    detector.access_points([*known, seen("IPCAM-0815", "c2:fd:00:00:01:00")], 0)

    assert [finding.label for finding in detector.judge(0)] == ["IPCAM-0815"]


def test_a_name_and_a_maker_are_a_notice_and_a_stream_that_goes_on_makes_an_alarm():
    bssid = "00:bc:99:00:00:01"
    detector, findings = judged(seen("IPCAM-77", bssid))
    for at_ms in range(1000, 600_000, 15_000):
        detector.access_points([seen("IPCAM-77", bssid)], at_ms)
        findings += detector.judge(at_ms)
    assert {finding.level for finding in findings} == {NOTICE}

    for at_ms in range(600_000, 660_000, 1000):
        detector.traffic(address_bytes(bssid), at_ms, 500, 1)
        findings += detector.judge(at_ms)

    (alarm,) = [finding for finding in findings if finding.level == ALARM]
    assert alarm.event == UPDATED
    assert ("alarm_listened_s", ALARM_STREAM_MS // 1000) in [(row.rule, row.value) for row in alarm.evidence]


@pytest.mark.parametrize(
    "camera", ["IPC-ABC123", "IPC_1", "XM-1", "HD_AP_1", "SmartLife-1", "ESP_123456", "Tapo_1", "GoPro 1"]
)
@pytest.mark.parametrize("bssid", ["24:0a:c4:00:00:01", "10:d5:61:00:00:01", "c2:fd:00:00:00:01"])
def test_brand_and_weak_names_on_modules_never_raise(camera, bssid):
    assert judged(seen(camera, bssid, -30, 0))[1] == []


def test_a_stream_of_its_own_raises_a_weak_name_while_it_lasts():
    detector, _ = judged(seen("ESP32-CAM test", "24:0a:c4:00:00:01"))

    detector.traffic(address_bytes("24:0a:c4:00:00:01"), 1000, 500, 1)
    raised = detector.judge(1000)
    cleared = detector.judge(70000)

    assert [finding.event for finding in raised + cleared] == [RAISED, CLEARED]
    assert raised[0].score >= ALARM_SCORE


AN_ACCESS_POINT = st.builds(
    AccessPoint,
    st.integers(0, 1 << 40),
    st.one_of(st.text(max_size=32), st.sampled_from([CAMERA, "IPC_1", "iptime", ""])),
    st.one_of(st.binary(min_size=6, max_size=6), st.just(b"\x00\xbc\x99\x00\x00\x01")),
    st.integers(1, 14),
    st.integers(-128, 20),
    st.integers(0, 10),
)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.tuples(st.lists(AN_ACCESS_POINT, max_size=20), st.integers(-100000, 100000)), max_size=8))
def test_no_scan_breaks_it_or_makes_it_grow(scans):
    detector = CameraAccessPoint(TABLES)
    now_ms = 0
    for scan, later_ms in scans:
        now_ms = max(0, now_ms + later_ms)
        detector.access_points(scan, now_ms)
        for finding in detector.judge(now_ms):
            assert check(BODIES[FINDING], finding_body(finding)) == []

    assert len(detector._rows) <= MAX_ROWS
    assert len(detector._ordinary) <= MAX_ORDINARY
