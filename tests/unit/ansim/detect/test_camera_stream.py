"""When the stream detector raises, what it says of it, and when it takes it back."""

import json
from array import array

import pytest

from ansim import messages
from ansim.decode import decode_message
from ansim.detect import camera_evidence as evidence
from ansim.detect import weights
from ansim.detect.camera_stream import ALARM_URGENCY, CLEAR_SCORE, MAX_EVIDENCE, NOTICE_SCORE, UNMET_SCORE, CameraStream
from ansim.finding import ALARM, CLEARED, NOTICE, RAISED, UPDATED
from ansim.frame_header import address_text
from ansim.observation import AccessPoint
from ansim.signatures import CAMERA as CAMERA_TIER
from ansim.signatures import Sign
from tests.conftest import ROOT
from tests.support import stream_traffic
from tests.support.stream_traffic import CHANNEL, access_point, play, station
from tests.vectors.make_camera_stream import DAY_MS, KEY_FRAMES, PPPP

VECTORS = json.loads((ROOT / "tests/vectors/camera_stream.json").read_text())["vectors"]
CAMERA = [[0, DAY_MS, 25_000, "up", KEY_FRAMES], [10, DAY_MS, 60_000, "down", [94]]]
OWN_STREAM = [[0, DAY_MS, 20_000, "own", PPPP], [4, DAY_MS, 160_000, "back", [94]]]
# Vectors that have all that speaks for a camera but one necessary condition, and its place in the values.
UNMET = {
    "too slow for a picture": evidence.UPLINK_KBPS,
    "too much comes back": evidence.UPLINK_SHARE,
    "frames too small for a picture": evidence.MEAN_UP,
    "no packet as long as a picture's": evidence.MAX_LENGTH,
}


def listening():
    detector = CameraStream()
    detector.tune(CHANNEL, 0)
    return detector


def about_cameras(findings):
    return [finding for finding in findings if finding.kind == "camera_stream"]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_a_vector_gives_its_expected_findings(vector):
    findings = json.loads(json.dumps(stream_traffic.run_vector(vector, CameraStream())))

    assert findings == vector["expect"]


@pytest.mark.parametrize("vector", VECTORS, ids=[vector["name"] for vector in VECTORS])
def test_a_vector_fires_and_stands_as_decided_by_hand(vector):
    events = [row[0] for row in stream_traffic.run_vector(vector, CameraStream()) if row[1] == "camera_stream"]

    assert (RAISED in events) == vector["fires"]
    assert (bool(events) and events[-1] != CLEARED) == vector["stands"]


def test_a_camera_is_noticed_within_ten_seconds_with_its_reasons():
    (raised,) = play(listening(), CAMERA, 10)

    assert (raised.event, raised.level) == (RAISED, NOTICE)
    assert raised.at_ms <= 8000
    assert raised.subject == address_text(station())
    assert raised.bssid == address_text(access_point())
    assert (raised.channel, raised.rssi_dbm) == (CHANNEL, -55)
    assert raised.score >= NOTICE_SCORE
    assert {"uplink_kbps", "uplink_share_permille", "mean_down_bytes"} <= {row.rule for row in raised.evidence}
    assert dict(raised.considered)["video_call"] == "open"


@pytest.mark.parametrize(
    "vector", [vector for vector in VECTORS if vector["name"] in UNMET], ids=lambda vector: vector["name"]
)
def test_without_its_necessary_condition_other_evidence_would_be_enough(vector):
    place = UNMET[vector["name"]]
    others = tuple(condition for condition in evidence.NECESSARY if condition[0] != place)

    assert RAISED in [row[0] for row in stream_traffic.run_vector(vector, CameraStream(necessary=others))]


def test_a_finding_whose_condition_fails_is_cleared():
    talks_back = [10_000, DAY_MS, 4_000, "down", [210, 150]]

    events = [finding.event for finding in play(listening(), [*CAMERA, talks_back], 40) if finding.event != UPDATED]

    assert events == [RAISED, CLEARED]


