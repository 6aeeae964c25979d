"""Following a finding's signal and the movement test, from the page's side."""

import pytest
from sqlalchemy import select

from ansim import messages
from ansim.detect.stimulus import Stimulus
from server import clock
from server.models import Command, Finding, Sensor
from server.services.sensors import command_queue, sensor_status
from tests.support.sensors_say import CAMERA

SENSOR = "/sensors/demo-1"  # a page with a form, for its token


@pytest.fixture
def finding(app, begin, say):
    """The address of the page of an open finding of demo-1, in a running inspection."""
    _client, running = begin("demo-1")
    say.info("demo-1")
    say.finding("demo-1", running)
    with app.extensions["sessions"]() as session:
        return "/findings/" + session.scalar(select(Finding.public_id))


@pytest.fixture
def newest(app):
    """A function that returns the newest command with a name, or None."""

    def load(name):
        with app.extensions["sessions"]() as session:
            return session.scalars(select(Command).where(Command.name == name).order_by(Command.id.desc())).first()

    return load


@pytest.fixture
def acknowledge(app):
    """A function that acknowledges the newest command with a name, as the sensor does."""

    def answer(name, error=""):
        with app.extensions["sessions"].begin() as session:
            command = session.scalars(select(Command).where(Command.name == name).order_by(Command.id.desc())).first()
            command_queue.acknowledge(session, command.sensor_id, command.public_id, not error, error, clock.now_s())

    return answer


def live(boot, tick_ms, dbm, trend):
    return messages.live(boot, tick_ms, CAMERA, dbm, dbm, 2, trend)


def test_following_sends_the_sensor_to_the_channel_and_shows_each_level_once(
    app, finding, sign_in, post, newest, acknowledge
):
    client = sign_in("inspector")
    post(client, finding + "/follow", {"sensor": "demo-1"})
    args = newest(messages.LOCATE).args
    levels = finding.replace("/findings", "/live/findings") + "/levels"

    waiting = client.get(levels).json
    acknowledge(messages.LOCATE)
    with app.extensions["sessions"].begin() as session:
        hall = session.scalar(select(Sensor).where(Sensor.name == "demo-1"))
        for place, dbm in enumerate((-70, -60)):
            sensor_status.take_live(session, hall.id, live(3, 1000 * place, dbm, "warmer"), clock.now_ms() + place)
    heard = client.get(levels).json

    assert (args["subject"], args["channel"], args["seconds"]) == (CAMERA, 6, 600)
    assert waiting["command"]["state"] == "waiting" and waiting["points"] == []
    assert heard["command"]["state"] == "done"
    assert [point[1:] for point in heard["points"]] == [[-70, -70, 2, "warmer"], [-60, -60, 2, "warmer"]]
    newer = client.get(levels + f"?since={heard['points'][0][0]}").json["points"]
    assert [point[1] for point in newer] == [-60]


def test_stopping_ends_the_dwell(finding, sign_in, post, newest):
    client = sign_in("inspector")
    post(client, finding + "/follow", {})
    post(client, finding + "/follow", {"stop": "1"})

    assert newest(messages.LOCATE).args["seconds"] == 1


def test_a_movement_test_counts_from_the_acknowledgement_and_ends_with_its_sentence(
    finding, sign_in, post, say, newest, acknowledge
):
    client = sign_in("inspector")
    post(client, finding + "/movement", {})
    state = finding.replace("/findings", "/live/findings") + "/movement"
    args = newest(messages.SLOTS).args

    before = client.get(state).json
    acknowledge(messages.SLOTS)
    running = client.get(state).json
    say.stimulus("demo-1", p_ppm=8000)
    ended = client.get(state).json

    Stimulus(args["subject"], args["slots"])  # raises BadSlots if the sensor would
    assert args["slots"][0][0] == 5000 and {row[2] for row in args["slots"]} == {0, 1}
    assert before["elapsed_ms"] is None and before["result"] is None
    assert 0 <= running["elapsed_ms"] < 60_000 and running["slots"] == args["slots"]
    assert "reacted" in ended["result"] and "8 of 1,000" in ended["result"]


@pytest.mark.parametrize("error, state, text", [("no_sniffer", "refused", "cannot listen"), ("", "done", "listening")])
def test_the_page_says_what_the_sensor_answered(finding, sign_in, post, acknowledge, error, state, text):
    client = sign_in("inspector")
    post(client, finding + "/follow", {})
    acknowledge(messages.LOCATE, error)

    command = client.get(finding.replace("/findings", "/live/findings") + "/levels").json["command"]

    assert command["state"] == state and text in command["text"]


def test_a_settled_finding_cannot_be_followed_and_its_page_says_why(app, finding, sign_in, post, newest):
    client = sign_in("inspector")
    form = {"kind": "neighbour", "reason": "the shop next door"}
    post(client, finding, form)

    page = post(client, finding + "/follow", {}, page=SENSOR)

    assert "not kept any more" in page.text and newest(messages.LOCATE) is None
    assert "Follow the signal" not in client.get(finding).text


def test_a_sensor_that_cannot_sniff_is_not_sent(finding, sign_in, post, say, newest):
    say.info("demo-1", capabilities=["scan", "ble"])

    page = post(sign_in("inspector"), finding + "/follow", {})

    assert "cannot listen to traffic" in page.text and newest(messages.LOCATE) is None


@pytest.mark.parametrize("path", ["/follow", "/movement"])
def test_who_may_only_see_starts_nothing(finding, sign_in, post, path):
    assert sign_in("viewer").get(finding + path).status_code == 403


def test_another_sensor_of_the_inspection_can_follow_and_test_and_its_readings_belong_to_the_finding(
    app, begin, say, sign_in, post, newest, acknowledge
):
    _client, running = begin("demo-1", "demo-2")
    say.info("demo-1")
    say.info("demo-2")
    say.finding("demo-1", running)
    with app.extensions["sessions"]() as session:
        finding = "/findings/" + session.scalar(select(Finding.public_id))
    client = sign_in("inspector")
    post(client, finding + "/follow", {"sensor": "demo-2"})
    acknowledge(messages.LOCATE)
    with app.extensions["sessions"].begin() as session:
        carried = session.scalar(select(Sensor).where(Sensor.name == "demo-2"))
        sensor_status.take_live(session, carried.id, live(3, 1000, -44, "warmer"), clock.now_ms())
    post(client, finding + "/movement", {"sensor": "demo-2"})
    acknowledge(messages.SLOTS)
    say.stimulus("demo-2", p_ppm=8000)

    live_address = finding.replace("/findings", "/live/findings")
    assert [point[1] for point in client.get(live_address + "/levels").json["points"]] == [-44]
    assert "reacted" in client.get(live_address + "/movement").json["result"]
    assert "reacted" in client.get(finding).text


def test_a_page_shows_no_command_of_another_finding(app, begin, say, sign_in, post):
    _client, running = begin("demo-1")
    say.info("demo-1")
    say.finding("demo-1", running)
    say.finding("demo-1", running, subject="00:bc:99:12:34:57")
    with app.extensions["sessions"]() as session:
        first, second = session.scalars(select(Finding.public_id).order_by(Finding.id)).all()
    client = sign_in("inspector")
    post(client, f"/findings/{first}/follow", {})
    post(client, f"/findings/{first}/movement", {})

    assert client.get(f"/live/findings/{second}/levels").json["command"] is None
    assert client.get(f"/live/findings/{second}/movement").json["slots"] == []
    assert client.get(f"/live/findings/{first}/movement").json["slots"]
