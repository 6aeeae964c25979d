"""An inspection from its start to its record, as the pages lead through it."""

import re

import pytest
from sqlalchemy import select

from server.models import Command, Finding, Sensor
from server.services.inspecting import inspections
from server.services.people import accounts
from tests.support.steps import recorded_step
from tests.unit.server.web.conftest import find

MARK = re.compile(r'since=([^"]+)"')


@pytest.fixture
def one(app):
    """A function that loads an inspection by its public id, with all its parts."""

    def load(public_id):
        with app.extensions["sessions"]() as session:
            return inspections.load(session, accounts.SYSTEM, public_id)

    return load


def test_starting_tells_the_chosen_sensor_and_names_the_people(app, begin, one):
    _client, running = begin("demo-1", partner="Officer Lee", agency="Police")

    started = one(running)
    assert [used.sensor.name for used in started.sensors] == ["demo-1"]
    assert [(person.name, person.agency) for person in started.people] == [("Inspector", ""), ("Officer Lee", "Police")]
    with app.extensions["sessions"]() as session:
        command = session.scalar(select(Command).join(Sensor).where(Sensor.name == "demo-1"))
        assert (command.name, command.args["inspection"]) == ("inspection_start", running)


def test_the_start_page_shows_how_the_sensors_are_and_picks_the_only_one_that_is_there(sign_in, say, room):
    say.state("demo-1", "ready")
    say.info("demo-1", battery_percent=12)
    say.state("demo-2", "lost")

    page = sign_in("inspector").get(f"/restrooms/{room}/inspect").text

    assert 'value="demo-1" checked' in page
    assert "Connected" in page
    assert "Not connected" in page
    assert "Never connected" in page
    assert "battery 12 %" in page
    assert "Its battery is low." in page


def test_the_start_page_puts_the_rooms_own_sensor_first_and_picks_it_among_several(sign_in, say, room):
    for name in ("demo-2", "demo-1", "demo-3"):
        say.state(name, "ready")

    page = sign_in("inspector").get(f"/restrooms/{room}/inspect").text

    assert page.count(" checked") == 1
    assert 'value="demo-1" checked' in page
    assert page.index('value="demo-1"') < page.index('value="demo-2"')
    assert page.count("fixed in this restroom") == 1


def test_a_second_inspection_of_the_same_restroom_is_refused_in_words(begin, sign_in, post, room):
    _client, running = begin("demo-1")
    client = sign_in("manager")

    page = post(client, f"/restrooms/{room}/inspect", page="/me")

    assert "An inspection of this restroom is already running." in page.text
    assert client.get(f"/restrooms/{room}/inspect").location == f"/inspections/{running}"


def test_what_is_open_from_before_stands_beside_what_this_inspection_finds(begin, say):
    say.finding("demo-1", "")
    client, running = begin("demo-1")

    page = client.get(f"/inspections/{running}").text
    mark = find(MARK, page)
    say.finding("demo-1", running)
    news = client.get(f"/inspections/{running}/live?since={mark}").text

    for text in (page, news):
        assert text.partition('id="earlier"')[2].count('href="/findings/') == 1
    assert "data-finding=" not in page and "data-finding=" in news
    assert "1 finding from before is still open here." in client.get(f"/inspections/{running}/finish").text


def test_the_live_part_answers_nothing_until_something_has_changed(begin, say):
    client, running = begin("demo-1")
    mark = find(MARK, client.get(f"/inspections/{running}").text)

    assert client.get(f"/inspections/{running}/live?since={mark}").status_code == 204

    say.sweep("demo-1", running)
    news = client.get(f"/inspections/{running}/live?since={mark}")
    assert news.status_code == 200
    assert "13 / 13" in news.text
    newer = find(MARK, news.text)
    assert client.get(f"/inspections/{running}/live?since={newer}").status_code == 204


@pytest.mark.parametrize(
    "language, words",
    [("en", "Camera-like video stream over Wi-Fi"), ("ko", "카메라와 비슷한 Wi-Fi 영상 전송")],
)
def test_a_finding_arrives_in_the_live_part_under_what_to_do(begin, say, sign_in, language, words):
    client, running = begin("demo-1", client=sign_in("inspector", language))

    say.finding("demo-1", running)

    news = client.get(f"/inspections/{running}/live?since=0").text
    assert 'data-findings="1"' in news
    assert words in news
    assert news.index('href="tel:112"') > 0


def test_what_cannot_be_judged_is_shown_but_is_no_alarm(begin, say):
    client, running = begin("demo-1")

    say.finding("demo-1", running, score=40, detector="undecodable_source", evidence=[["acked_frames", 90, 40, 20]])

    news = client.get(f"/inspections/{running}/live?since=0").text
    assert 'data-findings="0"' in news
    assert "Transmission that this sensor cannot read" in news
    assert "tel:112" not in news


def test_the_rf_step_cannot_be_claimed_before_every_channel_was_listened_to(begin, say, post, one):
    client, running = begin("demo-1")
    say.sweep("demo-1", running, channels=range(1, 12))

    page = client.get(f"/inspections/{running}")
    assert "11 / 13" in page.text
    assert "Channels 12, 13 were not yet listened to" in page.text
    assert 'id="step-rf"' not in page.text

    answer = post(client, f"/inspections/{running}/steps/rf", {"outcome": "none_found"})
    assert "channels 12, 13 were not listened to long enough" in answer.text
    assert inspections.current_steps(one(running))["rf"] is None

    say.sweep("demo-1", running, channels=(12, 13))
    assert 'id="step-rf"' in client.get(f"/inspections/{running}").text
    post(client, f"/inspections/{running}/steps/rf", {"outcome": "none_found"})
    assert recorded_step(one(running), "rf").outcome == "none_found"


