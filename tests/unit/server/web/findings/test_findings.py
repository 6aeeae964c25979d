"""The page of a finding: what to do first, the evidence in words, and what people make of it."""

import pytest
from sqlalchemy import select

from server.models import Finding
from tests.unit.server.web.conftest import find


@pytest.fixture
def found(app, begin, say):
    """A function that makes a finding in a running inspection; returns its address."""

    def make(**changed):
        _client, running = begin("demo-1")
        say.sweep("demo-1", running)
        say.finding("demo-1", running, **changed)
        with app.extensions["sessions"]() as session:
            return "/findings/" + session.scalar(select(Finding.public_id))

    return make


def test_a_suspicious_finding_leads_with_what_to_do(found, sign_in):
    page = sign_in().get(found()).text

    what_to_do = page.index("What to do now")
    assert what_to_do < page.index("Touch nothing.") < page.index("Keep the scene.") < page.index("Call 112.")
    assert page.index("Call 112.") < page.index("Why the sensor reported it")
    for number in ('href="tel:112"', 'href="tel:1366"', 'href="tel:+8227358994"'):
        assert number in page


@pytest.mark.parametrize(
    "language, sentences",
    [
        (
            "en",
            (
                "It sends 1.2 Mbit/s all the time. Cameras that stream video send 80 kbit/s or more.",
                "96 % of its traffic goes out.",
                "It has been sending like this for only 24 seconds",
                "The rhythm repeats every 2 seconds.",
                "+30 points",
                "−6 points",
                "for information",
                "A phone or computer uploading photos or a backup",
                "cannot be told yet",
                "An upload ends by itself; a camera goes on.",
                "All 13 channels were listened to for at least 3 s each.",
                "It is not a probability, and no proof.",
            ),
        ),
        (
            "ko",
            (
                "계속해서 1.2 Mbit/s 속도로 보냅니다.",
                "통신량의 96%가 나가는 데이터입니다.",
                "이렇게 보낸 시간이 24초뿐입니다.",
                "+30점",
                "휴대전화나 컴퓨터의 사진·백업 업로드",
                "아직 알 수 없음",
                "아무것도 만지지 마세요.",
                "13개 채널을 모두 각 3초 이상 들었습니다.",
            ),
        ),
    ],
)
def test_the_evidence_stands_in_plain_words(found, sign_in, language, sentences):
    page = sign_in("manager", language).get(found()).text

    for sentence in sentences:
        assert sentence in page, sentence


def test_a_rule_and_a_cause_of_a_newer_sensor_are_still_shown(found, sign_in):
    address = found(evidence=[["brand_new_kbps", 4200, 100, 12]], considered=[["space_probe", "open"]])

    page = sign_in().get(address).text

    assert "Rule &#34;brand_new_kbps&#34;" in page
    assert "Measured 4.2 Mbit/s, compared with 100 kbit/s." in page
    assert "Cause &#34;space_probe&#34;" in page


def test_what_a_network_calls_itself_cannot_put_markup_into_the_page(found, sign_in):
    page = sign_in().get(found(label="<script>alert(1)</script>", detector="camera_access_point")).text

    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    assert "<script>alert" not in page


def test_what_cannot_be_judged_does_not_lead_with_the_police(found, sign_in):
    address = found(score=40, detector="undecodable_source", evidence=[["acked_frames", 90, 40, 20]])

    page = sign_in().get(address).text

    assert "Not an alarm, but a gap" in page
    assert "tel:112" not in page
    assert "What was it?" not in page


def test_settling_a_finding_erases_the_address_and_keeps_the_reason(found, sign_in, post):
    address, client = found(), sign_in("inspector")
    assert "00:bc:99:12:34:56" in client.get(address).text

    page = post(client, address, {"kind": "false", "reason": "It was the projector in room 4"})

    assert "It was the projector in room 4" in page.text
    assert "False alarm" in page.text
    assert "00:bc:99:12:34:56" not in page.text
    assert "What to do now" not in page.text


