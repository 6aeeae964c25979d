"""What a phone without a network keeps, takes along and hands over."""

import pytest

from server import clock
from server.models import OfflineVisit, User
from server.services.people import scopes
from server.services.places import facilities, organisations

KEY = "0190a8e0-0000-7000-8000-000000000001"


@pytest.fixture
def hand_over(app, room, sign_in):
    """A function that hands over a visit of the room, by a phone whose clock is `ahead_s` wrong; returns the answer."""

    def give(ahead_s=0, role="inspector", **other):
        client = sign_in(role)
        page = client.get("/inspect").text
        token = page.split('data-token="')[1].split('"')[0]
        user = page.split('data-user="')[1].split('"')[0]
        shows_s = clock.now_s() + ahead_s
        visit = {"key": KEY, "user": user, "room": room, "began_s": shows_s - 900, "ended_s": shows_s - 300}
        return client.post(
            "/offline/visits", json={**visit, "sent_s": shows_s, **other}, headers={"X-CSRFToken": token}
        )

    return give


def test_a_visit_is_taken_over_with_the_times_put_right(app, hand_over, sign_in):
    answer = hand_over(ahead_s=-7 * 86400, answers={"0": {"basins": ["ok", ""]}}, lens="none_found")

    page = sign_in("inspector").get(answer.json["href"]).text

    assert answer.status_code == 200 and "Written down without a network" in page
    with app.extensions["sessions"]() as session:
        visit = session.query(OfflineVisit).one()
        assert visit.received_s - visit.ended_s in (300, 301)


@pytest.mark.parametrize(
    "wrong",
    [
        {"key": "x"},
        {"answers": {"first": {}}},
        {"answers": {"1": {"hooks": "ok"}}},
        {"answers": {"1": {"hooks": ["fine", ""]}}},
        {"lens": "perhaps"},
        {"more": 1},
        {"began_s": -1},
        {"note": "\0"},
    ],
)
def test_what_cannot_be_read_is_refused_in_words(hand_over, wrong):
    answer = hand_over(**wrong)

    assert answer.status_code == 400 and "write it down again" in answer.json["why"]


def test_refusals_say_why_and_nothing_is_stored(app, hand_over):
    assert "Somebody else" in hand_over(user="another").json["why"]
    assert "no such restroom" in hand_over(room="zzzzzzzz").json["why"]
    assert hand_over(answers={"1": {"hooks": ["na", ""]}}).status_code == 409

    with app.extensions["sessions"]() as session:
        assert session.query(OfflineVisit).count() == 0


def test_a_visit_of_somebody_elses_place_is_refused(app, hand_over, sign_in):
    sign_in("inspector")
    with app.extensions["sessions"].begin() as session:
        other = facilities.add(session, organisations.add(session, "Others"), "Elsewhere")
        user = session.query(User).filter_by(login="inspector").one()
        scopes.set_places(session, user, False, [scopes.Place(scopes.FACILITY, other)])

    assert hand_over().status_code == 404
    with app.extensions["sessions"]() as session:
        assert session.query(OfflineVisit).count() == 0


def test_a_visit_needs_the_token_of_a_form(room, sign_in):
    client = sign_in("inspector")

    assert client.post("/offline/visits", json={"key": KEY, "room": room}).status_code == 400


def test_the_kit_is_in_the_persons_language(sign_in, room):
    korean, english = (sign_in("inspector", language).get("/offline/kit").json for language in ("ko", "en"))

    assert len(korean["rooms"]) == 10 and room in {one["id"] for one in korean["rooms"]}
    assert korean["lists"][korean["standard"]][0]["text"] == "문과 문틈, 잠금장치"
    assert english["lists"][english["standard"]][0]["text"] == "Door, its gaps and its lock"


def test_the_page_a_phone_keeps_names_nobody(sign_in, stranger):
    signed_in, anybody = sign_in("inspector").get("/offline").text, stranger().get("/offline").text

    assert "Inspector" not in signed_in and signed_in == anybody


def test_the_worker_keeps_the_files_the_page_asks_for(stranger):
    client = stranger()
    worker, page = client.get("/worker.js"), client.get("/offline").text

    assert worker.headers["Content-Type"].startswith("text/javascript")
    files = [
        part.split('"')[0]
        for part in page.replace('src="', 'href="').split('href="')[1:]
        if part.startswith("/static/")
    ]
    assert files and all(f'"{file}"' in worker.text for file in files)
    assert all(client.get(file).status_code == 200 for file in files)
