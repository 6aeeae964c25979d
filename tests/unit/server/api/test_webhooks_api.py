"""Webhooks by the API and the page: made, tested, ended; and the events that they are for."""

import hmac
import json

import pytest
from sqlalchemy import select

from server import create_app, notify
from server.models import Delivery, KeptAnswer, Notification, Sensor
from server.models.outside import KINDS
from server.services.outside import notifications
from server.services.sensors import sensor_status
from server.services.sensors.sensor_status import SilenceDetector
from tests.unit.server.outside.conftest import receiver  # noqa: F401
from tests.unit.server.web.conftest import post, sign_in  # noqa: F401


@pytest.fixture
def app(settings):
    """The application of the other tests, which may send to this machine."""
    app = create_app(settings.model_copy(update={"notice_private": True, "public_url": "https://ansim.example"}))
    yield app
    app.extensions["sessions"].engine.dispose()


@pytest.fixture
def webhook(program, receiver):  # noqa: F811
    """The answer to a POST that makes a webhook of all kinds to the receiver."""
    body = {"name": "Duty", "url": f"http://127.0.0.1:{receiver.server_port}/hook", "kinds": list(KINDS)}
    answer = program("admin").post("/webhooks", body, key="made")
    assert answer.status_code == 201, answer.text
    return answer.json


def send_all(app):
    while notify.tick(app):
        pass


def test_a_webhook_is_made_listed_tested_and_ended(app, program, receiver, webhook):  # noqa: F811
    ask = program("admin")
    path = f"/webhooks/{webhook['id']}"

    tested = ask.post(f"{path}/test", {})
    waiting = ask.get(f"{path}/deliveries").json["items"]
    send_all(app)
    sent = ask.get(f"{path}/deliveries").json["items"]

    assert tested.status_code == 201 and [row["status"] for row in waiting] == ["waiting"]
    assert [(row["kind"], row["status"], row["error"]) for row in sent] == [("test", "sent", "")]
    ((_, headers, body),) = receiver.requests
    stamp, _, signature = headers["X-Ansim-Signature"].partition(",v1=")
    signed = stamp.removeprefix("t=").encode() + b"." + body
    assert hmac.compare_digest(signature, hmac.new(webhook["secret"].encode(), signed, "sha256").hexdigest())
    (row,) = json.loads(body)["notices"]
    assert (row["kind"], row["id"]) == ("test", sent[0]["notification"])
    assert "secret" not in ask.get(path).json and ask.get(path).json["host"] == "http://127.0.0.1"
    assert ask.post(f"{path}/end", {}).json["ended_s"] and ask.get(path).status_code == 404
    assert ask.get("/webhooks").json["items"] == []


def test_a_test_that_fails_says_why(app, program, receiver, webhook):  # noqa: F811
    ask = program("admin")
    receiver.answers = [500]
    ask.post(f"/webhooks/{webhook['id']}/test", {})

    send_all(app)

    (row,) = ask.get(f"/webhooks/{webhook['id']}/deliveries").json["items"]
    assert (row["status"], row["error"], row["tries"]) == ("waiting", "answered 500", 1) and row["due_s"]


def test_the_signing_key_is_kept_sealed_and_repeated_with_the_same_key(app, program, receiver, webhook):  # noqa: F811
    body = {"name": "Duty", "url": f"http://127.0.0.1:{receiver.server_port}/hook", "kinds": list(KINDS)}
    with app.extensions["sessions"]() as session:
        kept = session.scalar(select(KeptAnswer.body))

    again = program("admin").post("/webhooks", body, key="made")

    assert kept and webhook["secret"].encode() not in kept
    assert again.json == webhook and again.headers["Idempotency-Replayed"] == "true"
    assert len(program("admin").get("/webhooks").json["items"]) == 1


def test_a_person_of_one_facility_cannot_make_a_webhook_of_all_places(program, receiver):  # noqa: F811
    ask = program("manager", elsewhere=True)
    body = {"name": "x", "url": f"http://127.0.0.1:{receiver.server_port}/", "kinds": ["finding_new"]}
    facility = ask.get("/facilities").json["items"][0]["id"]

    assert ask.post("/webhooks", body).status_code == 404
    assert ask.post("/webhooks", {**body, "place": facility}).json["place"] == facility


def test_the_page_sends_a_test(app, sign_in, post, receiver, webhook):  # noqa: F811
    client = sign_in("admin")

    shown = client.get("/notices").text
    answer = post(client, f"/notices/{webhook['id']}/test", page="/notices")
    send_all(app)

    assert "Send a test" in shown and "A test will be sent within seconds" in answer.text
    assert json.loads(receiver.requests[0][2])["notices"][0]["text"] == "This is a test. Notifications arrive here."


def test_each_event_reaches_the_webhook_with_what_it_is_about(app, program, say, room, receiver, webhook):  # noqa: F811
    ask = program("inspector")
    running = ask.post("/inspections", {"restroom": room, "sensors": ["demo-1"]}).json["id"]
    say.finding("demo-1", running, score=30, level="notice")
    say.finding("demo-1", running, score=84, event="updated", level="alarm")
    finding = ask.get("/findings").json["items"][0]["id"]
    ask.post(f"/findings/{finding}/dispositions", {"kind": "false", "reason": "A speaker"})
    ask.post(f"/inspections/{running}/steps", {"method": "lens", "outcome": "none_found"})
    ask.post(f"/inspections/{running}/finish", {"result": "none_found"})
    ask.post(f"/inspections/{running}/corrections", {"result": "not_completed", "reason": "x"})
    with app.extensions["sessions"].begin() as session:
        sensor = session.scalar(select(Sensor).where(Sensor.name == "demo-1"))
        sensor.state, sensor.last_seen_s = "ready", 1000
        session.flush()
        assert SilenceDetector().detect(session, 10_000, 60) == ["demo-1"]
        sensor_status.heard(session, {sensor.id}, 10_100)
        sensor_status.heard(session, {sensor.id}, 10_200)

    send_all(app)

    rows = [row for _, _, body in receiver.requests for row in json.loads(body)["notices"]]
    subjects = {
        "finding_notice": finding,
        "finding_new": finding,
        "finding_escalated": finding,
        "finding_disposed": finding,
        "inspection_finished": running,
        "inspection_corrected": running,
        "sensor_silent": "demo-1",
        "sensor_back": "demo-1",
    }
    assert {row["kind"]: row["subject"] for row in rows} == subjects and len(rows) == len(subjects)
    facts = {row["kind"]: row["facts"] for row in rows}
    assert facts["inspection_corrected"]["result"] == "not_completed"
    assert facts["finding_disposed"]["disposition"] == "false" and all(row["page"] and row["text"] for row in rows)


def test_a_test_goes_to_one_subscription_only_and_is_deleted_with_the_other_notifications(app, program, webhook):
    ask = program("admin")
    ask.post("/webhooks", {"name": "Other", "url": "http://127.0.0.1:1/", "kinds": ["finding_new"]})
    ask.post(f"/webhooks/{webhook['id']}/test", {})

    with app.extensions["sessions"].begin() as session:
        assert len(session.scalars(select(Delivery)).all()) == 1
        session.scalars(select(Notification)).one().at_s = 1
        session.flush()
        notifications.delete_old(session)
        assert session.scalars(select(Delivery)).all() == []