def test_a_finding_for_the_police_keeps_station_and_receipt(found, sign_in, post):
    address, client = found(), sign_in("inspector")
    form = {
        "kind": "referred",
        "reason": "Could not be explained",
        "called_day": "2026-01-05",
        "called_time": "09:30",
        "station": "Mapo station, Sgt. Park",
        "receipt": "2026-0105-77",
    }

    page = post(client, address, form).text

    for text in ("With the police", "Mapo station, Sgt. Park", "2026-0105-77", "5 Jan 2026, 09:30"):
        assert text in page, text
    assert "00:bc:99:12:34:56" in page


@pytest.mark.parametrize(
    "form, words",
    [
        ({"reason": "Looked"}, "Please choose one."),
        ({"kind": "false"}, "Please fill this in."),
        ({"kind": "referred", "reason": "Odd", "station": "Mapo"}, "Please fill this in."),
        (
            {"kind": "referred", "reason": "Odd", "called_day": "2026-01-05", "called_time": "9 a.m."},
            "Not a valid time",
        ),
        (
            {"kind": "referred", "reason": "Odd", "called_day": "2026-01-05", "called_time": "09:30"},
            "which station answered",
        ),
        (
            {
                "kind": "referred",
                "reason": "Odd",
                "station": "Mapo",
                "called_day": "2126-01-05",
                "called_time": "09:30",
            },
            "not come yet",
        ),
    ],
)
def test_a_decision_that_lacks_something_is_not_recorded(found, sign_in, post, form, words):
    address, client = found(), sign_in("inspector")

    assert words in post(client, address, form).text
    assert "Open: not yet settled" in client.get(address).text


def test_a_viewer_sees_no_form(found, sign_in):
    assert "What was it?" not in sign_in("viewer").get(found()).text


def test_the_list_separates_what_is_open_from_what_is_settled(found, sign_in, post):
    address, client = found(), sign_in("inspector")
    assert address in client.get("/findings").text

    post(client, address, {"kind": "neighbour", "reason": "The shop's"})

    assert address not in client.get("/findings").text
    assert address in client.get("/findings?status=closed").text
    assert address in client.get("/findings?status=all").text
    assert "No open alarms." in client.get("/findings").text


def test_the_navigation_counts_what_waits_for_a_person(found, sign_in):
    client = sign_in("viewer")
    assert "bubble" not in client.get("/").text
    found()

    assert '<span class="bubble" aria-hidden="true">1</span>' in client.get("/").text


def test_a_finding_shows_its_restroom_visit_by_visit(begin, say, post, sign_in):
    client, running = begin("demo-1")
    say.finding("demo-1", running)
    page = client.get(find(r'href="(/findings/[0-9a-z]{12})"', client.get("/findings").text)).text

    assert "This restroom, visit by visit" in page and "This finding" in page


def test_the_page_draws_level_and_evidence_and_the_timeline_says_what_changed(app, begin, say, sign_in):
    _client, running = begin("demo-1")
    say.finding("demo-1", running, score=64, rssi_dbm=-61, evidence=[["uplink_kbps", 1240, 80, 64]])
    changed = {"evidence": [["uplink_kbps", 1240, 80, 64], ["gop_permille", 610, 500, 15]]}
    say.finding("demo-1", running, event="updated", score=79, rssi_dbm=-52, **changed)
    with app.extensions["sessions"]() as session:
        page = sign_in().get("/findings/" + session.scalar(select(Finding.public_id))).text

    assert page.count('class="chart-svg"') == page.count("The same as a table") == 2
    assert "79 of 100 points; a notice needs 54." in page
    assert "between -61 and -52 dBm" in page
    for change in ("Evidence 64 → 79 points", "Signal -61 → -52 dBm", "New: Rhythm"):
        assert change in page
    assert page.index('href="#decide"') < page.index("What to do now") < page.index('id="decide"')