def levels(findings):
    """[(seconds, level, rule of the first evidence), ...] of the events that change the level."""
    changes, before = [], ""
    for finding in about_cameras(findings):
        if finding.event != CLEARED and finding.level != before:
            changes.append((finding.at_ms // 1000, finding.level, finding.evidence[0].rule))
        before = "" if finding.event == CLEARED else finding.level
    return changes


def test_a_camera_that_goes_on_is_an_alarm_within_a_minute_and_says_why():
    findings = play(listening(), CAMERA, 60)

    (_, first, _), (at_s, second, rule) = levels(findings)
    assert (first, second) == (NOTICE, ALARM)
    assert 50 <= at_s <= 60
    assert rule == "alarm_listened_s"


def test_a_camera_that_stops_before_is_never_an_alarm():
    stops = [[*flow[:1], 45_000, *flow[2:]] for flow in CAMERA]

    findings = play(listening(), stops, 60)

    assert {finding.level for finding in findings} == {NOTICE}
    assert findings[-1].event == CLEARED


def test_an_alarm_is_earned_across_dwells():
    detector, findings = listening(), []
    for second in range(0, 90, 15):
        detector.tune(CHANNEL, second * 1000)
        findings += play(detector, CAMERA, 9, from_second=second)
        detector.tune(1, (second + 9) * 1000)

    ((_, _, _), (at_s, level, rule)) = levels(findings)
    assert (level, rule) == (ALARM, "alarm_listened_s")
    assert at_s <= 75


def test_a_phone_is_no_alarm_while_the_innocent_cause_fits():
    findings = play(listening(), [[*flow, {"local": True}] for flow in CAMERA], 120)

    assert findings
    assert {finding.level for finding in findings} == {NOTICE}
    assert dict(findings[-1].considered)["live_stream_phone"] == "for"


def test_an_alarm_that_becomes_a_call_is_a_notice_again():
    answers = [60_000, DAY_MS, 20_000, "down", [700]]

    findings = play(listening(), [*CAMERA, answers], 100)

    assert [level for _, level, _ in levels(findings)][:3] == [NOTICE, ALARM, NOTICE]
    assert levels(findings)[2][2] == "alarm_innocent"


def test_a_movement_test_that_answers_makes_an_alarm_at_once():
    detector = listening()
    play(detector, CAMERA, 10)

    detector.moved(station(), 8000)
    findings = play(detector, CAMERA, 1, from_second=10)

    assert [(finding.level, finding.evidence[0].rule) for finding in findings] == [(ALARM, "alarm_movement_ppm")]
    detector.moved(station(9), 8000)  # of one that is not followed


def test_a_camera_makers_address_makes_an_alarm_and_says_so():
    class Makers:
        def oui(self, address):
            return Sign(7, CAMERA_TIER, "") if address == station() else None

    detector = CameraStream(tables=Makers())
    detector.tune(CHANNEL, 0)

    findings = play(detector, CAMERA, 12)

    assert [finding.level for finding in findings] == [NOTICE, ALARM]
    assert findings[1].evidence[0].rule == "alarm_signature"
    assert ("oui_camera", 7) in [(row.rule, row.value) for row in findings[0].evidence]


def test_what_fails_the_conditions_is_let_go():
    slow = [[0, DAY_MS, 90_000, "up", [1300, 300, 300, 300]], [4, DAY_MS, 90_000, "down", [94]]]
    detector = listening()

    play(detector, slow, 12)

    assert [channel for channel, urgency in detector.candidates(12_000) if urgency] == []


def test_every_finding_fits_into_a_report():
    detector = listening()
    findings = play(detector, [*CAMERA, [0, DAY_MS, 40_000, "ack", [32], {"acked": 6, "sta": 9}]], 40)
    detector.tune(CHANNEL, 300_000)
    findings += detector.judge(301_000)

    assert {finding.event for finding in findings} >= {RAISED, UPDATED, CLEARED}
    for finding in findings:
        report = messages.report(1, 1, "", finding.at_ms, None, "", messages.FINDING, messages.finding_body(finding))
        assert decode_message("report", messages.encode(report)) == report
        assert len(finding.evidence) <= MAX_EVIDENCE


def test_the_points_of_the_evidence_and_the_base_make_the_score():
    raised = play(listening(), CAMERA, 10)[0]

    assert raised.score == weights.BASE + sum(row.weight for row in raised.evidence)


def test_one_visit_makes_a_candidate_and_a_dwell_a_finding():
    detector = CameraStream()
    detector.tune(CHANNEL, 0)
    sequences = {}
    visit = stream_traffic.records(CAMERA, 0, 350, sequences)
    detector.take(bytearray(b"".join(visit)), len(visit))
    assert detector.judge(350) == []
    detector.tune(1, 350)
    assert detector.judge(700) == []

    ((channel, urgency),) = detector.candidates(700)

    assert channel == CHANNEL
    assert urgency >= 50
    detector.tune(CHANNEL, 5000)
    (raised, *_) = play(detector, CAMERA, 9, from_second=5)
    assert raised.at_ms <= 13_000
    assert [urgency for _, urgency in detector.candidates(13_000)] == [ALARM_URGENCY]


def test_acknowledgements_to_what_was_missed_make_a_candidate():
    detector = listening()

    play(detector, [[0, 1000, 30_000, "down", [94]]], 1)

    assert detector.candidates(1000) == [(CHANNEL, 50)]
    assert detector.candidates(60_000) == []


def test_what_they_hint_at_is_worth_a_dwell_until_it_has_had_one():
    detector = listening()
    answers = [[0, 400, 30_000, "down", [94]]]
    play(detector, answers, 1)
    detector.tune(0, 1000)
    detector.judge(12_000)  # after an upload

    assert detector.candidates(12_000) == [(CHANNEL, 50)]

    detector.tune(CHANNEL, 12_000)
    for second in range(13, 18):
        detector.judge(1000 * second)

    assert detector.candidates(17_000) == []


def test_a_known_emitter_asks_for_no_dwell():
    detector = listening()
    detector.ignore([station()])

    play(detector, CAMERA, 3)

    assert detector.candidates(3000) == []


def test_a_camera_that_falls_silent_is_cleared_and_raised_anew():
    stops = [[0, 10_000, *CAMERA[0][2:]], [10, 10_000, *CAMERA[1][2:]]]
    again = [[30_000, *CAMERA[0][1:]], [30_010, *CAMERA[1][1:]]]

    events = [
        (finding.event, finding.at_ms)
        for finding in play(listening(), [*stops, *again], 40)
        if finding.event != UPDATED
    ]

    assert [event for event, _ in events] == [RAISED, CLEARED, RAISED]
    assert 12_000 <= events[1][1] <= 18_000
    assert events[2][1] <= 38_000


@pytest.mark.parametrize("flows", [CAMERA, OWN_STREAM], ids=["station", "access point"])
def test_every_finding_says_what_was_missed_and_what_else_it_could_be(flows):
    for finding in about_cameras(play(listening(), flows, 40)):
        assert "loss_permille" in [row.rule for row in finding.evidence]
        assert len(finding.considered) >= 3


def test_a_finding_that_is_cleared_by_silence_keeps_its_evidence():
    stops = [[0, 10_000, *CAMERA[0][2:]], [10, 10_000, *CAMERA[1][2:]]]

    *_, before, cleared = play(listening(), stops, 30)

    assert cleared.event == CLEARED
    assert cleared.evidence[0].rule == "silent_ms"
    assert cleared.evidence[1:] == before.evidence[: MAX_EVIDENCE - 1]
    assert (cleared.considered, cleared.score) == (before.considered, before.score)


def uploads(local):
    """Photos one by one: full frames for 8 s, silence for 12 s."""
    flows = []
    for start_ms in range(0, 120_000, 20_000):
        options = {"local": local}
        flows.append([start_ms, start_ms + 8000, 3000, "up", [1554], options])
        flows.append([start_ms, start_ms + 8000, 6000, "down", [106], options])
    return flows


def test_a_phone_that_uploads_photo_by_photo_is_raised_once():
    events = [finding.event for finding in play(listening(), uploads(True), 130)]

    assert [event for event in events if event != UPDATED] == [RAISED, CLEARED]


def test_a_factory_made_address_is_raised_at_each_stretch():
    events = [finding.event for finding in play(listening(), uploads(False), 130)]

    assert events.count(RAISED) > 3


def test_a_candidate_names_the_channel_it_is_heard_on_from_the_first_judgement():
    detector = listening()

    for ms in (1, 40, 200, 400):
        play(detector, CAMERA, 0)
        detector.take(bytearray(b"".join(stream_traffic.records(CAMERA, 0, 400, {}))), 20)
        detector.judge(ms)

    assert {channel for channel, _ in detector.candidates(400)} == {CHANNEL}


def test_a_pause_of_two_seconds_clears_nothing():
    flows = []
    for start_ms in range(0, 60_000, 7000):
        flows += [[start_ms, start_ms + 5000, *CAMERA[0][2:]], [start_ms, start_ms + 5000, *CAMERA[1][2:]]]

    assert CLEARED not in [finding.event for finding in play(listening(), flows, 60)]


def test_one_that_is_not_heard_for_minutes_is_cleared():
    detector = listening()
    play(detector, CAMERA, 8)
    detector.tune(1, 8000)

    findings = detector.judge(8000 + 179_000) + detector.judge(8000 + 181_000)

    assert [(finding.event, finding.evidence[0].rule) for finding in findings] == [(CLEARED, "silent_ms")]


def test_the_rhythm_of_key_frames_is_found_in_a_dwell():
    detector = listening()

    findings = play(detector, CAMERA, 30)

    rules = {row.rule: row for row in findings[-1].evidence}
    assert rules["gop_permille"].value >= 450
    assert rules["gop_permille"].weight > 0
    assert dict(findings[-1].considered)["bulk_upload"] == "against"


def test_an_access_point_needs_more_than_a_station():
    closed = about_cameras(play(listening(), OWN_STREAM, 8))
    opened = listening()
    opened.access_points([AccessPoint(0, "x", access_point(), CHANNEL, -50, 0)], 0)

    assert about_cameras(play(listening(), [[0, DAY_MS, 20_000, "up", PPPP], [4, DAY_MS, 160_000, "down", [94]]], 8))
    assert closed == []
    assert [finding.subject for finding in about_cameras(play(opened, OWN_STREAM, 8))] == [address_text(access_point())]


@pytest.mark.parametrize(("security", "worth"), [(0, 8), (3, -5), (None, None)])
def test_an_access_point_of_its_own_is_likelier_a_camera_if_it_is_open(security, worth):
    detector = listening()
    if security is not None:
        detector.access_points([AccessPoint(0, "x", access_point(), CHANNEL, -50, security)], 0)

    finding = about_cameras(play(detector, OWN_STREAM, 12))[-1]

    assert {row.rule: row.weight for row in finding.evidence}.get("open_network") == worth


def test_an_access_point_that_relays_is_no_camera():
    flows = [[0, DAY_MS, 5000, "relay", [1554]], [0, DAY_MS, 20_000, "own", PPPP], [4, DAY_MS, 160_000, "back", [94]]]
    detector = listening()
    detector.access_points([AccessPoint(0, "x", access_point(), CHANNEL, -50, 0)], 0)

    assert about_cameras(play(detector, flows, 20)) == []


def test_own_streams_of_access_points_are_listed():
    detector = listening()

    play(detector, OWN_STREAM, 3)

    ((bssid, kbps, clients),) = detector.own_streams()
    assert bssid == access_point()
    assert 200 <= kbps <= 500
    assert clients == 1


def test_an_undecodable_source_is_reported_below_the_alarm_and_worth_a_dwell():
    flows = [[0, 12_000, 40_000, "ack", [32], {"acked": 6}], [5, 12_000, 40_000, "cts", [14]]]
    detector = listening()

    (finding,) = play(detector, flows, 15)

    assert (finding.kind, finding.event) == ("undecodable_source", RAISED)
    assert finding.score < NOTICE_SCORE
    assert {row.rule for row in finding.evidence} == {"acked_frames", "decoded_permille"}
    assert CHANNEL in [channel for channel, _ in detector.candidates(15_000)]
    assert [finding.event for finding in detector.judge(90_000)] == [CLEARED]


def test_a_phone_that_downloads_undecodably_is_not_reported():
    flows = [[0, DAY_MS, 20_000, "ack", [32], {"acked": 4}], [0, DAY_MS, 4000, "down", [1554]]]

    assert play(listening(), flows, 15) == []


def test_forgetting_starts_anew():
    detector = listening()
    play(detector, CAMERA, 8)

    detector.forget()

    assert detector.candidates(8000) == []
    assert detector.stations() == (0, False)
    assert [finding.event for finding in play(detector, CAMERA, 8, from_second=8)] == [RAISED]


def test_all_rules_of_the_weights_have_an_id():
    for rules in (weights.SHAPE, weights.AMOUNT, weights.SECOND, weights.ACCESS_POINT):
        for place, steps in rules:
            assert 0 <= place < len(evidence.RULES)
            assert [begins for begins, _ in steps] == sorted(begins for begins, _ in steps)
            assert all(-60 <= points <= 60 for _, points in steps)
    assert UNMET_SCORE < CLEAR_SCORE < NOTICE_SCORE


def test_packed_rules_add_up_to_what_they_say_one_by_one():
    values = array("I", [evidence.UNKNOWN] * len(evidence.RULES))
    values[evidence.UPLINK_KBPS], values[evidence.MEAN_UP], values[evidence.DUTY] = 500, 100, 1000

    total = evidence.sum_points(evidence.pack(weights.SHAPE), values) - evidence.POINTS_OFFSET

    assert total == sum(evidence.points(rule, values) for rule in weights.SHAPE)
