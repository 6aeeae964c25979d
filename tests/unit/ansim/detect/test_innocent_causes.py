"""Which innocent explanations fit what was heard."""

import pytest

from ansim.detect import camera_evidence as evidence
from ansim.detect.camera_evidence import RSSI_ZERO, UNKNOWN
from ansim.detect.innocent_causes import AGAINST, ALARM_CALL_MS, ALARM_DATA_MS, ALARM_MS, FOR, OPEN, least_ms, weigh


def measured(**known):
    """Values of a camera-like station, some of them changed."""
    values = [UNKNOWN] * len(evidence.RULES)
    usual = {
        "UPLINK_KBPS": 600,
        "UPLINK_SHARE": 930,
        "MEAN_UP": 1000,
        "MEAN_DOWN": 105,
        "DUTY": 1000,
        "SMALL_UP": 80,
        "MAX_LENGTH_SHARE": 600,
        "LOCAL_ADDRESS": 0,
        "PERSISTENCE_S": 5,
        "RSSI_PEAK": RSSI_ZERO - 60,
        "RSSI_SPAN": 0,
    }
    for name, value in {**usual, **known}.items():
        values[getattr(evidence, name)] = value
    return values


def considered(**known):
    """Causes and verdicts for a camera-like station, some of its values changed."""
    return dict(weigh(measured(**known)))


@pytest.mark.parametrize(
    ("known", "least"),
    [
        ({"GOP": 85, "VARIATION": 850}, ALARM_MS),
        ({"GOP": 661, "VARIATION": 295, "UPLINK_KBPS": 153}, ALARM_MS),
        ({"GOP": 150, "VARIATION": 250}, ALARM_CALL_MS),
        ({"GOP": 600, "VARIATION": 700, "SMALL_UP": 430}, ALARM_CALL_MS),
        ({"GOP": 150, "VARIATION": 250, "UPLINK_KBPS": 340}, ALARM_DATA_MS),
        ({"GOP": 250, "VARIATION": 1000, "MAX_LENGTH_SHARE": 950}, ALARM_DATA_MS),
        ({"GOP": 638, "VARIATION": 1250, "MAX_LENGTH_SHARE": 975}, ALARM_DATA_MS),
        ({"GOP": 500, "VARIATION": 1549, "MAX_LENGTH_SHARE": 971}, ALARM_MS),
        ({"GOP": 961, "VARIATION": 827, "MAX_LENGTH_SHARE": 899}, ALARM_MS),
        ({"GOP": 231, "VARIATION": 800, "FINE_DUTY": 456, "LOSS": 0}, ALARM_DATA_MS),
        ({"GOP": 237, "VARIATION": 1045, "FINE_DUTY": 644, "LOSS": 0}, ALARM_MS),
        ({"GOP": 306, "VARIATION": 1295, "FINE_DUTY": 527, "LOSS": 450}, ALARM_MS),
        ({"GOP": 961, "VARIATION": 827, "FINE_DUTY": 307, "LOSS": 0}, ALARM_MS),
        ({"GOP": 520, "VARIATION": 1660, "MAX_LENGTH_SHARE": 970}, ALARM_MS),
        ({"MEAN_DOWN": UNKNOWN, "HEARD_MS": 9000}, ALARM_DATA_MS),
    ],
)
def test_what_a_call_sound_or_an_upload_may_be_needs_longer_for_an_alarm(known, least):
    assert least_ms(measured(**known)) == least


def test_at_first_most_is_open():
    verdicts = considered()

    assert verdicts["live_stream_phone"] == verdicts["iot_burst"] == verdicts["neighbour_camera"] == OPEN
    assert verdicts["voice_call"] == AGAINST
    assert "router_download" not in verdicts


@pytest.mark.parametrize(
    ("cause", "known", "verdict"),
    [
        ("video_call", {"UPLINK_SHARE": 550}, FOR),
        ("video_call", {"MEAN_DOWN": 600, "UPLINK_SHARE": 850}, FOR),
        ("video_call", {"MEAN_DOWN": 600, "UPLINK_SHARE": 930}, OPEN),
        ("video_call", {"MEAN_DOWN": 220, "UPLINK_SHARE": 778}, FOR),
        ("video_call", {"MEAN_DOWN": 124, "UPLINK_SHARE": 787}, OPEN),
        ("video_call", {"COMMON_LENGTH": 190, "GOP": 700}, FOR),
        ("video_call", {"COMMON_LENGTH": 190, "GOP": 700, "UPLINK_KBPS": 68}, AGAINST),
        ("video_call", {"COMMON_LENGTH": 279, "GOP": 700}, AGAINST),
        ("video_call", {"GOP": 700}, AGAINST),
        ("video_call", {"PERSISTENCE_S": 4000}, AGAINST),
        ("live_stream_phone", {"LOCAL_ADDRESS": 1, "GOP": 100}, FOR),
        ("live_stream_phone", {"LOCAL_ADDRESS": 1, "GOP": 700}, FOR),
        ("live_stream_phone", {"LOCAL_ADDRESS": 0, "GOP": 100}, OPEN),
        ("bulk_upload", {"MAX_LENGTH_SHARE": 995, "GOP": 50}, FOR),
        ("bulk_upload", {"MAX_LENGTH_SHARE": 995, "VARIATION": 60}, FOR),
        ("bulk_upload", {"MAX_LENGTH_SHARE": 900}, OPEN),
        ("bulk_upload", {"MAX_LENGTH_SHARE": 600}, AGAINST),
        ("screen_share", {"PERSISTENCE_S": 90, "GOP": 700}, AGAINST),
        ("iot_burst", {"PERSISTENCE_S": 30}, AGAINST),
        ("neighbour_camera", {"RSSI_PEAK": RSSI_ZERO - 84}, FOR),
        ("neighbour_camera", {"RSSI_PEAK": RSSI_ZERO - 45, "RSSI_SPAN": 20}, AGAINST),
        ("neighbour_camera", {"RSSI_PEAK": RSSI_ZERO - 45, "RSSI_SPAN": 2}, OPEN),
    ],
)
def test_what_was_heard_speaks_for_or_against(cause, known, verdict):
    assert considered(**known)[cause] == verdict


def test_an_access_point_is_compared_with_a_download():
    assert considered(OWN_SOURCE=1000, SINGLE_CLIENT=500)["router_download"] == FOR
    assert considered(OWN_SOURCE=1000, SINGLE_CLIENT=1000)["router_download"] == OPEN
    assert considered(OWN_SOURCE=1000, SINGLE_CLIENT=1000, OPEN_NETWORK=1, GOP=600)["router_download"] == AGAINST