def test_without_a_sensor_there_is_no_rf_step(begin, post):
    client, running = begin()

    assert "No sensor takes part" in client.get(f"/inspections/{running}").text
    answer = post(client, f"/inspections/{running}/steps/rf", {"outcome": "none_found"})
    assert "there is no RF step to record" in answer.text


def test_a_step_that_was_not_done_needs_a_reason(begin, post, one):
    client, running = begin()

    answer = post(client, f"/inspections/{running}/steps/lens", {"outcome": "not_done"})
    assert "Please give the reason" in answer.text
    post(client, f"/inspections/{running}/steps/lens", {"outcome": "not_done", "note": "No lens finder at hand"})

    assert recorded_step(one(running), "lens").note == "No lens finder at hand"
    assert "No lens finder at hand" in client.get(f"/inspections/{running}").text


def test_what_was_heard_and_settled_is_named_where_nothing_else_was_found(app, begin, say, post, look):
    client, running = begin("demo-1")
    say.sweep("demo-1", running)
    say.finding("demo-1", running)
    with app.extensions["sessions"]() as session:
        found = session.scalar(select(Finding.public_id))
    post(client, f"/findings/{found}", {"kind": "neighbour", "reason": "the shop next door, seen"})
    post(client, f"/inspections/{running}/steps/rf", {"outcome": "none_found"})
    last = client.get(f"/inspections/{running}/finish").text
    post(client, f"/inspections/{running}/finish", {"result": "none_found"})

    for page in ("", "/certificate"):
        text = client.get(f"/inspections/{running}{page}").text
        assert "Apart from what was heard and settled (Neighbour&#39;s device: 1), no camera-like transmission" in text
        assert "No camera-like transmission found by RF" not in text
    assert f"/inspections/{running}/steps/eye" in last and f"/inspections/{running}/steps/rf" not in last


def test_a_finished_inspection_says_what_was_looked_for_and_claims_no_more(begin, say, post, room, look):
    client, running = begin("demo-1")
    say.sweep("demo-1", running)
    look(running)
    for method in ("eye", "rf"):
        post(client, f"/inspections/{running}/steps/{method}", {"outcome": "none_found"})

    page = post(client, f"/inspections/{running}/finish", {"result": "none_found"})

    assert page.request.path == f"/inspections/{running}/sign"
    page = client.get(f"/inspections/{running}")
    assert "None found by eye and RF" in page.text
    assert "No camera-like transmission found by RF at " in page.text
    assert "13 of 13 channels" in page.text
    assert "Not covered: cameras that record to a card, 5 GHz, cellular and phones." in page.text
    assert "None found by eye and RF" in client.get(f"/restrooms/{room}").text


def test_none_found_is_refused_while_a_finding_is_open(begin, say, post, one, look):
    client, running = begin("demo-1")
    say.sweep("demo-1", running)
    look(running)
    post(client, f"/inspections/{running}/steps/eye", {"outcome": "none_found"})
    say.finding("demo-1", running)

    page = post(client, f"/inspections/{running}/finish", {"result": "none_found"})

    assert "There is an open finding." in page.text
    assert one(running).result is None


@pytest.mark.parametrize("result", ["not_completed", "referred"])
def test_any_other_result_needs_a_reason(begin, post, one, result):
    client, running = begin()

    assert "Please give the reason" in post(client, f"/inspections/{running}/finish", {"result": result}).text
    assert one(running).result is None
    post(client, f"/inspections/{running}/finish", {"result": result, "reason": "Water damage"})

    assert one(running).result == result


def test_a_correction_stands_above_what_it_replaces_and_both_stay(begin, post, room, look):
    client, running = begin()
    look(running)
    post(client, f"/inspections/{running}/steps/eye", {"outcome": "none_found"})
    post(client, f"/inspections/{running}/finish", {"result": "none_found"})

    form = {"result": "not_completed", "reason": "That was another floor"}
    post(client, f"/inspections/{running}/correct", form)
    page = client.get(f"/inspections/{running}").text

    assert page.index("That was another floor") < page.index("Replaced by the entry above")
    assert "Corrected" in client.get(f"/restrooms/{room}").text


def test_the_live_part_of_a_finished_inspection_asks_for_the_record(begin, post):
    client, running = begin()
    post(client, f"/inspections/{running}/finish", {"result": "not_completed", "reason": "Fire alarm"})

    assert client.get(f"/inspections/{running}/live?since=0").headers["HX-Refresh"] == "true"


def test_a_sensor_that_is_gone_is_warned_of_while_it_is_needed(begin, say):
    client, running = begin("demo-1")
    say.state("demo-1", "ready")
    say.session("demo-1", running, "started")
    assert "It listens for this inspection." in client.get(f"/inspections/{running}").text

    say.state("demo-1", "lost")

    page = client.get(f"/inspections/{running}").text
    assert "It was listening for this inspection when it was last heard." in page
    assert "It is not connected." in page


def test_a_viewer_can_follow_but_not_record(begin, say, sign_in):
    _client, running = begin("demo-1")

    page = sign_in("viewer").get(f"/inspections/{running}").text

    assert "Inspection running" in page
    assert "/steps/eye" not in page
    assert "/finish" not in page


@pytest.mark.parametrize("language", ["en", "ko"])
def test_no_page_promises_safety(sign_in, finished, language):
    _, done = finished
    client = sign_in("manager", language)

    for address in (f"/inspections/{done}", f"/inspections/{done}/sign", "/campaigns", "/emitters", "/findings/alarms"):
        page = client.get(address).text.lower()
        assert " safe" not in page and "camera found" not in page and "안전합니다" not in page
