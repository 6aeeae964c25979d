"""Pages about notices: no police, what to do now, how a notice ends; alarms stay as they are."""

import pytest
from sqlalchemy import select

from server.models import Finding

SIGN = [["alarm_listened_s", 42, 40, 0]]


@pytest.fixture
def running(begin, say):
    """The id of a running inspection with enough RF coverage."""
    _client, public_id = begin("demo-1")
    say.sweep("demo-1", public_id)
    return public_id


@pytest.fixture
def address(app):
    """A function that returns the address of the page of the only finding."""

    def of():
        with app.extensions["sessions"]() as session:
            return "/findings/" + session.scalars(select(Finding.public_id)).one()

    return of


def test_a_notice_says_what_to_do_and_names_no_police(running, say, sign_in, address):
    say.finding("demo-1", running, level="notice")
    client = sign_in()

    for page in (client.get(address()).text, client.get(f"/inspections/{running}").text):
        assert "One-way sender, worth a look" in page
        main = page.split("<main")[1]
        assert not [text for text in ("tel:112", "Touch nothing", "police") if text in main]
    page = client.get(address()).text
    steps = [page.index(text) for text in ("Listen again in the empty room.", "Follow it.", "Try movement.")]
    assert steps == sorted(steps)
    assert "Say what it was" in page and f"{address()}/movement" in page


def test_the_timeline_says_why_a_notice_became_an_alarm_and_why_it_fell_back(running, say, sign_in, address):
    say.finding("demo-1", running, level="notice")
    say.finding("demo-1", running, level="alarm", event="updated", evidence=SIGN)

    page = sign_in().get(address()).text
    assert "tel:112" in page and "Camera-like video stream over Wi-Fi" in page
    assert "From notice to alarm" in page and "has listened to it for 42 seconds" in page
    assert page.index("From notice to alarm") < page.index("Noticed by the sensor")

    say.finding("demo-1", running, level="notice", event="updated", evidence=[["alarm_innocent", 1, 0, 0]])
    page = sign_in().get(address()).text
    assert "From alarm to notice" in page and "An innocent cause fits better than a camera." in page
    assert "tel:112" not in page.split("<main")[1].split("What was it?")[0]
    assert "an alarm needs a person's answer" in page and "What was it?" in page


@pytest.mark.parametrize(
    ("language", "sentence"),
    [("en", "Over after 40 s; most likely an upload"), ("ko", "40초 만에 끝남, 추정 원인: 업로드")],
)
def test_a_notice_that_is_over_says_what_it_most_likely_was(running, say, sign_in, address, language, sentence):
    say.finding("demo-1", running, level="notice", last_ms=42_000)
    end = {"event": "cleared", "last_ms": 91_000, "evidence": [["silent_ms", 9000, 8000, 0]], "likely": "bulk_upload"}
    say.finding("demo-1", running, level="notice", **end)

    client = sign_in("manager", language)

    for where in (address(), f"/inspections/{running}", "/findings?status=noted"):
        assert sentence in client.get(where).text, where
    assert address() not in client.get("/findings").text


def test_the_record_names_the_notices_beside_none_found(running, say, sign_in, post):
    say.finding("demo-1", running, level="notice", last_ms=42_000)
    say.finding("demo-1", running, level="notice", event="cleared", last_ms=82_000, evidence=[], likely="video_call")
    say.finding("demo-1", running, level="notice", subject="00:bc:99:12:34:57", channel=11)
    client = sign_in("inspector")
    post(client, f"/inspections/{running}/steps/rf", {"outcome": "none_found"})

    finish = client.get(f"/inspections/{running}/finish").text
    post(client, f"/inspections/{running}/finish", {"result": "none_found"})

    noticed = (
        "2 one-way senders were noticed that never became alarms: channel 6 (Over after 40 s; most likely a video"
        " call); channel 11 (still heard at the end)."
    )
    record, certificate = (client.get(f"/inspections/{running}{end}").text for end in ("", "/certificate"))
    for page in (finish, record, certificate):
        assert noticed in page
    for page in (record, certificate):
        assert "No camera-like transmission found by RF" in page
    assert "Notice, heard until the end" in record


def test_a_notice_may_be_judged_but_not_referred(running, say, sign_in, post, address):
    say.finding("demo-1", running, level="notice")
    client = sign_in("inspector")
    assert 'value="referred"' not in client.get(address()).text

    page = post(client, address(), {"kind": "false", "reason": "It was the projector"}).text

    assert "It was the projector" in page and "False alarm" in page
    assert "Say what it was" not in page


def test_the_public_page_says_nothing_of_a_notice(running, say, sign_in, app):
    with app.extensions["sessions"]() as session:
        from server.models import Inspection

        room = session.scalars(select(Inspection)).one().restroom.public_id
    before = app.test_client().get(f"/r/{room}").text

    say.finding("demo-1", running, level="notice")

    after = app.test_client().get(f"/r/{room}").text
    assert "notice" not in after.lower() and len(after) == len(before)


def test_the_false_alarm_page_counts_notices_apart(running, say, sign_in):
    say.finding("demo-1", running, level="notice")
    say.finding("demo-1", running, level="notice", event="cleared", likely="video_call")

    page = sign_in().get("/findings/alarms").text

    section = page.split('id="notices"')[1].split("</section>")[0]
    assert "1 notice never became an alarm." in section
    assert "1 ended by themselves" in section and "a video call (1)" in section
    assert "0 false of 0 judged alarms" in page
